"""Tests of what is learnt from verdicts."""
