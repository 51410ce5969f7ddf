#!/usr/bin/env python3
"""Django's command line."""

import sys

if __name__ == "__main__":
    try:
        from detector_site.command_line import main
    except ImportError:
        sys.exit("Django is not installed here. Run `make run`, or activate the environment of requirements.txt.")
    main()
