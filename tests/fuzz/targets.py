"""Readers of files of others: how each is called, with which good files, and which errors are its own."""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from detection.inference.cards.card import InputSpec, read_card
from detection.inference.convert.conversion import convert
from detection.inference.convert.gluoncv import convert_export
from detection.inference.errors import CheckpointError, ImageDecodeError, ImageTooLargeError
from detection.inference.mxnet.checkpoint import load_checkpoint
from detection.inference.mxnet.params import read_params
from detection.inference.onnx.input import wrapped_onnx
from detection.inference.photos.decode import decode_photo, read_info
from detection.photos.metadata import NotStrippableError, strip_metadata
from tests.inference.model_folders import constant_network, nanodet_outputs, write_model
from tests.support import photo_files, photos
from tests.support.checkpoints import PARAMS_VERSIONS, SAMPLE_PHOTO, params_bytes, tiny_ssd, write_checkpoint
from tests.support.gluoncv_exports import CLASSES, EDGE, Export, small_ssd, small_yolo3, write_export

TINY_EDGE = 32
MAX_PIXELS = 4_000_000
# Kept as they came, without their metadata.
STRIPPED = frozenset({"JPEG", "PNG", "WEBP"})
EMBEDDED_CARDS = Path(__file__).resolve().parents[2] / "models"

Read = Callable[[bytes], None]


@dataclass(frozen=True)
class Target:
    """A reader.

    prepare: makes, for an empty folder, the function that reads one file; files: good ones; errors: the reader's own;
    tokens: what is worth putting into a file.
    """

    prepare: Callable[[Path], Read]
    files: Callable[[], Sequence[bytes]]
    errors: tuple[type[Exception], ...]
    tokens: Sequence[bytes] = field(default=())


def _params(folder: Path) -> Read:
    path = folder / "net-0000.params"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        arrays = read_params(path)
        assert sum(array.nbytes for array in arrays.values()) <= len(content)

    return read


def _params_files() -> list[bytes]:
    small = {
        "arg:w": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "aux:m": np.array([1.5]),
        "arg:b": np.zeros(3, "i1"),
    }
    return [params_bytes(arrays, version) for arrays in (small, tiny_ssd().arrays) for version in PARAMS_VERSIONS]


def _symbol(folder: Path) -> Read:
    """Symbol and good weights: read, and converted as far as they go."""
    net = tiny_ssd()
    prefix = write_checkpoint(folder, net.document(), net.arrays)

    def read(content: bytes) -> None:
        (folder / "net-symbol.json").write_bytes(content)
        convert(load_checkpoint(prefix, 0), TINY_EDGE)

    return read


def _symbol_files() -> list[bytes]:
    return [json.dumps(tiny_ssd().document(spelling=spelling)).encode() for spelling in ("attrs", "attr", "param")]


def _export(build: Callable[[], Export]) -> Callable[[Path], Read]:
    def prepare(folder: Path) -> Read:
        export = build()
        write_checkpoint(folder, export.net.document(heads=export.heads), export.net.arrays)

        def read(content: bytes) -> None:
            (folder / "net-symbol.json").write_bytes(content)
            convert_export(load_checkpoint(folder / "net", 0, CLASSES), InputSpec(size_wh=(EDGE, EDGE)))

        return read

    return prepare


def _export_files(build: Callable[[], Export]) -> Callable[[], Sequence[bytes]]:
    def files() -> Sequence[bytes]:
        export = build()
        return [json.dumps(export.net.document(heads=export.heads)).encode()]

    return files


def _card(folder: Path) -> Read:
    (folder / "synset.txt").write_text("cat\ndog\n", encoding="utf-8")
    (folder / "classes.txt").write_text("cat\ndog\n", encoding="utf-8")

    def read(content: bytes) -> None:
        (folder / "model.toml").write_bytes(content)
        read_card(folder)

    return read


def _card_files() -> list[bytes]:
    with tempfile.TemporaryDirectory() as name:
        write_export(Path(name) / "ssd", small_ssd())
        write_model(Path(name) / "net", b"")
        made = [(Path(name) / folder / "model.toml").read_bytes() for folder in ("ssd", "net")]
    return made + [path.read_bytes() for path in sorted(EMBEDDED_CARDS.glob("*/model.toml"))]


def _onnx(folder: Path) -> Read:
    card = read_card(write_model(folder / "net", constant_network(nanodet_outputs(1))))

    def read(content: bytes) -> None:
        card.only_file(".onnx").write_bytes(content)
        wrapped_onnx(card, folder / "cache")

    return read


def _image(_: Path) -> Read:
    """The way of an upload: header, pixels at full size and scaled, the copy without metadata."""

    def read(content: bytes) -> None:
        info = read_info(content, max_pixels=MAX_PIXELS)
        decode_photo(content, max_pixels=MAX_PIXELS, min_edge_px=16)
        whole = decode_photo(content, max_pixels=MAX_PIXELS)
        assert info.size_wh == whole.image_rgb.size, "the header tells another size"
        if whole.info.is_cut_off or info.format not in STRIPPED:
            return
        try:
            stripped = strip_metadata(content, info.format, info.orientation)
        except NotStrippableError:
            return
        copy = decode_photo(stripped, max_pixels=MAX_PIXELS)
        assert copy.info.size_wh == info.size_wh == whole.image_rgb.size, "the copy has another size"
        assert copy.image_rgb.tobytes() == whole.image_rgb.tobytes(), "the copy shows another picture"

    return read


def _of_kind(suffix: str) -> Target:
    """Return the target of one kind of photo; small ones, since coders of video take long for each."""

    def files() -> list[bytes]:
        if suffix == "heic":
            return [photo_files.chelsea_heic()]
        if suffix == "raw":
            tiny, larger = (photos.encode(photos.two_colours(size)) for size in ((16, 8), (40, 24)))
            return [photo_files.raw_file(tiny, larger, version, dng=True) for version in (b"*\0", b"RO")]
        small, grey = photos.noise((40, 24)), photos.noise((24, 24)).convert("L")
        made = [photo_files.of_each_kind(image)[suffix][0] for image in (small, photos.two_colours(), grey)]
        return made + _MORE_FILES.get(suffix, list)()

    return Target(_image, files, (ImageDecodeError, ImageTooLargeError), _KIND_TOKENS.get(suffix, ()))


def _more_tiffs() -> list[bytes]:
    small = photos.noise((40, 24))
    compressions = ("tiff_lzw", "jpeg", "tiff_adobe_deflate", "packbits")
    return [
        *(photos.encode(small, "TIFF", compression=name) for name in compressions),
        photos.with_orientation(small, 6, "TIFF"),
        photos.encode(small.convert("L").convert("1"), "TIFF", compression="group4"),
        photos.encode(Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100), "TIFF"),
        photos.encode(small.convert("CMYK"), "TIFF"),
        photos.encode(small, "TIFF", icc_profile=photo_files.wide_profile()),
    ]


def _more_gifs() -> list[bytes]:
    small = photos.noise((40, 24))
    return [photos.encode(small, "GIF", save_all=True, append_images=[small.rotate(180)], comment=b"a comment")]


def _more_avifs() -> list[bytes]:
    small = photos.noise((40, 24))
    return [photos.with_orientation(small, 6, "AVIF"), photos.encode(translucent(small), "AVIF")]


def _more_jpeg2000s() -> list[bytes]:
    small = photos.noise((40, 24))
    return [
        photos.encode(translucent(small), "JPEG2000"),
        photos.encode(small, "JPEG2000", no_jp2=True),
        photos.encode(small, "JPEG2000", irreversible=True, quality_layers=[20, 5]),
    ]


def translucent(image: Image.Image) -> Image.Image:
    """Return a picture that one looks through."""
    made = image.copy()
    made.putalpha(100)
    return made


_MORE_FILES = {"tif": _more_tiffs, "gif": _more_gifs, "avif": _more_avifs, "jp2": _more_jpeg2000s}
_BOXES = (
    b"ftyp",
    b"meta",
    b"iloc",
    b"iinf",
    b"infe",
    b"ipco",
    b"ipma",
    b"ispe",
    b"hvcC",
    b"av1C",
    b"colr",
    b"irot",
    b"mdat",
)
_KIND_TOKENS: dict[str, Sequence[bytes]] = {
    "heic": _BOXES,
    "avif": _BOXES,
    "tif": (
        b"II*\0",
        b"MM\0*",
        b"\x00\x01\x03\0",
        b"\x01\x01\x03\0",
        b"\x11\x01\x04\0",
        b"\x12\x01\x03\0",
        b"\x16\x01\x03\0",
    ),
    "gif": (b"GIF89a", b"!\xf9\x04", b"!\xfe", b"!\xff\x0b", b",", b";", b"\0"),
    "jp2": (
        b"jp2h",
        b"ihdr",
        b"colr",
        b"jp2c",
        b"pclr",
        b"cmap",
        b"\xff\x51",
        b"\xff\x52",
        b"\xff\x5c",
        b"\xff\x90",
        b"\xff\xd9",
    ),
}
KINDS = ("heic", "avif", "tif", "bmp", "gif", "jp2", "raw")


def _image_files() -> list[bytes]:
    small, grey = photos.noise((40, 24)), photos.noise((24, 24)).convert("L")
    with Image.open(SAMPLE_PHOTO) as sample:
        cat = sample.convert("RGB").resize((96, 64))
    return [
        photos.encode(cat, quality=80),
        photos.encode(cat, progressive=True),
        photos.encode(cat, quality=60, subsampling=0, comment=b"a comment"),
        photos.encode(cat.convert("CMYK")),
        photos.with_orientation(cat, 6),
        photos.encode(grey),
        photos.encode(small, "MPO", save_all=True, append_images=[small]),
        photos.encode(small, "PNG"),
        photos.encode(small.convert("P"), "PNG", transparency=3),
        photos.encode(small.convert("RGBA"), "PNG", exif=Image.Exif()),
        photos.encode(small, "PNG", icc_profile=photo_files.wide_profile()),
        photo_files.png_in_pieces(small)[0],
        photos.encode(small, icc_profile=photo_files.wide_profile()),
        photos.encode(grey.convert("1"), "PNG"),
        photos.sixteen_bit_png(),
        photos.encode(cat, "WEBP", quality=70),
        photos.encode(small.convert("RGBA"), "WEBP", lossless=True),
        photos.with_orientation(small, 3, "WEBP"),
        photos.animated_webp(small, small.rotate(180)),
    ]


_IMAGE_TOKENS = (
    *(
        bytes((0xFF, marker))
        for marker in (0xC0, 0xC2, 0xC4, 0xD0, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xE0, 0xE1, 0xEE, 0xFE)
    ),
    *(b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP", b"eXIf", b"acTL", b"fcTL", b"zTXt", b"iTXt"),
    *(b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"EXIF", b"XMP ", b"Exif\0\0MM\0*", b"II*\0", b"MPF\0"),
)
_PARAMS_TOKENS = (
    b"\xc8\xfa\x93\xf9",
    b"\xc9\xfa\x93\xf9",
    b"\xca\xfa\x93\xf9",
    b"arg:",
    b"aux:",
    b"\x12\x01" + b"\0" * 14,
)
_JSON_TOKENS = (
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b'"op"',
    b'"inputs"',
    b'"heads"',
    b"1e999",
    b"\\ud800",
)
_TOML_TOKENS = (
    b"[",
    b"]",
    b"[[",
    b"=",
    b'"',
    b'"""',
    b"'",
    b"inf",
    b"nan",
    b"-1",
    b"1e999",
    b"true",
    b"..",
    b"{a=1}",
    b"\n",
)

CHECKPOINT_ERRORS = (CheckpointError,)
TARGETS: dict[str, Target] = {
    "params": Target(_params, _params_files, CHECKPOINT_ERRORS, _PARAMS_TOKENS),
    "symbol": Target(_symbol, _symbol_files, CHECKPOINT_ERRORS, _JSON_TOKENS),
    "gluoncv-ssd": Target(_export(small_ssd), _export_files(small_ssd), CHECKPOINT_ERRORS, _JSON_TOKENS),
    "gluoncv-yolo3": Target(_export(small_yolo3), _export_files(small_yolo3), CHECKPOINT_ERRORS, _JSON_TOKENS),
    "card": Target(_card, _card_files, CHECKPOINT_ERRORS, _TOML_TOKENS),
    "onnx": Target(_onnx, lambda: [constant_network(nanodet_outputs(1))], CHECKPOINT_ERRORS),
    "image": Target(_image, _image_files, (ImageDecodeError, ImageTooLargeError), _IMAGE_TOKENS),
    **{f"image-{suffix}": _of_kind(suffix) for suffix in KINDS},
}
