"""Files of photos: one per content, whole or not there, gone with their last row."""

import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from detection.inference.photos.decode import decode_photo, read_info
from detection.models import Photo
from detection.photos import store as photo_store
from detection.photos.display import bounded_jpeg
from detection.photos.store import StoredPhoto
from tests.support import photo_files, photos

JPEG = photos.encode(photos.two_colours())
OTHERS = {
    suffix: made
    for suffix, made in photo_files.of_each_kind(photos.two_colours()).items()
    if suffix not in {"jpg", "png", "webp"}
}


def save(data: bytes) -> StoredPhoto:
    return photo_store.save(data, read_info(data, max_pixels=10**9))


def row_of(stored: StoredPhoto) -> Photo:
    return Photo.objects.create(
        sha256=stored.sha256,
        format=stored.format,
        width=64,
        height=32,
        size_bytes=1,
        file=stored.file,
        stored_bytes=stored.content_bytes,
        stored_sha256=stored.content_sha256,
    )


def row_in_hand(stored: StoredPhoto) -> Photo:
    return Photo(file=stored.file, format=stored.format)


def opened(stored: StoredPhoto) -> Image.Image:
    return Image.open(io.BytesIO(Path(default_storage.path(stored.file)).read_bytes()))


def test_file_is_named_after_the_content_of_the_upload(stored_files: Any) -> None:
    sha256 = hashlib.sha256(JPEG).hexdigest()
    stored = save(JPEG)
    assert (stored.sha256, stored.file, stored.format) == (sha256, f"{sha256[:2]}/{sha256}.jpg", "JPEG")
    assert (stored.is_new, stored.is_repaired) == (True, False)
    content = Path(default_storage.path(stored.file)).read_bytes()
    assert (stored.content_bytes, stored.content_sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert stored_files() == [f"{sha256[:2]}/{sha256}.jpg"]


def test_same_content_is_stored_once(stored_files: Any) -> None:
    save(JPEG)
    assert save(JPEG).is_new is False
    assert len(stored_files()) == 1


TURNED = {
    "PNG": photos.with_orientation(photos.two_colours(), 6, "PNG"),
    "WebP": photos.with_orientation(photos.two_colours(), 6, "WEBP", lossless=True),
}
ANIMATED = photos.animated_webp(photos.two_colours(), photos.noise((64, 32)))


@pytest.mark.parametrize(
    ("data", "stored_format"),
    [
        pytest.param(photos.encode(photos.two_colours(), "PNG"), "PNG", id="PNG"),
        pytest.param(photos.encode(photos.two_colours(), "WEBP", lossless=True), "WEBP", id="WebP"),
        pytest.param(TURNED["PNG"], "PNG", id="turned PNG"),
        pytest.param(TURNED["WebP"], "WEBP", id="turned WebP"),
        pytest.param(ANIMATED, "JPEG", id="animated WebP"),
        *(pytest.param(data, "JPEG", id=suffix) for suffix, (data, _) in OTHERS.items()),
    ],
)
def test_what_is_stored_shows_the_upright_first_frame_in_no_more_bytes(data: bytes, stored_format: str) -> None:
    stored = save(data)
    assert (stored.format, opened(stored).format) == (stored_format, stored_format)
    if stored_format == "JPEG":
        assert stored.content_bytes < 20_000
    else:
        assert stored.content_bytes <= len(data)
    shown = photo_store.decode(row_in_hand(stored)).image_rgb
    assert np.abs(np.asarray(shown, dtype=int) - np.asarray(photos.two_colours(), dtype=int)).mean() < 3


@pytest.mark.parametrize("kind", TURNED)
def test_sideways_photo_is_turned_for_display_and_for_training_and_kept_as_it_came(kind: str) -> None:
    """Browsers turn PNGs and no WebPs (`tests/browser/test_photo_formats.py`)."""
    photo = row_in_hand(save(TURNED[kind]))
    data = photo_store.read(photo)
    assert photo_store.is_shown_as_is(photo, data) is (kind == "PNG")
    for copy in (photo_store.copy_for_display(photo, data), photo_store.read_upright(photo)):
        with Image.open(io.BytesIO(copy)) as image:
            assert image.size == (64, 32)
            assert np.abs(np.asarray(image, dtype=int) - np.asarray(photos.two_colours(), dtype=int)).mean() < 3


def test_photo_of_other_colours_is_in_srgb_for_training() -> None:
    data = photo_files.with_profile(photos.two_colours(), "PNG", photo_files.swapped_profile())
    photo = row_in_hand(save(data))
    assert photo_store.is_shown_as_is(photo, photo_store.read(photo))
    with Image.open(io.BytesIO(photo_store.read_upright(photo))) as image:
        assert np.abs(np.asarray(image, dtype=int) - np.asarray(photos.two_colours(), dtype=int)[..., ::-1]).mean() < 3


def test_picture_that_other_formats_pack_far_better_is_stored_coarsely() -> None:
    """20 megapixels of one noisy tile again and again: a PNG of it has 29 MB, a lossless JPEG would have more."""
    tile = np.asarray(photos.noise((256, 256)))
    image = Image.fromarray(np.tile(tile, (16, 20, 1)))
    upload_bytes = 100_000
    jpeg = bounded_jpeg(image, upload_bytes)
    with Image.open(io.BytesIO(jpeg)) as shown:
        assert shown.size == image.size
    assert len(jpeg) <= 2_000_000


def test_animation_of_many_pixels_and_few_bytes_stays_small_and_quick() -> None:
    large = Image.new("RGB", (6000, 4000), (10, 20, 30))
    data = photos.animated_webp(large, Image.new("RGB", (6000, 4000), (30, 20, 10)))
    assert len(data) < 100_000
    assert save(data).content_bytes < 2_000_000


def test_cut_off_photo_is_stored_as_far_as_it_goes() -> None:
    data = photos.encode(photos.noise((160, 120)), quality=95)
    cut = data[: len(data) * 9 // 10]
    info = decode_photo(cut, max_pixels=10**6).info
    stored = photo_store.save(cut, info)
    assert (stored.format, photo_store.decode(row_in_hand(stored)).image_rgb.size) == ("JPEG", (160, 120))


def test_photo_that_cannot_be_stripped_is_encoded_anew() -> None:
    without_end = photos.encode(photos.noise((64, 64)))[:-2] + bytes(2000)
    with opened(save(without_end)) as image:
        assert (image.format, image.size) == ("JPEG", (64, 64))


def test_stored_photo_is_read_back_without_metadata() -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    data = photos.encode(photos.two_colours(), exif=exif)
    photo = Photo(file=save(data).file)
    assert b"secret place" in data
    assert b"secret place" not in photo_store.read(photo)
    assert photo_store.decode(photo).image_rgb.size == (64, 32)


def test_large_photo_of_the_past_is_shown_under_a_lower_limit_of_today(limits: Any) -> None:
    photo = Photo(file=save(photos.encode(photos.noise((200, 100)))).file)
    limits(max_pixels=10_000)
    assert photo_store.decode(photo).image_rgb.size == (200, 100)


def test_damaged_file_counts_as_gone() -> None:
    stored = save(JPEG)
    Path(default_storage.path(stored.file)).write_bytes(JPEG[:100])
    with pytest.raises(FileNotFoundError, match=r"\.jpg"):
        photo_store.decode(Photo(file=stored.file))


def test_failed_write_leaves_no_part_of_a_file(stored_files: Any) -> None:
    failing = mock.patch.object(Path, "replace", side_effect=OSError("disk full"))
    with failing, pytest.raises(OSError, match="disk full"):
        default_storage.save("ab/photo.jpg", ContentFile(JPEG))
    assert stored_files() == []


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_file_has_the_configured_mode(umask: int, config: Any, settings: Any) -> None:
    options = {"location": config.photo_dir, "file_permissions_mode": 0o640}
    settings.STORAGES = {**settings.STORAGES, "default": {**settings.STORAGES["default"], "OPTIONS": options}}
    before = os.umask(umask)
    try:
        path = Path(default_storage.path(save(JPEG).file))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_saving_a_name_again_replaces_the_file_under_that_name(stored_files: Any) -> None:
    assert [default_storage.save("a.jpg", ContentFile(text)) for text in (b"one", b"two")] == ["a.jpg", "a.jpg"]
    assert stored_files() == ["a.jpg"]
    assert Path(default_storage.path("a.jpg")).read_bytes() == b"two"


@pytest.mark.django_db
def test_file_without_a_row_is_discarded(stored_files: Any) -> None:
    photo_store.discard_unused(save(JPEG).file)
    assert stored_files() == []


@pytest.mark.django_db
def test_file_with_a_row_stays(stored_files: Any) -> None:
    stored = save(JPEG)
    row_of(stored)
    photo_store.discard_unused(stored.file)
    assert stored_files() == [stored.file]


@pytest.mark.django_db
def test_discarding_a_file_that_is_gone_is_no_error(stored_files: Any) -> None:
    photo_store.discard_unused("ab/gone.jpg")
    photo_store.discard("ab/gone.jpg")
    assert stored_files() == []


@pytest.mark.django_db
@pytest.mark.parametrize("discard", [photo_store.discard_unused, photo_store.discard], ids=["unused", "any"])
def test_file_that_cannot_be_removed_is_told_to_the_log(discard: Any, caplog: pytest.LogCaptureFixture) -> None:
    stored = save(JPEG)
    with mock.patch.object(Path, "unlink", side_effect=OSError), mock.patch("os.remove", side_effect=OSError("busy")):
        discard(stored.file)
    assert stored.file in caplog.text
    assert "could not be removed" in caplog.text


@pytest.mark.django_db
def test_upload_whose_row_appears_while_its_file_goes_gets_the_file_back(stored_files: Any) -> None:
    """The deletion is last: it has looked for rows, and removes the file after an upload has committed one."""
    stored = save(JPEG)
    delete = default_storage.delete

    def delete_after_commit(name: str) -> None:
        row_of(stored)
        delete(name)

    with mock.patch.object(default_storage._wrapped, "delete", delete_after_commit):  # type: ignore[attr-defined]
        photo_store.discard_unused(stored.file)
    assert stored_files() == [stored.file]
    assert photo_store.decode(Photo.objects.get()).image_rgb.size == (64, 32)


@pytest.mark.django_db
def test_upload_whose_file_went_before_its_commit_writes_it_again(stored_files: Any) -> None:
    """The upload is last: its file was there when it looked, and gone when its row was committed."""
    save(JPEG)
    stored = save(JPEG)
    photo_store.discard_unused(stored.file)
    row_of(stored)
    photo_store.ensure(stored, JPEG, read_info(JPEG, max_pixels=10**9))
    assert stored_files() == [stored.file]


DAMAGES = [
    pytest.param(lambda content: b"", id="emptied"),
    pytest.param(lambda content: content[: len(content) // 2], id="cut off"),
    pytest.param(lambda content: bytes(len(content)), id="zeros"),
    pytest.param(lambda content: content[: len(content) // 2].ljust(len(content), b"\0"), id="zeros from a block on"),
]


@pytest.mark.parametrize("harm", DAMAGES)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(JPEG, id="JPEG"),
        pytest.param(photos.encode(photos.two_colours(), "PNG"), id="PNG"),
        pytest.param(photos.encode(photos.two_colours(), "WEBP"), id="WebP"),
    ],
)
def test_damaged_file_is_written_again_when_its_photo_comes_again(data: bytes, harm: Callable[[bytes], bytes]) -> None:
    file = Path(default_storage.path(save(data).file))
    whole = file.read_bytes()
    file.write_bytes(harm(whole))
    stored = save(data)
    assert (stored.is_new, stored.is_repaired) == (False, True)
    assert file.read_bytes() == whole
    assert save(data).is_repaired is False


@pytest.mark.django_db
@pytest.mark.parametrize("harm", DAMAGES[:2])
def test_damaged_file_is_not_served_as_a_photo(harm: Callable[[bytes], bytes]) -> None:
    photo = row_of(save(JPEG))
    file = Path(default_storage.path(photo.file))
    file.write_bytes(harm(file.read_bytes()))
    with pytest.raises(FileNotFoundError):
        photo_store.read(photo)


@pytest.mark.django_db
@pytest.mark.parametrize("harm", DAMAGES)
def test_damage_is_told_from_the_hash_of_the_row(harm: Callable[[bytes], bytes]) -> None:
    photo = row_of(save(JPEG))
    file = Path(default_storage.path(photo.file))
    assert photo_store.damage(photo) == ""
    file.write_bytes(harm(file.read_bytes()))
    assert photo_store.damage(photo) == "damaged"
    file.unlink()
    assert photo_store.damage(photo) == "missing"


def test_files_and_their_folders_are_flushed_before_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        flushed.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    stored = save(JPEG)
    photo_store.flush([stored, save(JPEG)])
    file = Path(default_storage.path(stored.file))
    assert sorted(flushed) == sorted(str(path.resolve()) for path in (file, file.parent, file.parent.parent))
