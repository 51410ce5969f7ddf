"""Draws red boxes and probabilities on a photo."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from detection.inference.types import DrawnBox

RED = (255, 0, 0)
# The look of the 2019 service: on a photo of this many pixels on its longer side, a stroke of 5 pixels
# and text of 30, its baseline 15 to the right of the box's corner and 30 below. Other sizes are drawn to scale.
REFERENCE_EDGE_PX = 1840
STROKE_PX, TEXT_PX, TEXT_RIGHT_PX, TEXT_DOWN_PX = 5, 30, 15, 30
MIN_STROKE_PX, MIN_TEXT_PX = 3, 17


@dataclass(frozen=True, slots=True)
class Drawing:
    """Geometry of one drawn object, in pixels of the photo.

    left, top, right, bottom: the outermost pixels of the rectangle, all of them red; its stroke goes inwards.
    text_x is the left end of the text, text_y its baseline, text_length its width, text_px its size. Its light edge of
    edge_px keeps it legible on red cars.
    """

    left: int
    top: int
    right: int
    bottom: int
    stroke_px: int
    text: str
    text_x: float
    text_y: float
    text_length: float
    text_px: float
    edge_px: int


def draw_objects(image_rgb: Image.Image, objects: Sequence[DrawnBox]) -> Image.Image:
    """Return a new picture with a red rectangle and "class, prob: p", or the class alone, for each object.

    Boxes are pixels of `image_rgb`.
    The most probable object is drawn last, on top of the others.
    """
    picture = image_rgb.copy()
    canvas = ImageDraw.Draw(picture)
    font = _font_for(picture.size)
    drawings = [drawing_of(found, picture.size) for found in reversed(objects)]
    for drawn in drawings:
        corners = (drawn.left, drawn.top, drawn.right, drawn.bottom)
        canvas.rectangle(corners, outline=RED, width=drawn.stroke_px)
    for drawn in drawings:
        canvas.text(
            (drawn.text_x, drawn.text_y),
            drawn.text,
            fill=RED,
            font=font,
            anchor="ls",
            stroke_width=drawn.edge_px,
            stroke_fill=(255, 255, 255),
        )
    return picture


def drawing_of(found: DrawnBox, size_wh: tuple[int, int]) -> Drawing:
    """Return the position of an object's rectangle and text on a photo of `size_wh`; the text is kept within the
    photo.
    """
    width, height = size_wh
    box = found.box
    right, bottom = min(box.x + box.width, width - 1), min(box.y + box.height, height - 1)
    stroke_px = max(MIN_STROKE_PX, round(STROKE_PX * _scale(size_wh)))
    font = _font_for(size_wh)
    text_px = getattr(font, "size", MIN_TEXT_PX)
    edge_px = max(1, round(text_px / 15))
    text = found.class_name if found.probability is None else f"{found.class_name}, prob: {found.probability}"
    length = font.getlength(text)
    return Drawing(
        left=box.x,
        top=box.y,
        right=max(right, box.x),
        bottom=max(bottom, box.y),
        # Pillow draws a stroke inwards; a box thinner than its stroke is drawn as a line.
        stroke_px=max(1, min(stroke_px, (right - box.x) // 2 or 1, (bottom - box.y) // 2 or 1)),
        text=text,
        text_x=max(edge_px, min(box.x + text_px * TEXT_RIGHT_PX / TEXT_PX, width - length - edge_px)),
        text_y=min(max(box.y + text_px * TEXT_DOWN_PX / TEXT_PX, text_px), height - text_px / 3),
        text_length=length,
        text_px=text_px,
        edge_px=edge_px,
    )


def _scale(size_wh: tuple[int, int]) -> float:
    return max(size_wh) / REFERENCE_EDGE_PX


def _font_for(size_wh: tuple[int, int]) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return _font(max(MIN_TEXT_PX, round(TEXT_PX * _scale(size_wh))))


@lru_cache(maxsize=32)
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)
