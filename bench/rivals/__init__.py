"""Competing servers of the same network."""
