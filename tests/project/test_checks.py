"""System checks, each by its id."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core import checks

from detection.conf import BASE_DIR, load_config
from tests.inference.model_folders import write_model
from tests.support.serving import server_environment


def found(check_id: str) -> list[checks.CheckMessage]:
    return [message for message in checks.run_checks() if message.id == check_id]


def test_default_configuration_has_no_complaint() -> None:
    assert [message for message in checks.run_checks() if str(message.id).startswith("detection.")] == []


def test_e005_names_each_former_setting_and_what_takes_its_place(settings: Any) -> None:
    settings.DETECTOR = load_config({"REMOTE_TIMEOUT": "2.5", "REMOTE_BATCH": ""})
    assert found("detection.E005") == [
        checks.Error(
            "REMOTE_TIMEOUT is set, but is no setting any more.",
            hint="Add timeout=2.5 to the query of REMOTE_URL: http://HOST:PORT?timeout=2.5. Then unset REMOTE_TIMEOUT.",
            id="detection.E005",
        )
    ]


def test_e001_names_each_variable_that_does_not_parse(settings: Any, tmp_path: Path) -> None:
    settings.DETECTOR = load_config({"DATA_DIR": str(tmp_path), "REST_PORT": "http", "MODEL_ENGINE": "caffe"})
    assert found("detection.E001") == [
        checks.Error(
            "REST_PORT is 'http', which cannot be used.",
            hint="Set REST_PORT to a whole number from 0 to 65535, or unset it.",
            id="detection.E001",
        ),
        checks.Error(
            "MODEL_ENGINE is 'caffe', which cannot be used.",
            hint="Set MODEL_ENGINE to one of auto, openvino, onnxruntime, mxnet, remote, or unset it.",
            id="detection.E001",
        ),
    ]


def test_e002_names_the_files_that_the_checkpoint_lacks(limits: Any, tmp_path: Path) -> None:
    (tmp_path / "ssd-symbol.json").touch()
    limits(model_prefix=tmp_path / "ssd", model_epoch=3)
    (error,) = found("detection.E002")
    assert isinstance(error, checks.Error)
    assert error.msg == f"The checkpoint has no ssd-0003.params, synset.txt in {tmp_path}."
    assert "MODEL_PREFIX" in str(error.hint)
    assert "MODEL_EPOCH" in str(error.hint)


def test_e002_is_content_with_a_complete_checkpoint(limits: Any, tmp_path: Path) -> None:
    for name in ("ssd-symbol.json", "ssd-0000.params", "synset.txt"):
        (tmp_path / name).touch()
    limits(model_prefix=tmp_path / "ssd")
    assert found("detection.E002") == []


@pytest.mark.parametrize(
    "below",
    [
        pytest.param(Path("file"), id="a file"),
        pytest.param(Path("file") / "data", id="below a file"),
    ],
)
def test_w001_warns_of_a_data_folder_that_cannot_be_written(
    below: Path, config: Any, settings: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    settings.DETECTOR = replace(config, data_dir=tmp_path / below)
    (warning,) = found("detection.W001")
    assert isinstance(warning, checks.Warning)
    assert warning.msg.startswith(
        f"DATA_DIR {tmp_path / below} cannot be written: `manage.py serve` stops at the start"
    )
    assert "Set DATA_DIR" in str(warning.hint)


@pytest.mark.parametrize("below", [Path("new"), Path("new") / "data"], ids=["new", "new below new"])
def test_w001_is_content_with_a_folder_that_can_be_made(
    below: Path, config: Any, settings: Any, tmp_path: Path
) -> None:
    settings.DETECTOR = replace(config, data_dir=tmp_path / below)
    assert found("detection.W001") == []


def test_w001_survives_a_name_that_the_file_system_refuses(config: Any, settings: Any, tmp_path: Path) -> None:
    settings.DETECTOR = replace(config, data_dir=tmp_path / ("x" * 300))
    assert [message.id for message in checks.run_checks()] == ["detection.W001"]


@pytest.mark.parametrize(("mode", "ids"), [(0o755, ["detection.W004"]), (0o711, ["detection.W004"]), (0o750, [])])
def test_w004_warns_of_a_data_folder_that_is_open_to_all(
    mode: int, ids: list[str], limits: Any, tmp_path: Path
) -> None:
    tmp_path.chmod(mode)
    limits(data_dir=tmp_path)
    assert [message.id for message in found("detection.W004")] == ids


@pytest.mark.parametrize(
    ("host", "access", "ids"),
    [
        pytest.param("0.0.0.0", "open", ["detection.W002"], id="open to all"),  # noqa: S104 a value to judge
        pytest.param("0.0.0.0", "login", [], id="login"),  # noqa: S104 a value to judge
        pytest.param("127.0.0.1", "open", [], id="loopback"),
        pytest.param("::1", "open", [], id="loopback, version 6"),
        pytest.param("localhost", "open", [], id="loopback by name"),
    ],
)
def test_w002_warns_of_a_server_that_is_open_to_others(host: str, access: str, ids: list[str], limits: Any) -> None:
    limits(rest_host=host, access=access)
    assert [message.id for message in found("detection.W002")] == ids


def test_w003_names_the_folders_that_were_looked_in(limits: Any, tmp_path: Path) -> None:
    limits(models=("nosuch", "nanodet_plus_m"), data_dir=tmp_path)
    (tmp_path / "models" / "nosuch").mkdir(parents=True)
    assert found("detection.W003") == [
        checks.Warning(
            f"MODELS offers nosuch, and neither {tmp_path / 'models'} nor {BASE_DIR / 'models'} has a folder nosuch "
            "with a model card.",
            hint="Put it there, or take nosuch out of MODELS.",
            id="detection.W003",
        )
    ]


def test_w003_names_the_versions_that_are_there(limits: Any, tmp_path: Path) -> None:
    limits(models=("net",), data_dir=tmp_path)
    for version in ("2", "1"):
        write_model(tmp_path / "models" / f"net@{version}", b"", {"name": "net", "version": version})
    (warning,) = found("detection.W003")
    assert warning.hint == (
        "Put it there, or take net out of MODELS. "
        "Versions go by their folders: net@1, net@2; the active one needs no name."
    )


def test_w003_tells_what_is_wrong_with_a_card(limits: Any, tmp_path: Path) -> None:
    limits(models=("net",), data_dir=tmp_path)
    write_model(tmp_path / "models" / "net", b"", {"family": "caffe"})
    (warning,) = found("detection.W003")
    assert "family" in warning.msg
    assert warning.hint == "Fix the folder, or take net out of MODELS."


@pytest.mark.parametrize(
    "models",
    [
        pytest.param((), id="none"),
        pytest.param(("mobilenet_ssd_voc", "nanodet_plus_m"), id="embedded"),
        pytest.param(("net@1",), id="a version"),
        pytest.param(("mine",), id="the name of MODEL_PREFIX's model"),
    ],
)
def test_w003_is_content_with_models_that_are_there(models: tuple[str, ...], limits: Any, tmp_path: Path) -> None:
    write_model(tmp_path / "models" / "net@1", b"", {"name": "net", "version": "1"})
    prefix = write_model(tmp_path / "elsewhere", b"", {"name": "mine"})
    limits(models=models, data_dir=tmp_path, model_prefix=prefix)
    assert found("detection.W003") == []


def test_a_model_that_is_not_there_yet_stops_nothing(tmp_path: Path) -> None:
    checked = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=BASE_DIR,
        env=server_environment({"DATA_DIR": str(tmp_path), "MODELS": "nosuch"}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, "detection.W003" in checked.stderr) == (0, True), checked.stderr


def test_deployment_checks_are_content_with_the_documented_settings(tmp_path: Path) -> None:
    """The set of variables that docs/operations.md names for production."""
    given = {
        "DATA_DIR": str(tmp_path),
        "ACCESS": "login",
        "HTTPS": "hsts:31536000",
        "ALLOWED_HOSTS": "https://detector.example.org",
        "REST_HOST": "0.0.0.0",  # noqa: S104 behind the proxy of the same network
    }
    checked = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=BASE_DIR,
        env=server_environment(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout) == (0, "System check identified no issues (0 silenced).\n"), (
        checked.stderr
    )
