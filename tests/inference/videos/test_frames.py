"""Frames of videos: which are taken, their times, how they are turned, and files that cannot be read."""

import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image, ImageDraw

from detection.inference.errors import ImageTooLargeError
from detection.inference.videos import frames as video_frames
from detection.inference.videos.choice import FrameChoice
from detection.inference.videos.frames import Frame, PyAVMissingError, VideoError, VideoLimits, is_video, read_frames
from detection.inference.videos.names import frame_name, time_of
from tests.support.videos import colours, make_video

LIMITS = VideoLimits(max_pixels=1_000_000)
SECOND = FrameChoice(every_s=1)


def read(data: bytes, choice: FrameChoice = SECOND, limits: VideoLimits = LIMITS) -> Iterator[Frame]:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        yield from read_frames(file, choice, limits)


def pixels(frame: Frame) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(frame.jpeg)))


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mp4", "mpeg4"), ("mov", "mpeg4"), ("matroska", "mpeg4"), ("avi", "mpeg4"), ("mpegts", "mpeg2video")],
)
def test_frame_of_each_interval_has_its_time(container: str, codec: str) -> None:
    made = make_video(colours("red", "lime", "blue"), container=container, codec=codec, rate=25)
    found = list(read(made, FrameChoice(every_s=0.4)))
    assert [each.time_s for each in found] == pytest.approx([0, 0.4, 0.8], abs=0.041)
    for frame, colour in zip(found, ((255, 0, 0), (0, 255, 0), (0, 0, 255)), strict=True):
        assert np.abs(pixels(frame).mean((0, 1)) - colour).max() < 12


def test_frame_is_taken_when_enough_has_changed() -> None:
    def with_square(edge: int) -> list[Image.Image]:
        picture = Image.new("RGB", (160, 96), "grey")
        ImageDraw.Draw(picture).rectangle((0, 0, edge, edge), fill="white")
        return [picture] * 5

    made = make_video([*with_square(0), *with_square(8), *with_square(60)])
    assert [each.time_s for each in read(made, FrameChoice.parse("change"))] == [0, 1.0]
    assert [each.time_s for each in read(made, FrameChoice.parse("change:0.2%"))] == [0, 0.5, 1.0]


@pytest.mark.parametrize(("turned", "corner"), [(0, (0, 0)), (90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))])
def test_frame_is_upright(turned: int, corner: tuple[int, int]) -> None:
    picture = Image.new("RGB", (160, 96), "black")
    ImageDraw.Draw(picture).rectangle((0, 0, 40, 40), fill="white")
    (found,) = read(make_video([picture], turned=turned))
    seen = pixels(found)
    assert seen.shape[:2] == ((160, 96) if turned in {90, 270} else (96, 160))
    assert seen[corner].min() > 200
    assert seen[-1 - corner[0], -1 - corner[1]].max() < 60


def test_frame_has_the_shape_that_players_show() -> None:
    (found,) = read(make_video(colours("red", frames_each=1), aspect=Fraction(2, 1)))
    assert pixels(found).shape[:2] == (96, 320)


def test_frames_are_read_as_they_are_taken_and_reading_can_be_left() -> None:
    taken = read(make_video(colours("red", frames_each=100)), FrameChoice(every_s=0.1))
    assert next(taken).time_s == 0
    taken.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("limits", "times", "sentence"),
    [
        (replace(LIMITS, max_frames=2), [0, 1], "More than 2 frames would be taken: the rest behind 2.0 s"),
        (replace(LIMITS, max_s=1.5), [0, 1], "The video is too long: its first 1.6 s"),
        (replace(LIMITS, max_decoded=5), [0], "The video is too long"),
        (replace(LIMITS, max_pixels=15_359), [], "The photo has 160 x 96 pixels"),
        (replace(LIMITS, memory_bytes=30 << 20), [], "The video"),
    ],
    ids=["frames", "duration", "decoded", "pixels", "memory"],
)
def test_limit_ends_reading(limits: VideoLimits, times: list[float], sentence: str) -> None:
    found: list[Frame] = []
    with pytest.raises((VideoError, ImageTooLargeError), match=sentence):
        read_into(found, make_video(colours("red", frames_each=40)), limits)
    assert [each.time_s for each in found] == times


def read_into(found: list[Frame], data: bytes, limits: VideoLimits) -> None:
    found.extend(read(data, SECOND, limits))


def test_cut_off_video_gives_what_it_has() -> None:
    made = make_video(colours("red", "blue", frames_each=50), container="matroska")
    found: list[Frame] = []
    with pytest.raises(VideoError, match="damaged, or cut off: nothing behind"):
        read_into(found, made[: len(made) // 2], LIMITS)
    assert 0 < len(found) < 10
    with pytest.raises(VideoError, match="damaged, or cut off"):
        list(read(make_video(colours("red"))[:600]))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"\xff\xd8\xff\xe0 no video",
    ],
    ids=["empty", "playlist", "list of files", "photo"],
)
def test_other_file_is_no_video(data: bytes) -> None:
    assert not is_video(io.BytesIO(data))
    with pytest.raises(VideoError, match="no video in it"):
        list(read(data))


def test_video_of_a_rare_codec_is_refused() -> None:
    with pytest.raises(VideoError, match="codec is not read"):
        list(read(make_video(colours("red"), container="matroska", codec="ffv1")))


def test_sound_alone_has_no_video() -> None:
    av = pytest.importorskip("av", reason="needs PyAV (requirements-video.txt)")
    written = io.BytesIO()
    with av.open(written, "w", format="matroska") as output:
        stream = output.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        sound.sample_rate = 8000
        output.mux(stream.encode(sound))
    with pytest.raises(VideoError, match="no video in it"):
        list(read(written.getvalue()))


def test_mutated_video_ends_with_an_error_of_ours_or_frames() -> None:
    made, random = make_video(colours("red", "blue")), np.random.default_rng(5)
    for _ in range(12):
        data = bytearray(made)
        for at in random.integers(32, len(data), 20):
            data[at] = random.integers(256)
        found: list[Frame] = []
        with suppress(VideoError, ImageTooLargeError):
            read_into(found, bytes(data), LIMITS)
        assert all(each.jpeg.startswith(b"\xff\xd8") for each in found)


def test_silent_decoder_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    program = tmp_path_factory.mktemp("program") / "hangs"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(video_frames, "is_installed", lambda: True)
    with pytest.raises(VideoError, match=r"brought nothing for 0.2 seconds"):
        list(read(b"any", SECOND, replace(LIMITS, patience_s=0.2)))


def test_video_is_refused_with_the_command_without_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_frames, "is_installed", lambda: False)
    with pytest.raises(PyAVMissingError, match=r"pip install -r requirements-video.txt"):
        list(read(b"any"))


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("1s", FrameChoice(every_s=1)),
        ("0.5", FrameChoice(every_s=0.5)),
        ("500ms", FrameChoice(every_s=0.5)),
        ("2m", FrameChoice(every_s=120)),
        ("change", FrameChoice(changed_share=0.05)),
        ("change:2%", FrameChoice(changed_share=0.02)),
    ],
)
def test_choice_is_parsed(text: str, choice: FrameChoice) -> None:
    assert FrameChoice.parse(text) == choice
    assert FrameChoice.parse(str(choice)) == choice


@pytest.mark.parametrize(
    "text", ["", "0", "0s", "-1s", "nan", "1e9s", "change:", "change:0%", "change:100%", "x", "1 s"]
)
def test_other_choice_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no choice of frames"):
        FrameChoice.parse(text)


@pytest.mark.parametrize(
    ("time_s", "name"),
    [(1.5, "a/clip.mp4 @ 00:01.500"), (3723.0405, "a/clip.mp4 @ 1:02:03.040"), (59.9996, "a/clip.mp4 @ 01:00.000")],
)
def test_time_is_read_back_from_the_name(time_s: float, name: str) -> None:
    assert frame_name("a/clip.mp4", time_s) == name
    assert time_of(name) == pytest.approx(time_s, abs=0.001)


@pytest.mark.parametrize("name", ["a.jpg", "a @ 00:01.500", "clip.mp4", "clip.mp4 @ 1", "a.jpg @ 00:01.500"])
def test_other_name_has_no_time(name: str) -> None:
    assert time_of(name) is None
