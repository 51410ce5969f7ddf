"""Comparison of two models: their answers for the same photos, side by side, in numbers, and by votes."""
