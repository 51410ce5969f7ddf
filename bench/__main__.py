"""Runs all parts of the bench, one after the other, each in a process of its own: `python -m bench [--parts
NAME...]`.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence

PARTS = ("engines", "frontend", "service", "rivals", "overload", "startup", "memory", "tiles", "gpu")
# Run only when they are named: a soak test takes a quarter of an hour, and attacks slow down what runs beside them.
LONG_PARTS = ("soak", "attacks")


def main(arguments: Sequence[str]) -> int:
    """Run the parts; return the number of failed ones. Unknown arguments are passed on to each part."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=(*PARTS, *LONG_PARTS), default=list(PARTS))
    chosen, passed_on = parser.parse_known_args(arguments)
    failed = []
    started = time.monotonic()
    for name in chosen.parts:
        finished = subprocess.run([sys.executable, "-m", f"bench.{name}", *passed_on], check=False)
        if finished.returncode != 0:
            failed.append(name)
    minutes = (time.monotonic() - started) / 60
    print(f"{minutes:.0f} minutes. Failed parts: {', '.join(failed) or 'none'}. JSON and plots: bench/results/")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
