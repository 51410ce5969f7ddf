"""What happens when the machine fails: killed processes, full disks, databases that are locked or gone."""
