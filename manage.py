#!/usr/bin/env python3
"""Django's command line."""

import io
import os
import sys


def escape_what_a_stream_cannot_show() -> None:
    """Let text outside of a terminal's or a pipe's encoding be written as escapes, where it would end the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def main() -> None:
    escape_what_a_stream_cannot_show()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "detector_site.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed here. Run `make run`, or activate the environment of requirements.txt.")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
