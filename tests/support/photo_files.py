"""Photos of all kinds that are read, and files that are damaged in one place; built chunk by chunk."""

import io
import struct
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

from PIL import Image, ImageCms

from tests.support import photos

# Chelsea (CC0), 451 x 300, encoded by libheif with x265; nothing here can encode HEVC.
HEIC = Path(__file__).parent / "samples" / "chelsea.heic"
PNG_HEAD = 8 + 25
_D50 = (0.9642, 1.0, 0.8249)


def of_each_kind(image: Image.Image) -> dict[str, tuple[bytes, str]]:
    """Return the same picture in every kind that Pillow writes, by the ending of its name: bytes and media type."""
    return {
        "jpg": (photos.encode(image, quality=98, subsampling=0), "image/jpeg"),
        "png": (photos.encode(image, "PNG"), "image/png"),
        "webp": (photos.encode(image, "WEBP", lossless=True), "image/webp"),
        "avif": (photos.encode(image, "AVIF", quality=98, subsampling="4:4:4"), "image/avif"),
        "tif": (photos.encode(image, "TIFF"), "image/tiff"),
        "bmp": (photos.encode(image, "BMP"), "image/bmp"),
        "gif": (photos.encode(image, "GIF"), "image/gif"),
        "jp2": (photos.encode(image, "JPEG2000"), "image/jp2"),
    }


def chelsea_heic() -> bytes:
    """Return Chelsea as a phone would send her."""
    return HEIC.read_bytes()


def chunk(kind: bytes, body: bytes, *, is_intact: bool = True) -> bytes:
    """Return a chunk of a PNG, with the right checksum or a wrong one."""
    checksum = zlib.crc32(kind + body) ^ (not is_intact)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def png_with(*chunks: bytes, image: Image.Image | None = None) -> bytes:
    """Return a PNG with more chunks behind its header."""
    whole = photos.encode(image or photos.two_colours(), "PNG")
    return whole[:PNG_HEAD] + b"".join(chunks) + whole[PNG_HEAD:]


def png_in_pieces(image: Image.Image, piece_bytes: int = 1000) -> tuple[bytes, list[tuple[int, int]]]:
    """Return a PNG whose pixels are in many chunks, and where each of these begins and ends."""
    whole = photos.encode(image, "PNG")
    (length,) = struct.unpack_from(">I", whole, PNG_HEAD)
    assert whole[PNG_HEAD + 4 : PNG_HEAD + 8] == b"IDAT"
    pixels = whole[PNG_HEAD + 8 : PNG_HEAD + 8 + length]
    made, places = bytearray(whole[:PNG_HEAD]), []
    for start in range(0, len(pixels), piece_bytes):
        begin = len(made)
        made += chunk(b"IDAT", pixels[start : start + piece_bytes])
        places.append((begin, len(made)))
    return bytes(made + chunk(b"IEND", b"")), places


def jpeg_with(*segments: tuple[int, bytes], image: Image.Image | None = None) -> bytes:
    """Return a JPEG with more segments, of marker and body, behind its start."""
    whole = photos.encode(image or photos.two_colours(), quality=98, subsampling=0)
    made = b"".join(bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body for marker, body in segments)
    return whole[:2] + made + whole[2:]


def matrix_profile(red: Iterable[float], green: Iterable[float], blue: Iterable[float], gamma: float = 2.2) -> bytes:
    """Return an ICC profile of version 2 (ICC.1:2001-04) of these primaries, XYZ under D50, and one gamma for all."""

    def xyz(values: Iterable[float]) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78 + 1)
    tags = {b"desc": text, b"cprt": b"text\0\0\0\0CC0\0", b"wtpt": xyz(_D50)}
    tags |= {b"rXYZ": xyz(red), b"gXYZ": xyz(green), b"bXYZ": xyz(blue), b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    table, bodies, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, body in tags.items():
        padded = body + bytes(-len(body) % 4)
        table += name + struct.pack(">II", offset + len(bodies), len(body))
        bodies += padded
    size = offset + len(bodies)
    head = struct.pack(">I4sI4s4s4s", size, b"\0\0\0\0", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp") + bytes(28)
    head += b"".join(struct.pack(">i", round(value * 65536)) for value in _D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + bodies


# Primaries adapted to D50 (Bradford), as in the profiles of Adobe and Apple.
SRGB_XYZ = (0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)
WIDE_XYZ = (0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)


def wide_profile() -> bytes:
    """Return a profile of the primaries of Adobe RGB (1998)."""
    return matrix_profile(*WIDE_XYZ)


def swapped_profile() -> bytes:
    """Return sRGB with red and blue in each other's place, which nobody overlooks."""
    red, green, blue = SRGB_XYZ
    return matrix_profile(blue, green, red)


def srgb_profile() -> bytes:
    """Return sRGB as most cameras write it."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def tiff_of_many_tags(count: int, value_bytes: int) -> bytes:
    """Return a TIFF whose tags all name the same bytes as their value."""
    entries = b"".join(struct.pack("<HHII", 40_000 + number, 7, value_bytes, 8) for number in range(count))
    start = 8 + value_bytes
    return b"II*\0" + struct.pack("<I", start) + bytes(value_bytes) + struct.pack("<H", count) + entries + bytes(4)


def raw_file(
    small: bytes, large: bytes, version: bytes, *, orientation: int = 1, dng: bool = False, panasonic: bool = False
) -> bytes:
    """Return a TIFF as cameras write it: previews in the first directory and in one below it, the sensor in another."""
    lossless = b"\xff\xd8\xff\xc3\0\x08\x0e\0\x10\0\x10\0\xff\xd9" + bytes(5000)
    places, blob = [], b""
    for part in (small, large, lossless):
        places.append((8 + len(blob), len(part)))
        blob += part
    blob += bytes(len(blob) % 2)

    def directory(*entries: tuple[int, int, int, int]) -> bytes:
        rows = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
        return struct.pack("<H", len(entries)) + rows + bytes(4)

    def strip(place: tuple[int, int], photometric: int) -> list[tuple[int, int, int, int]]:
        return [(0x0103, 3, 1, 7), (0x0106, 3, 1, photometric), (0x0111, 4, 1, place[0]), (0x0117, 4, 1, place[1])]

    sensor, preview = directory(*strip(places[2], 32803)), directory(*strip(places[1], 6))
    below = 8 + len(blob)
    numbers = struct.pack("<II", below, below + len(sensor))
    first = [(0x0112, 3, 1, orientation), (0x0201, 4, 1, places[0][0]), (0x0202, 4, 1, places[0][1])]
    first.append((0x014A, 4, 2, below + len(sensor) + len(preview)))
    first += [(0xC612, 1, 4, 0x0401)] * dng + [(0x002E, 7, places[1][1], places[1][0])] * panasonic
    start = below + len(sensor) + len(preview) + len(numbers)
    head = b"II" + version + struct.pack("<I", start)
    return head + blob + sensor + preview + numbers + directory(*first)


Build = Callable[[], bytes]


def with_profile(image: Image.Image, photo_format: str, profile: bytes) -> bytes:
    """Return a file of a picture that is said to be in the colours of a profile."""
    buffer = io.BytesIO()
    options = {"quality": 98, "subsampling": 0} if photo_format == "JPEG" else {}
    options = {"lossless": True} if photo_format == "WEBP" else options
    image.save(buffer, photo_format, icc_profile=profile, **options)
    return buffer.getvalue()
