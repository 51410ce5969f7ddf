"""Photos of the demo history: sample photos, and crops and mirror images of them that are always the same."""

import random
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from PIL import Image, ImageOps

from detection.models import Detection
from detection.photos.encode import encoded
from detection.predict.sample_photos import SAMPLES, SamplePhoto

COUNT = 48
DAYS = 28
_LEAST_SHARE = 0.6
_QUALITY = 85
_SOURCES = (Detection.Source.API, Detection.Source.PAGE, Detection.Source.API, Detection.Source.WEBSOCKET)


@dataclass(frozen=True, slots=True)
class Variant:
    """Photo of the demo history. number: from 0, the oldest, on. data: a JPEG. created_at: of its detection."""

    number: int
    sample: SamplePhoto
    is_whole: bool
    data: bytes
    source: str
    created_at: datetime

    @property
    def name(self) -> str:
        """File name of the photo."""
        return f"demo/{self.sample.name}-{self.number + 1:02}.jpg"


def variants(now: datetime) -> list[Variant]:
    """Return the photos, the oldest first, at hours of the day in the four weeks before `now`; the last one a minute
    ago.
    """
    return [_variant(number, now) for number in range(COUNT)]


def _variant(number: int, now: datetime) -> Variant:
    chance = random.Random(number)  # noqa: S311 variety, no secret
    sample = SAMPLES[number % len(SAMPLES)]
    # One in eight is the sample as it is.
    is_whole = number % 8 == 0
    data = sample.path.read_bytes() if is_whole else _changed(sample, chance)
    source = _SOURCES[chance.randrange(len(_SOURCES))]
    return Variant(number, sample, is_whole, data, source, _moment(number, now))


def _moment(number: int, now: datetime) -> datetime:
    """Return the time of a photo: of each day's, one after the other from 8 o'clock on."""
    before = COUNT - 1 - number
    days = before * DAYS // COUNT
    if days == 0:
        return now - timedelta(minutes=1 + 7 * before)
    of_day = number - min(other for other in range(COUNT) if (COUNT - 1 - other) * DAYS // COUNT == days)
    morning = datetime.combine(now.date() - timedelta(days=days), time(8), now.tzinfo)
    return morning + timedelta(hours=3 * of_day, minutes=number * 17 % 60)


def _changed(sample: SamplePhoto, chance: random.Random) -> bytes:
    with Image.open(sample.path) as opened:
        image_rgb = opened.convert("RGB")
    share = chance.uniform(_LEAST_SHARE, 1)
    width, height = (round(edge * share) for edge in image_rgb.size)
    left, top = chance.randint(0, image_rgb.width - width), chance.randint(0, image_rgb.height - height)
    image_rgb = image_rgb.crop((left, top, left + width, top + height))
    if chance.randrange(2):
        image_rgb = ImageOps.mirror(image_rgb)
    return encoded(image_rgb, "JPEG", quality=_QUALITY)
