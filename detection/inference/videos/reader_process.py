"""Process that reads one video, `python -m detection.inference.videos.reader_process`: what breaks there ends with it.

Standard input is the file, a regular one; the first argument is a `Wish` in JSON. Standard output gets a header of 12
bytes for each frame, its time in seconds (a double) and the length of the JPEG behind it; length 0 is a sign of life.
The last header has the length END, and behind it comes the outcome in JSON: `{"code": "", ...}` or why reading ended.

Only the containers and codecs of the lists are opened, by the file's first bytes and never by its name; nothing that a
file refers to is opened. Imports no Django.
"""

import contextlib
import io
import json
import os
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from detection.inference.process_limits import limit_this_process

HEADER = struct.Struct("<dI")
END = 0xFFFFFFFF
# What starts a file of each container, and FFmpeg's demuxer for it. Playlists and image sequences are none of them.
_ISO_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
_STARTS = (
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"FLV\x01", "flv"),
    (b"OggS", "ogg"),
    (b"0&\xb2u\x8ef\xcf\x11", "asf"),
    (b"\x00\x00\x01\xba", "mpeg"),
)
_TS_SYNC, _TS_PACKET, _M2TS_PACKET = 0x47, 188, 192
_CODECS = (
    "h264,hevc,libdav1d,av1,vp8,vp9,libvpx,libvpx-vp9,mpeg4,mpeg1video,mpeg2video,mjpeg,h263,flv,vc1,wmv1,wmv2,wmv3,"
    "msmpeg4v1,msmpeg4v2,msmpeg4,theora,prores,dvvideo,vvc"
)
CELLS, _LEVELS_OF_A_TENTH = 32, 26
_JPEG_QUALITY = 92
_ALIVE_S = 1.0
_THREADS = 2
_NICENESS = 5
# A damaged frame is passed over; a file in which so many follow each other has no more good ones.
_MAX_DAMAGED = 200
# Headers round; the last frame begins before the end.
_SHARE_OF_PROMISED = 0.95


@dataclass(frozen=True, slots=True)
class Wish:
    """Task of the process.

    every_s, changed_share: of a `FrameChoice`. max_pixels: of a frame; max_s: length of the video that is read;
    max_frames: most frames to send; max_decoded: most frames to decode; memory_bytes: of address space.
    """

    every_s: float
    changed_share: float
    max_pixels: int
    max_s: float
    max_frames: int
    max_decoded: int
    memory_bytes: int


class _EndError(Exception):
    """Reading ends with this outcome."""

    def __init__(self, code: str, **details: Any) -> None:
        super().__init__(code)
        self.outcome = {"code": code, **details}


def container_of(start: bytes) -> str:
    """Return FFmpeg's name of the container by the first bytes of a file; "" for none that is read."""
    if start[4:8] in _ISO_BOXES:
        return "mov"
    if start[:4] == b"RIFF" and start[8:12] == b"AVI ":
        return "avi"
    for sync, length in ((0, _TS_PACKET), (4, _M2TS_PACKET)):
        if len(start) > sync + 2 * length and all(start[sync + n * length] == _TS_SYNC for n in range(3)):
            return "mpegts"
    return next((name for mark, name in _STARTS if start.startswith(mark)), "")


def _refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise OSError("A video may not refer to other files.")


class _Sender:
    """Sends frames, and signs of life between them. last_s: time of the last frame that was decoded."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._sent_at = time.monotonic()
        self.last_s = 0.0

    def send(self, time_s: float, length: int, data: bytes = b"") -> None:
        rest = memoryview(HEADER.pack(time_s, length) + data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self._sent_at = time.monotonic()

    def live(self, time_s: float) -> None:
        self.last_s = time_s
        if time.monotonic() - self._sent_at > _ALIVE_S:
            self.send(time_s, 0)


def _read(wish: Wish, sender: _Sender) -> None:
    """Send the chosen frames. Raises _EndError for what is not read to its end."""
    import av

    av.logging.set_level(None)
    file = os.fdopen(0, "rb")
    start = file.read(4096)
    container = container_of(start)
    if not container:
        raise _EndError("no_video")
    file.seek(0)
    opened: Any
    try:
        options = (
            {"codec_whitelist": _CODECS, "enable_drefs": "0"} if container == "mov" else {"codec_whitelist": _CODECS}
        )
        opened = av.open(file, format=container, options=options, io_open=_refuse)
    except MemoryError:
        raise
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _EndError("damaged", time_s=0.0) from error
    with opened:
        streams = [each for each in opened.streams.video if not _is_cover(each)]
        if not streams:
            raise _EndError("no_video" if opened.streams.audio else "damaged", time_s=0.0)
        stream = streams[0]
        if stream.codec_context is None or stream.codec_context.name not in _CODECS.split(","):
            raise _EndError("codec")
        _check_size(stream.codec_context.width, stream.codec_context.height, wish)
        stream.codec_context.thread_count = _THREADS
        stream.thread_type = "AUTO"
        chosen = 0
        for time_s, frame in _chosen(_timed(_decoded(opened, stream), stream, wish, sender), wish):
            if chosen == wish.max_frames:
                raise _EndError("frames", time_s=time_s)
            sender.send(time_s, *_jpeg(frame, stream, wish))
            chosen += 1
        if not chosen or sender.last_s < _promised_s(opened, stream):
            raise _EndError("damaged", time_s=sender.last_s)


def _promised_s(opened: Any, stream: Any) -> float:
    """Return how many seconds of the video there have to be, by its header; 0 where that does not say."""
    said = 0.0
    if stream.duration and stream.time_base:
        said = float(stream.duration * stream.time_base)
    elif opened.duration and not opened.streams.audio:
        said = opened.duration / 1e6
    return float(said * _SHARE_OF_PROMISED - _ALIVE_S)


def _is_cover(stream: Any) -> bool:
    """Return whether a stream is the cover picture of a piece of music."""
    return "attached_pic" in str(stream.disposition).lower()


def _check_size(width: int, height: int, wish: Wish) -> None:
    if width * height > wish.max_pixels:
        raise _EndError("pixels", width=width, height=height)


def _decoded(opened: Any, stream: Any) -> Iterator[Any]:
    """Yield the frames; damaged ones are passed over."""
    import av

    damaged, last = 0, 0.0
    packets = opened.demux(stream)
    while True:
        try:
            packet = next(packets)
            frames = packet.decode()
        except StopIteration:
            return
        except MemoryError:
            raise
        except (av.FFmpegError, OSError) as error:
            damaged += 1
            if damaged == _MAX_DAMAGED or isinstance(error, av.EOFError):
                raise _EndError("damaged", time_s=last) from error
            continue
        if frames:
            damaged, last = 0, float(frames[-1].time or last)
        yield from frames


def _timed(frames: Iterator[Any], stream: Any, wish: Wish, sender: _Sender) -> Iterator[tuple[float, Any]]:
    """Yield frames with their seconds since the first one; times that a file lacks follow from its rate."""
    rate = float(stream.average_rate or stream.guessed_rate or 0) or 25.0
    began = last = None
    for number, frame in enumerate(frames):
        if number >= wish.max_decoded:
            raise _EndError("duration", time_s=last or 0.0)
        following = 0.0 if last is None else last + 1 / rate
        if frame.time is not None and began is None:
            began = float(frame.time) - following
        now = following if frame.time is None or began is None else float(frame.time) - began
        # Times that go back, or stand still, are wrong.
        last = now = following if last is not None and now <= last else now
        if now > wish.max_s:
            raise _EndError("duration", time_s=now)
        sender.live(now)
        yield now, frame


def _chosen(frames: Iterator[tuple[float, Any]], wish: Wish) -> Iterator[tuple[float, Any]]:
    next_s, taken = 0.0, None
    for time_s, frame in frames:
        _check_size(frame.width, frame.height, wish)
        if wish.every_s:
            # Times are rounded to the container's clock, by less than half a thousandth.
            if time_s + 0.0005 >= next_s:
                next_s = (int((time_s + 0.0005) / wish.every_s) + 1) * wish.every_s
                yield time_s, frame
            continue
        cells = _cells(frame)
        if taken is None or _changed_share(taken, cells) >= wish.changed_share:
            taken = cells
            yield time_s, frame


def _cells(frame: Any) -> Any:
    """Return a frame as 32 x 32 means in grey."""
    from PIL import Image

    plane = frame.reformat(width=CELLS, height=CELLS, format="gray", interpolation="AREA").planes[0]
    return Image.frombytes("L", (CELLS, CELLS), bytes(plane), "raw", "L", plane.line_size)


def _changed_share(one: Any, other: Any) -> float:
    from PIL import ImageChops

    changed = ImageChops.difference(one, other).histogram()[_LEVELS_OF_A_TENTH:]
    return float(sum(changed)) / CELLS**2


def _jpeg(frame: Any, stream: Any, wish: Wish) -> tuple[int, bytes]:
    """Return a frame as a player shows it: in its shape, upright."""
    from PIL import Image

    image = frame.to_image()
    ratio = float(stream.sample_aspect_ratio or 1) or 1.0
    if ratio != 1:
        shown = max(round(image.width * ratio), 1)
        _check_size(shown, image.height, wish)
        image = image.resize((shown, image.height))
    turns = {
        90: Image.Transpose.ROTATE_90,
        180: Image.Transpose.ROTATE_180,
        270: Image.Transpose.ROTATE_270,
    }
    turn = turns.get(round(frame.rotation / 90) * 90 % 360)
    if turn is not None:
        image = image.transpose(turn)
    written = io.BytesIO()
    image.save(written, "JPEG", quality=_JPEG_QUALITY)
    return written.tell(), written.getvalue()


def main() -> None:
    """Read the video of standard input."""
    wish = Wish(**json.loads(sys.argv[1]))
    sender = _Sender(os.dup(1))
    os.dup2(2, 1)
    limit_this_process(memory_bytes=wish.memory_bytes, niceness=_NICENESS)
    try:
        _read(wish, sender)
        outcome: dict[str, Any] = {"code": ""}
    except _EndError as error:
        outcome = error.outcome
    except MemoryError:
        outcome = {"code": "memory"}
    except BrokenPipeError:  # nobody reads any more
        os._exit(0)
    with contextlib.suppress(BrokenPipeError):
        data = json.dumps(outcome).encode()
        sender.send(0.0, END, struct.pack("<I", len(data)) + data)
    # Without the destructors of codecs.
    os._exit(0)


if __name__ == "__main__":
    main()
