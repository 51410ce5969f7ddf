"""How good the detector is on annotated photos. Knows the detector and no Django."""
