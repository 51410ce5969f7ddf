"""Measurements of the service; `make bench` runs them all, `python -m bench.<part>` one of them."""
