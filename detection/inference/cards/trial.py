"""Trial of a card before it is written: the model runs as it would when it is added."""

import tempfile
from pathlib import Path

from detection.inference.cards.card import CARD_NAME, parse_card
from detection.inference.detector import DetectorOptions, load_detector
from detection.inference.engines.base import EngineOptions
from detection.inference.model_files import ModelSource


def try_card(folder: Path, text: str, photo: bytes) -> None:
    """Validate the text of a card for a folder, and run the model on a photo. The folder itself stays as it is.

    Raises CheckpointError and EngineError.
    """
    card = parse_card(folder, text)
    with tempfile.TemporaryDirectory(prefix="model-card-") as temporary:
        copy = Path(temporary) / "model"
        copy.mkdir()
        for name in card.files:
            (copy / name).symlink_to((folder / name).resolve())
        (copy / CARD_NAME).write_text(text, encoding="utf-8")
        detector = load_detector(DetectorOptions(ModelSource(copy), Path(temporary) / "cache", EngineOptions()))
        try:
            detector.run_sanity_check(photo)
        finally:
            detector.close()
