"""Plots as SVG that a page has in it: no script, no colours of their own (`dashboard.css`), knows no database.

Across they measure in percent and down in pixels, so that they fit any width and their letters keep their size.
"""
