"""Tests of the review queues."""
