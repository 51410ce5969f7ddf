"""Process that decodes one photo, `python -m detection.inference.photos.isolated.process JPEG2000 3000000000`.

Standard input is the file; the arguments are Pillow's name of its format, and the most bytes of memory. Standard output
gets a line of JSON, `{"mode": "RGB", "size": [640, 480], "row_bytes": 1920}`, and the rows of the first picture behind
it; nothing where the file is damaged.
"""

import io
import json
import os
import sys

from PIL import Image

from detection.inference.process_limits import limit_this_process

# That are written and read at once: the pixels are in memory once, not twice.
ROWS = 256
# No photo within the limits of a body takes a tenth of it.
_MOST_CPU_S = 120
_NICENESS = 5
_PALETTE_MODES = frozenset({"P", "PA"})


def main() -> None:
    """Decode the photo of standard input."""
    kind, most_bytes = sys.argv[1:]
    limit_this_process(memory_bytes=int(most_bytes), cpu_s=_MOST_CPU_S, niceness=_NICENESS)
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(io.BytesIO(sys.stdin.buffer.read()), formats=(kind,)) as opened:
        opened.load()
        image = opened.convert("RGBA") if opened.mode in _PALETTE_MODES else opened
    output = sys.stdout.buffer
    row_bytes = len(image.crop((0, 0, image.width, 1)).tobytes())
    output.write(json.dumps({"mode": image.mode, "size": image.size, "row_bytes": row_bytes}).encode() + b"\n")
    for top in range(0, image.height, ROWS):
        output.write(image.crop((0, top, image.width, min(top + ROWS, image.height))).tobytes())
    output.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
