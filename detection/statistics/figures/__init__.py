"""Figures of the dashboard: the plots of each statistic, with their texts."""
