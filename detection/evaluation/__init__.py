"""Evaluation of detectors on annotated photos; imports the detector and no Django."""
