"""Fixtures that all tests share: a data folder and a photo store of their own, and one loaded model."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.files.storage import default_storage
from django.utils import translation

from detection.conf import Config, load_config
from detection.models.points import known_point
from detection.predict import service as predict_service
from detection.serving import points
from detection.serving import service as serving
from tests.support import photos
from tests.support.checkpoints import EMBEDDED_PREFIX

pytest_plugins = ["tests.support.strict_skips"]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    tmp_path_factory: pytest.TempPathFactory, django_db_modify_db_settings_parallel_suffix: None
) -> None:
    """SQLite in a file: the recorder's thread has a connection of its own, as it has in production."""
    database = django_settings.DATABASES["default"]
    if "sqlite3" in database["ENGINE"]:
        database.setdefault("TEST", {})["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """The recorder's connection is closed before the test database goes; PostgreSQL would not drop it otherwise."""
    yield
    predict_service.stop()


@pytest.fixture(scope="session")
def session_config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Config]:
    """The default configuration in a folder of the tests, with the model whose every number is known from MXNet, in the
    arithmetic that every CPU has.
    """
    yield load_config(
        {
            "DATA_DIR": str(tmp_path_factory.mktemp("data")),
            "MODEL_PREFIX": str(EMBEDDED_PREFIX),
            "MODEL_PRECISION": "f32",
        }
    )
    predict_service.stop()


@pytest.fixture(autouse=True)
def config(session_config: Config, settings: Any) -> Iterator[Config]:
    """Nothing that a test stores reaches another test, or the checkout. Converted models are kept for all tests."""
    photo_dir = session_config.photo_dir
    settings.DETECTOR = session_config
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "detection.photos.filesystem.PhotoFileStorage", "OPTIONS": {"location": photo_dir}},
    }
    yield session_config
    shutil.rmtree(photo_dir, ignore_errors=True)


@pytest.fixture(autouse=True)
def no_points() -> Iterator[None]:
    """Operating points that a test activated answer in no other one, nor are rows of this number known from there."""
    yield
    points.forget()
    known_point.cache_clear()


@pytest.fixture(autouse=True)
def language() -> Iterator[None]:
    """A request in Russian leaves its thread in Russian until the next request; here that would be the next test."""
    with translation.override(django_settings.LANGUAGE_CODE):
        yield


@pytest.fixture
def model(config: Config) -> None:
    """The embedded model is loaded (the first who asks loads it)."""
    serving.start()


@pytest.fixture
def limits(config: Config, settings: Any) -> Any:
    """Change the configuration for one test: `limits(max_body_bytes=1000)`."""

    def change(**changes: Any) -> Config:
        settings.DETECTOR = replace(config, **changes)
        changed: Config = settings.DETECTOR
        return changed

    return change


@pytest.fixture
def stored_files(config: Config) -> Any:
    """What is in the photo store, as a function: names of all files."""

    def names() -> list[str]:
        root = Path(default_storage.path(""))
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    return names


@pytest.fixture(scope="session")
def chelsea() -> bytes:
    """A JPEG of a cat."""
    return photos.real_photo("chelsea")
