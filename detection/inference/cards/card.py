"""Model cards: the `model.toml` of a model's folder, which describes what the model's files leave open."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from detection.inference.cards.foreign import how_to_export
from detection.inference.cards.toml_table import Table
from detection.inference.class_names import read_classes, require_usable
from detection.inference.errors import CheckpointError
from detection.inference.families.registry import FAMILIES
from detection.inference.files import file_sha256
from detection.inference.network import DEFAULT_THRESHOLD, FITS, LINEAR, RESIZES, STRETCH
from detection.inference.text_files import TextError, read_text
from detection.inference.tiles.grid import CHOICES, WHOLE

CARD_NAME = "model.toml"
_MAX_EDGE_PX = 4096
_SHA256_DIGITS = 64
_BYTE = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """Description of the network's own input; the graph does all of it (`onnx_input.py`) but `size_wh`, `fit`, `pad`,
    `resize` and `antialias`.

    resize: of `RESIZES`, how photos were resized in training; antialias: false where fine structure was skipped then.
    colour: "rgb" or "bgr"; pixel = (byte - mean) / std, by channel in that order; dtype: "float32", "float16", "uint8";
    layout: "nchw" or "nhwc".
    """

    size_wh: tuple[int, int]
    fit: str = STRETCH
    pad: int = 0
    resize: str = LINEAR
    antialias: bool = True
    colour: str = "rgb"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    dtype: str = "float32"
    layout: str = "nchw"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """Validated content of a card. Of the files only the class list has been read.

    files: SHA-256 by name, all in `folder`; decoding: the family's own value, None where the checkpoint carries it.
    threshold: objects above it are reported where neither PROBABILITY_MORE nor the caller gives one.
    tiles: in how many a side a photo is looked at beside the whole, where the caller does not say it.
    accuracy: measurements, for people. sha256: one hash over every key that affects the results.
    """

    folder: Path
    name: str
    title: str
    version: str
    family: str
    licence: str
    source: str
    files: Mapping[str, str]
    input: InputSpec
    classes: tuple[str, ...]
    decoding: Any
    threshold: float
    tiles: str
    accuracy: Mapping[str, Any]
    sha256: str

    def only_file(self, suffix: str) -> Path:
        """Return the one file with this suffix. Raises CheckpointError when the card lists none, or several."""
        found = [name for name in self.files if name.lower().endswith(suffix)]
        if len(found) != 1:
            raise CheckpointError(
                f"{self.folder / CARD_NAME}: [files] lists {len(found)} files *{suffix} where the family {self.family} "
                "needs one."
            )
        return self.folder / found[0]

    def verify_files(self) -> None:
        """Raise CheckpointError when a file is missing or differs from the card's hash."""
        for name, sha256 in self.files.items():
            path = self.folder / name
            try:
                actual = file_sha256(path)
            except OSError as error:
                raise CheckpointError(f"{path} cannot be read ({error.strerror}). Complete the folder.") from error
            if actual != sha256:
                raise CheckpointError(
                    f"{path} has the SHA-256 {actual}, not the {sha256} of [files] in {CARD_NAME}: it is damaged or "
                    "another file. Get it anew, or correct the card."
                )


def has_card(folder: Path) -> bool:
    """Return whether a path is a folder with a model card."""
    try:
        return (folder / CARD_NAME).is_file()
    except OSError:  # a name that is too long for the file system, say
        return False


def read_card(folder: Path) -> ModelCard:
    """Read and validate the card of a folder. Raises CheckpointError with a message that names the file and the key."""
    path = folder / CARD_NAME
    try:
        text = read_text(path)
    except OSError as error:
        raise CheckpointError(
            how_to_export(folder) or f"{path} cannot be read ({error.strerror}): put the model's card there."
        ) from error
    except TextError as error:
        raise CheckpointError(f"{path} is no TOML file: {error}.") from None
    return parse_card(folder, text)


def parse_card(folder: Path, text: str) -> ModelCard:
    """Validate the text of a card for a folder, whether it is there yet or not. Raises CheckpointError."""
    path = folder / CARD_NAME
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CheckpointError(f"{path} is no TOML file in UTF-8: {error}.") from error
    except RecursionError:
        raise CheckpointError(f"{path} is no model card: its lists are nested too deeply.") from None
    table = Table(path, "", raw)
    family = table.choice("family", tuple(FAMILIES))
    files = _files(table.table("files"))
    card = ModelCard(
        folder=folder,
        name=table.name("name"),
        title=table.text("title"),
        version=table.name("version"),
        family=family,
        licence=table.text("licence"),
        source=table.text("source"),
        files=files,
        input=_input(table.table("input")),
        classes=_classes(table, folder, files),
        decoding=_decoding(table, family),
        threshold=table.number("threshold", DEFAULT_THRESHOLD, low=0.0, high=1.0),
        tiles=table.choice("tiles", CHOICES, WHOLE),
        accuracy=table.table("accuracy", {}).notes(),
        sha256=_sha256(raw),
    )
    table.end()
    return card


def _sha256(raw: Mapping[str, Any]) -> str:
    """Hash the keys that affect the results, so that a better description does not make another model."""
    deciding = {key: raw.get(key) for key in ("family", "files", "input", "classes", "decoding")}
    return hashlib.sha256(json.dumps(deciding, sort_keys=True, default=str).encode()).hexdigest()


def _files(table: Table) -> dict[str, str]:
    files = {name: table.text(name) for name in table.keys()}  # noqa: SIM118 a table is no dictionary
    for name, sha256 in files.items():
        if Path(name).name != name or name in {"", ".", ".."} or not name.isprintable():
            raise table.wrong(ascii(name)[1:-1], "has to be the name of a file in the same folder")
        if len(sha256) != _SHA256_DIGITS or set(sha256) - set("0123456789abcdef"):
            raise table.wrong(name, "has to be the file's SHA-256: 64 hexadecimal digits in lower case")
    return files


def _input(table: Table) -> InputSpec:
    edge = table.integer("edge", 0, low=1, high=_MAX_EDGE_PX)
    if edge and {"width", "height"} & set(table.keys()):
        raise table.wrong("edge", "stands beside width or height: keep edge for a square, or both of them")
    size_wh = (edge, edge) if edge else tuple(table.integer(key, None, 1, _MAX_EDGE_PX) for key in ("width", "height"))
    spec = InputSpec(
        size_wh=(size_wh[0], size_wh[1]),
        fit=table.choice("fit", FITS, STRETCH),
        pad=table.integer("pad", 0, low=0, high=_BYTE),
        resize=table.choice("resize", RESIZES, LINEAR),
        antialias=table.flag("antialias", default=True),
        colour=table.choice("colour", ("rgb", "bgr"), "rgb"),
        mean=table.three_numbers("mean", (0.0, 0.0, 0.0)),
        std=table.three_numbers("std", (1.0, 1.0, 1.0)),
        dtype=table.choice("dtype", ("float32", "float16", "uint8"), "float32"),
        layout=table.choice("layout", ("nchw", "nhwc"), "nchw"),
    )
    if not all(spec.std):
        raise table.wrong("std", "has to be three numbers other than 0")
    if spec.resize != LINEAR and not spec.antialias:
        raise table.wrong("antialias", f'may be false beside resize = "{LINEAR}" only')
    table.end()
    return spec


def _classes(table: Table, folder: Path, files: Mapping[str, str]) -> tuple[str, ...]:
    given = table.text_or_list("classes")
    if isinstance(given, tuple):
        try:
            return require_usable(given)
        except ValueError as error:
            raise table.wrong("classes", f"cannot be used: {error}") from error
    if given not in files:
        raise table.wrong("classes", f"is the file {given}, which [files] does not list")
    return read_classes(folder / given)


def _decoding(table: Table, family: str) -> Any:
    decoding = table.table("decoding", {})
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in decoding.everything().items()}
    make = FAMILIES[family].decoding
    if make is None:
        if values:
            raise table.wrong("decoding", f"has to be left out: a checkpoint of {family} carries its own")
        return None
    unknown = sorted(set(values) - {field.name for field in fields(make)})
    if unknown:
        raise table.wrong(f"decoding.{unknown[0]}", f"is not known to {family}: remove it, or correct its spelling")
    try:
        return make(**values)
    except ValueError as error:
        raise table.wrong("decoding", f"cannot be used: {error}") from error
