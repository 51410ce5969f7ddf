"""Figures learnt from people's verdicts: operating points, calibration, and what to review next."""
