"""Damaged files by the hundred thousand, for everything that reads files of others.

`campaign.py` damages good files by seeded chance and runs each in a worker under limits of time and memory;
`guided.py` lets atheris search by coverage. Small runs are tests; `make fuzz` is the whole campaign.
"""
