"""Drift: each day of a model version against a reference period."""
