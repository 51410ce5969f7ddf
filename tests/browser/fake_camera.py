"""Picture of a fake camera: a video that Chromium's fake capture device plays (YUV4MPEG2, mjpegtools' yuv4mpeg(5))."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.photos import real_photo

# Records so many frames of the cat, about 60 a second, and returns the WebM file in base64.
RECORD_CAT = """
async (frames) => {
  const picture = new Image();
  picture.src = "/static/detection/samples/chelsea.jpg";
  await picture.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
  const context = canvas.getContext("2d");
  const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: "video/webm;codecs=vp8" });
  const parts = [];
  const stopped = new Promise((resolve) => recorder.addEventListener("stop", resolve));
  recorder.addEventListener("dataavailable", (event) => parts.push(event.data));
  recorder.start();
  for (let number = 0; number < frames; number += 1) {
    context.drawImage(picture, 0, 0);
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
  recorder.stop();
  await stopped;
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  return btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), ""));
}
"""
SIZE_WH = (640, 480)
FRAMES_PER_SECOND = 30
_STEP_PX = 4


def write_cat_video(path: Path, frames: int = 10) -> None:
    """A cat that fills the picture and moves to the right by 4 pixels a frame; `path` ends in .y4m."""
    photo = Image.open(io.BytesIO(real_photo("chelsea"))).convert("RGB")
    wide = photo.resize((SIZE_WH[0] + _STEP_PX * frames, SIZE_WH[1]))
    header = f"YUV4MPEG2 W{SIZE_WH[0]} H{SIZE_WH[1]} F{FRAMES_PER_SECOND}:1 Ip A1:1 C420jpeg\n"
    with path.open("wb") as file:
        file.write(header.encode("ascii"))
        for number in range(frames):
            left = _STEP_PX * (frames - number)
            file.write(b"FRAME\n" + _planes(wide.crop((left, 0, left + SIZE_WH[0], SIZE_WH[1]))))


def _planes(image_rgb: Image.Image) -> bytes:
    """Luma in full, both chromas at half the width and height."""
    luma, blue, red = image_rgb.convert("YCbCr").split()
    half = (SIZE_WH[0] // 2, SIZE_WH[1] // 2)
    planes = (luma, blue.resize(half), red.resize(half))
    return b"".join(np.asarray(plane, dtype=np.uint8).tobytes() for plane in planes)
