"""Failures of the machine: killed processes, full disks, databases that are locked or gone."""
