"""The same network, served by others."""
