"""Command `python -m bench.history --detections 1000000`; `--help` lists the options."""

import os
import sys

import django


def main() -> None:
    """Fill the database of DATABASE_URL and DATA_DIR."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "detector_site.settings")
    django.setup()

    from bench.history.command import Command  # it imports tables

    Command().run_from_argv(["python -m", "bench.history", *sys.argv[1:]])


if __name__ == "__main__":
    main()
