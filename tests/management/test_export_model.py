"""`manage.py export_model`: what Triton and OpenVINO Model Server load, read by their own definitions and runtimes."""

import io
import json
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import onnxruntime as ort
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from detection.conf import BASE_DIR, Config
from detection.inference.engines.openvino_package import ov
from tests.support import photos

# The active version is asked for.
pytestmark = pytest.mark.django_db
NAME = "mobilenet_ssd_voc"
NANODET = BASE_DIR / "models" / "nanodet_plus_m"


def export(folder: Path, server: str, *more: str) -> str:
    said = io.StringIO()
    call_command("export_model", str(folder), "--for", server, *more, stdout=said)
    return said.getvalue()


def triton_config(folder: Path) -> Any:
    return text_format.Parse((folder / "config.pbtxt").read_text(encoding="utf-8"), model_config_pb2.ModelConfig())


def test_triton_gets_a_config_of_its_own_definition_with_dynamic_batching(tmp_path: Path) -> None:
    said = export(tmp_path / "repository", "triton")
    config = triton_config(tmp_path / "repository" / NAME)
    assert (config.name, config.backend, config.max_batch_size) == (NAME, "onnxruntime", 32)
    assert config.HasField("dynamic_batching")
    assert config.dynamic_batching.max_queue_delay_microseconds == 500
    kinds = model_config_pb2.DataType
    assert [(each.name, each.data_type, list(each.dims)) for each in (*config.input, *config.output)] == [
        ("image_rgb", kinds.TYPE_UINT8, [300, 300, 3]),
        ("cls_prob", kinds.TYPE_FP32, [21, 1917]),
        ("loc_pred", kinds.TYPE_FP32, [7668]),
    ]
    assert len(config.parameters["detector_sha256"].string_value) == 64
    assert "--model-repository=/models\n" in said
    assert f"REMOTE_URL='grpc://HOST:8001?model={NAME}'" in said


def test_network_in_the_repository_takes_several_photos(tmp_path: Path) -> None:
    export(tmp_path, "triton")
    session = ort.InferenceSession(tmp_path / NAME / "1" / "model.onnx", providers=["CPUExecutionProvider"])
    batch_rgb = np.stack([np.asarray(photos.noise((300, 300), seed)) for seed in (1, 2, 3)])
    together, _ = session.run(["cls_prob", "loc_pred"], {"image_rgb": batch_rgb})
    alone, _ = session.run(["cls_prob", "loc_pred"], {"image_rgb": batch_rgb[2:]})
    np.testing.assert_allclose(together[2:], alone, rtol=0, atol=1e-5)


def test_fixed_batch_is_told_to_triton_as_a_dimension(tmp_path: Path) -> None:
    said = export(tmp_path, "triton", "--model", str(NANODET))
    config = triton_config(tmp_path / "nanodet_plus_m")
    assert (config.max_batch_size, config.HasField("dynamic_batching")) == (0, False)
    assert list(config.input[0].dims) == [1, 416, 416, 3]
    assert "one photo in a request" in said


def test_int8_model_is_exported_where_it_is_asked_for(tmp_path: Path) -> None:
    export(tmp_path, "triton", "--int8")
    assert (tmp_path / NAME / "1" / "model.onnx").stat().st_size < 12e6


def test_openvino_model_server_gets_a_list_that_grows(tmp_path: Path) -> None:
    said = export(tmp_path, "ovms")
    export(tmp_path, "ovms", "--model", str(NANODET))
    export(tmp_path, "ovms", "--replace")
    listed = json.loads((tmp_path / "config.json").read_bytes())["model_config_list"]
    assert sorted(each["config"]["name"] for each in listed) == [NAME, "nanodet_plus_m"]
    assert {each["config"]["base_path"] for each in listed} == {f"/models/{NAME}", "/models/nanodet_plus_m"}
    assert "--config_path /models/config.json --port 9000" in said
    model = ov.Core().read_model(tmp_path / NAME / "1" / "model.onnx")
    assert model.input("image_rgb").element_type == ov.Type.u8
    assert str(model.input("image_rgb").partial_shape[0]) == "?"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", NAME, "nanodet_plus_m"]


def test_model_that_is_there_is_replaced_only_when_told(tmp_path: Path) -> None:
    export(tmp_path, "triton")
    (tmp_path / NAME / "mine.txt").write_text("kept")
    with pytest.raises(CommandError, match="is there already. Add --replace"):  # noqa: RUF043
        export(tmp_path, "triton")
    assert (tmp_path / NAME / "mine.txt").exists()
    export(tmp_path, "triton", "--replace")
    assert sorted(path.name for path in (tmp_path / NAME).iterdir()) == ["1", "config.pbtxt"]


def test_export_that_fails_leaves_the_old_model_and_no_half_of_a_new_one(tmp_path: Path) -> None:
    export(tmp_path, "triton")
    before = (tmp_path / NAME / "config.pbtxt").read_bytes()
    full = OSError(28, "No space left on device")
    with (
        mock.patch("detection.inference.model_repository.shutil.copyfile", side_effect=full),
        pytest.raises(CommandError, match="cannot be written \\(No space left on device\\)"),
    ):
        export(tmp_path, "triton", "--replace")
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert (tmp_path / NAME / "config.pbtxt").read_bytes() == before


def test_foreign_list_of_models_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(CommandError, match="Move it away"):
        export(tmp_path, "ovms")
    assert (tmp_path / "config.json").read_text() == "[]"
    assert not (tmp_path / NAME).exists()


def test_file_in_the_place_of_the_folder_is_told(tmp_path: Path, config: Config) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="cannot be written"):
        export(tmp_path / "file", "triton")
