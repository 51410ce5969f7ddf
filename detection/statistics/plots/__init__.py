"""Plots as inline SVG: no script, no colours of their own (`dashboard.css`), no database access.

Horizontal lengths are in percent and vertical ones in pixels, so that they fit any width and texts keep their size.
"""
