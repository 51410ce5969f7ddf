"""Command line of the service: `manage.py` in a clone, `detector-site` where it is installed."""

import io
import os
import sys

from django.core.management import execute_from_command_line


def escape_what_a_stream_cannot_show() -> None:
    """Let text outside of a terminal's or a pipe's encoding be written as escapes, where it would end the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def main() -> None:
    """Run the command that the arguments name."""
    escape_what_a_stream_cannot_show()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "detector_site.settings")
    execute_from_command_line(sys.argv)
