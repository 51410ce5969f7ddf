"""The reader of inference requests: what it understands, what it refuses with a sentence, and nothing else."""

import base64
import contextlib
import io
import json
import random
import struct
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from hypothesis import given, settings
from hypothesis import strategies as st

from detection.inference.errors import OverloadedError
from detection.oip import answers
from detection.oip.answers import MOST_JSON_NUMBERS, write_answer
from detection.oip.messages import InferenceRequest, MessageError, read_request

PIXELS = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)


def asked(*inputs: triton.InferInput, **more: Any) -> InferenceRequest:
    """What we read of a request that tritonclient wrote."""
    body, length = triton.InferenceServerClient.generate_request_body(list(inputs), **more)
    return read_request(body, None if length is None else str(length))


def pixels_input(*, binary: bool) -> triton.InferInput:
    found = triton.InferInput("image_rgb", [2, 2, 3], "UINT8")
    found.set_data_from_numpy(PIXELS, binary_data=binary)
    return found


def files_input(*files: bytes) -> triton.InferInput:
    found = triton.InferInput("image", [len(files)], "BYTES")
    found.set_data_from_numpy(np.array(files, dtype=np.object_), binary_data=True)
    return found


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
def test_pixels_of_tritonclient_are_read(binary: bool) -> None:
    (tensor,) = asked(pixels_input(binary=binary)).inputs
    assert (tensor.name, tensor.shape, tensor.photos) == ("image_rgb", (2, 2, 3), None)
    assert tensor.pixels is not None
    assert np.array_equal(tensor.pixels, PIXELS)


def test_files_of_tritonclient_are_read() -> None:
    (tensor,) = asked(files_input(b"\xff\xd8", b"", b"abc")).inputs
    assert tensor.photos == (b"\xff\xd8", b"", b"abc")


def test_wanted_outputs_and_id_are_read() -> None:
    outputs = [triton.InferRequestedOutput("boxes", binary_data=False), triton.InferRequestedOutput("scores")]
    request = asked(pixels_input(binary=True), outputs=outputs, request_id="7", parameters={"threshold": 0.3})
    assert (request.outputs, request.request_id) == ({"boxes": False, "scores": True}, "7")
    assert request.parameters["threshold"] == 0.3


def test_files_in_json_are_base64_in_lists_of_any_depth() -> None:
    data = [[base64.b64encode(b"one").decode()], [base64.b64encode(b"two").decode()]]
    (tensor,) = read(inputs=[{"name": "image", "datatype": "BYTES", "shape": [2, 1], "data": data}]).inputs
    assert tensor.photos == (b"one", b"two")


def read(rest: bytes = b"", length: str | None = None, **document: Any) -> InferenceRequest:
    header = json.dumps(document).encode()
    return read_request(header + rest, length or (str(len(header)) if rest else None))


def one(**changes: Any) -> dict[str, Any]:
    row = {"name": "image_rgb", "datatype": "UINT8", "shape": [2], "data": [1, 2], **changes}
    return {"inputs": [{name: value for name, value in row.items() if value is not None}]}


def binary(size: Any, **changes: Any) -> dict[str, Any]:
    return one(data=None, parameters={"binary_data_size": size}, **changes)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "inputs that are no list": ({"inputs": {}}, "`inputs` has to be a list"),
    "inputs that are numbers": ({"inputs": [1]}, "`inputs` has to be a list of objects"),
    "no name": (one(name=""), "needs a name"),
    "name that is a number": (one(name=5), "needs a name"),
    "same name twice": ({"inputs": one()["inputs"] * 2}, "same name"),
    "shape that is none": (one(shape="2"), "list of 1 to 8 sizes"),
    "negative shape": (one(shape=[-1]), "list of 1 to 8 sizes"),
    "shape of booleans": (one(shape=[True, 2]), "list of 1 to 8 sizes"),
    "too many axes": (one(shape=[1] * 9), "list of 1 to 8 sizes"),
    "huge shape": (one(shape=[2**31]), "list of 1 to 8 sizes"),
    "other shape": (one(shape=[3]), "has 2 values, and its shape is for 3"),
    "another type": (one(datatype="FP32"), "BYTES \\(files\\) or UINT8"),
    "type that is a list": (one(datatype=[]), "BYTES \\(files\\) or UINT8"),
    "data that is a number": (one(data=5), "has no `data`"),
    "ragged": (one(data=[[1], [1, 2]]), "not of one length"),
    "texts for pixels": (one(data=["1", "2"]), "whole numbers from 0 to 255"),
    "fractions": (one(data=[0.5, 2]), "whole numbers from 0 to 255"),
    "too large": (one(data=[1, 256]), "whole numbers from 0 to 255"),
    "far too large": (one(data=[1, 10**30]), "whole numbers from 0 to 255"),
    "negative": (one(data=[1, -1]), "whole numbers from 0 to 255"),
    "no base64": (one(datatype="BYTES", data=["a", "!"]), "no base64"),
    "not ASCII": (one(datatype="BYTES", data=["ü", "a"]), "no base64"),
    "numbers for files": (one(datatype="BYTES"), "texts: files in base64"),
    "parameters that are no object": (one(parameters=[]), "`parameters` has to be an object"),
    "size that is a text": (binary("2"), "number of bytes"),
    "negative size": (binary(-2), "number of bytes"),
    "size beyond the body": (binary(20), "the body ends before"),
    "size of less": (binary(1, shape=[1]), "1 bytes behind the JSON belong to no input"),
    "size of another shape": (binary(2, shape=[3]), "has 2 bytes, and its shape is for 3"),
    "both kinds": (one(parameters={"binary_data_size": 2}), "send one of the two"),
    "half a length": (binary(2, datatype="BYTES"), "ends within a value"),
    "outputs that are no list": ({**one(), "outputs": 1}, "`outputs` has to be a list"),
    "id that is a number": ({**one(), "id": 1}, "`id` has to be a text"),
    "id of half a pair": ({**one(), "id": "\ud800"}, "a character that cannot be stored"),
    "flag that is none": ({**one(), "parameters": {"binary_data_output": 1}}, "true or false"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_told(case: str) -> None:
    document, sentence = REFUSED[case]
    rest = b"\1\2" if "binary_data_size" in json.dumps(document) else b""
    with pytest.raises(MessageError, match=sentence):
        read(rest, **document)


@pytest.mark.parametrize("length", ["-1", "9999", "1e1", "", "\u0663", "9" * 5000], ids=range(6))
def test_header_length_that_is_none_is_told(length: str) -> None:
    with pytest.raises(MessageError, match="Inference-Header-Content-Length"):
        read_request(b"{}", length)


@pytest.mark.parametrize("rest", [b"\xff\xd8\xff", b"\0\1", b"{}\xff"], ids=["photo", "numbers", "JSON before it"])
def test_a_binary_body_without_its_header_is_told_which_one(rest: bytes) -> None:
    with pytest.raises(
        MessageError, match=r"without the header Inference-Header-Content-Length\. Set it to the length"
    ):
        read_request(b'{"inputs": []}' + rest, None)


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"{", b'{"inputs": NaN}', b"[" * 100_000, b"null"], ids=range(7))
def test_body_that_is_no_object_is_told(body: bytes) -> None:
    with pytest.raises(MessageError, match="no JSON"):
        read_request(body, None)


def test_value_that_promises_more_than_there_is_is_told() -> None:
    with pytest.raises(MessageError, match="ends within a value"):
        read(struct.pack("<I", 2**32 - 1) + b"abc", **binary(7, datatype="BYTES", shape=[1]))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "datatype", "shape", "data", "parameters", "binary_data_size", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(
    document=st.dictionaries(st.sampled_from(["inputs", "outputs", "parameters", "id"]), json_values), rest=st.binary()
)
def test_any_json_is_read_or_refused_with_a_sentence(document: dict[str, Any], rest: bytes) -> None:
    with contextlib.suppress(MessageError):
        assert isinstance(read(rest, **document), InferenceRequest)


def test_damaged_requests_are_read_or_refused_with_a_sentence() -> None:
    generator = random.Random(7)
    body, length = triton.InferenceServerClient.generate_request_body(
        [files_input(b"abc", b"defg"), pixels_input(binary=True)]
    )
    refused = 0
    for _ in range(2000):
        damaged = bytearray(body)
        for _ in range(generator.randint(1, 4)):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        try:
            read_request(bytes(damaged[: generator.randint(0, len(damaged))]), str(length))
        except MessageError:
            refused += 1
    assert refused > 1000


def test_answer_is_read_by_tritonclient() -> None:
    tensors = {
        "boxes": np.arange(8, dtype=np.int32).reshape(1, 2, 4),
        "class_names": np.array([["cat", "Wölfe"]], object),
        "nothing": np.zeros((1, 0), np.float32),
    }
    for wants_binary in (True, False):
        request = InferenceRequest("7", (), {}, wants_binary, {})
        sink = io.BytesIO()
        length = write_answer("ssd", "1", request, tensors, sink)
        body = sink.getvalue()
        result = triton.InferenceServerClient.parse_response_body(body, header_length=length)
        assert result.get_response()["id"] == "7"
        assert np.array_equal(result.as_numpy("boxes"), tensors["boxes"])
        assert result.as_numpy("nothing").shape == (1, 0)
        names = result.as_numpy("class_names").ravel().tolist()
        assert [name.decode() if isinstance(name, bytes) else name for name in names] == ["cat", "Wölfe"]


def test_unknown_output_is_told_with_those_that_there_are() -> None:
    request = InferenceRequest("", (), {"masks": True}, False, {})
    with pytest.raises(MessageError, match="no output 'masks'. For these inputs there are boxes"):  # noqa: RUF043
        write_answer("ssd", "1", request, {"boxes": PIXELS}, io.BytesIO())


class _Pieces(io.BytesIO):
    """Sink that remembers how large the largest piece was."""

    largest = 0

    def write(self, data: Any) -> int:
        self.largest = max(self.largest, len(data))
        return super().write(data)


def test_large_answer_in_json_is_written_in_small_pieces() -> None:
    values = np.random.default_rng(0).random((2, 100_000), dtype=np.float32)
    sink = _Pieces()
    assert write_answer("ssd", "1", InferenceRequest("", (), {}, False, {}), {"scores": values}, sink) is None
    (output,) = json.loads(sink.getvalue())["outputs"]
    assert np.array_equal(np.array(output["data"], np.float32), values.ravel())
    assert sink.largest < 300_000


@pytest.mark.parametrize(
    ("outputs", "binary", "is_refused"),
    [({}, False, True), ({}, True, False), ({"large": False}, True, True), ({"small": False}, False, False)],
)
def test_answer_in_json_with_too_many_numbers_is_refused_before_the_network_runs(
    outputs: dict[str, bool], binary: bool, is_refused: bool
) -> None:
    request = InferenceRequest("", (), outputs, binary, {})
    shapes = {"large": (2, MOST_JSON_NUMBERS // 2 + 1), "small": (2, 4)}
    refusal = pytest.raises(MessageError, match="binary_data_output") if is_refused else contextlib.nullcontext()
    with refusal, answers.memory_for(request, shapes, "caller", 1.0):
        assert not is_refused


def test_large_answers_take_turns_for_memory() -> None:
    request, shapes = InferenceRequest("", (), {}, True, {}), {"large": (60_000_000,)}
    with answers.memory_for(request, shapes, "one", 1.0):
        with pytest.raises(OverloadedError), answers.memory_for(request, shapes, "another", 0.01):
            pass
        with answers.memory_for(request, {"small": (1000,)}, "another", 0.01):
            pass
