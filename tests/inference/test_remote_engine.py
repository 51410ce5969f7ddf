"""MODEL_ENGINE=remote: the same answers from a model server, over HTTP and gRPC, and clear words when it fails."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from PIL import Image

from detection.inference.detector import Detector
from detection.inference.engines.base import Engine, EngineOptions, RemoteOptions
from detection.inference.engines.registry import create_engine
from detection.inference.errors import EngineError, EngineUnavailableError
from detection.inference.network import Network
from detection.inference.types import ImageArray
from tests.inference.engines import EDGE
from tests.inference.oip_server import Plan, grpc_server, http_server, tiny_network
from tests.support import photos

SERVERS = {"http": http_server, "grpc": grpc_server}
TIMEOUT_S = 0.5
# A hang of the engine would be the timeout of pytest; a slow machine is none.
PATIENCE_S = 20.0

WHITE = photos.encode(Image.new("RGB", (8, 8), (255, 255, 255)), "PNG")


@pytest.fixture
def network(tmp_path: Path) -> Network:
    return tiny_network(tmp_path)


@pytest.fixture(params=SERVERS)
def serve(request: pytest.FixtureRequest) -> Callable[..., AbstractContextManager[Plan]]:
    found: Callable[..., AbstractContextManager[Plan]] = SERVERS[request.param]
    return found


@pytest.fixture
def plan(network: Network, serve: Any) -> Iterator[Plan]:
    with serve(Plan(network)) as running:
        yield running


def options(plan: Plan, **changes: Any) -> EngineOptions:
    remote = RemoteOptions(plan.url, timeout_s=30.0, check_s=0.02)
    return EngineOptions(engine="remote", remote=replace(remote, **changes))


def grey(*values: int) -> ImageArray:
    return np.stack([np.full((EDGE, EDGE, 3), value, np.uint8) for value in values])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def test_remote_answers_what_the_local_engine_answers(plan: Plan, network: Network) -> None:
    local = create_engine(network, EngineOptions(engine="onnxruntime"))
    remote = create_engine(network, options(plan))
    batch_rgb = np.concatenate([grey(10, 200), np.asarray(photos.noise((EDGE, EDGE), 1))[None]])
    ours, theirs = local.infer(batch_rgb), remote.infer(batch_rgb)
    remote.close()
    assert set(ours) == set(theirs)
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    assert (remote.name, remote.device, remote.max_batch) == ("remote", plan.url.partition("://")[2], 8)


@pytest.mark.parametrize("kind", [TensorProto.INT32, TensorProto.INT64])
def test_whole_numbers_of_a_server_stay_whole(kind: int, serve: Any, tmp_path: Path) -> None:
    network = tiny_network(tmp_path, labels=kind)
    with serve(Plan(network)) as plan:
        engine = create_engine(network, options(plan))
        labels = engine.infer(grey(255, 51))["labels"]
        engine.close()
    assert (labels.tolist(), labels.dtype.kind) == ([255, 51], "i")


def test_remote_is_asked_for_the_version_that_is_named(plan: Plan, network: Network) -> None:
    engine = create_engine(network, options(plan, model="tiny/1"))
    assert engine.infer(grey(255))["cls_prob"][0, 2, 0] == 1.0
    engine.close()


def test_server_without_binary_tensors_gets_numbers(network: Network) -> None:
    with http_server(Plan(network, binary=False)) as plan:
        engine = create_engine(network, options(plan))
        found = engine.infer(grey(255, 51))["cls_prob"][:, 2, 0]
        engine.close()
    assert found == pytest.approx([1.0, 0.2])


def test_fixed_batch_of_the_server_is_kept_to(serve: Any, tmp_path: Path) -> None:
    network = tiny_network(tmp_path, batch=1)
    with serve(Plan(network)) as plan:
        engine = create_engine(network, options(plan))
        assert engine.max_batch == 1
        engine.close()


def test_request_to_a_server_for_several_photos_is_filled(serve: Any, tmp_path: Path) -> None:
    network = tiny_network(tmp_path, batch=4)
    with serve(Plan(network)) as plan:
        engine = create_engine(network, options(plan))
        assert engine.max_batch == 4
        found = [engine.infer(grey(*values))["cls_prob"][:, 2, 0] for values in ((255, 51), (0, 51, 102, 153, 255))]
        engine.close()
    assert found[0] == pytest.approx([1.0, 0.2])
    assert found[1] == pytest.approx([0.0, 0.2, 0.4, 0.6, 1.0])


@pytest.mark.parametrize("connections", [1, 3])
def test_requests_on_their_way_are_bounded_and_what_waits_goes_as_batches(
    connections: int, plan: Plan, network: Network
) -> None:
    detector = Detector(
        network,
        create_engine(network, options(plan, connections=connections, batch=4)),
        max_pixels=10**6,
        queue_size=100,
        threads=1,
    )
    plan.batches.clear()
    plan.go_on.clear()
    futures = [detector.submit(WHITE) for _ in range(20)]
    plan.wait_for_requests(connections)
    plan.go_on.set()
    found = [future.result(60).objects[0] for future in futures]
    detector.close()
    assert {one.probability for one in found} == {1.0}
    assert sum(plan.batches) == 20
    assert max(plan.batches) <= 4
    assert plan.most_at_once == connections


def test_many_threads_get_their_own_answers(plan: Plan, network: Network) -> None:
    engine = create_engine(network, options(plan))
    values = [5 * number for number in range(40)]
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda value: float(engine.infer(grey(value))["cls_prob"][0, 2, 0]), values))
    engine.close()
    assert found == pytest.approx([value / 255 for value in values])


@pytest.mark.parametrize("failures", [[503], [503, 503]], ids=["once", "twice"])
def test_busy_server_is_asked_again(failures: list[int | str], plan: Plan, network: Network) -> None:
    engine = create_engine(network, options(plan))
    plan.failures += failures
    assert engine.infer(grey(255))["cls_prob"][0, 2, 0] == 1.0
    engine.close()


def test_server_that_stays_busy_is_not_asked_for_ever(plan: Plan, network: Network) -> None:
    engine = create_engine(network, options(plan))
    plan.failures += [503] * 5
    with pytest.raises(EngineUnavailableError, match=r"does not answer now. Try again later"):
        engine.infer(grey(255))
    engine.close()
    assert len(plan.failures) == 2


WRONG: dict[str, tuple[int | str, str]] = {
    "fails": (500, "INTERNAL, told to fail|500, told to fail"),
    "garbage": ("garbage", "is not the Open Inference Protocol"),
    "shape": ("shape", r"answered float32 \[1, 2, 1\] for the output cls_prob, which is float32 \[1, 3, 1\]"),
    "type": ("type", "answered float64"),
    "missing": ("missing", "answered nothing for the output cls_prob"),
    "not finite": ("nan", "not finite for cls_prob"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_answer_is_told_and_not_asked_for_again(case: str, plan: Plan, network: Network) -> None:
    failure, sentence = WRONG[case]
    engine = create_engine(network, options(plan))
    plan.failures.append(failure)
    with pytest.raises(EngineError, match=sentence) as caught:
        engine.infer(grey(255))
    assert not isinstance(caught.value, EngineUnavailableError)
    assert engine.infer(grey(255))["cls_prob"][0, 2, 0] == 1.0
    engine.close()


@pytest.mark.parametrize("failure", ["hang", "dribble"])
def test_slow_server_is_left_after_the_timeout(failure: str, plan: Plan, network: Network) -> None:
    engine = create_engine(network, options(plan))
    slow = engine_with_timeout(engine)
    plan.failures.append(failure)
    started = time.monotonic()
    with pytest.raises(EngineUnavailableError, match="did not answer in time"):
        slow.infer(grey(255))
    assert TIMEOUT_S * 0.9 < time.monotonic() - started < PATIENCE_S
    assert slow.infer(grey(255))["cls_prob"][0, 2, 0] == 1.0
    engine.close()


def engine_with_timeout(engine: Any) -> Engine:
    engine._timeout_s = TIMEOUT_S
    found: Engine = engine
    return found


def test_photos_of_a_batch_do_not_wait_for_a_slow_server_one_by_one(plan: Plan, network: Network) -> None:
    engine = engine_with_timeout(create_engine(network, options(plan, connections=1)))
    detector = Detector(network, engine, max_pixels=10**6, queue_size=100, threads=1)
    plan.always = "hang"
    started = time.monotonic()
    futures = [detector.submit(WHITE) for _ in range(9)]
    errors = [future.exception(60) for future in futures]
    detector.close()
    assert {type(error) for error in errors} == {EngineUnavailableError}
    # One by one it would be nine timeouts; together they are one for those that came first, and one for the others.
    assert time.monotonic() - started < 5 * TIMEOUT_S


def test_server_that_is_gone_is_noticed_and_found_again(network: Network, serve: Any) -> None:
    with serve(Plan(network)) as plan:
        engine = create_engine(network, options(plan))
        until(lambda: engine.problem() == "")
        port = int(plan.url.rpartition(":")[2])
    until(lambda: engine.problem() != "")
    assert engine.problem() == f"The model server at 127.0.0.1:{port} is not ready. Look at it, and at REMOTE_URL."
    with pytest.raises(EngineUnavailableError, match="Try again later"):
        engine.infer(grey(255))
    with serve(Plan(network), port):
        until(lambda: engine.problem() == "")
        assert engine.infer(grey(255))["cls_prob"][0, 2, 0] == 1.0
        engine.close()


def test_model_that_is_not_ready_is_a_problem(plan: Plan, network: Network) -> None:
    engine = create_engine(network, options(plan))
    plan.ready = False
    until(lambda: engine.problem() != "")
    problem = engine.problem()
    plan.ready = True
    until(lambda: engine.problem() == "")
    engine.close()
    assert problem.endswith(".")


def changed(part: str, index: int, **values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda metadata: metadata[part][index].update(values)


MISFITS = {
    "another input": (changed("inputs", 0, name="data"), r"image_rgb UINT8 \[-1, 16, 16, 3\] is missing .*data UINT8"),
    "floats": (changed("inputs", 0, datatype="FP32"), "is missing among its inputs"),
    "another size": (changed("inputs", 0, shape=[-1, 32, 32, 3]), "is missing among its inputs"),
    "fewer classes": (changed("outputs", 0, shape=[-1, 2, 1]), r"cls_prob FP32 \[-1, 3, 1\] is missing"),
    "another rank": (changed("outputs", 1, shape=[-1]), "loc_pred"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_model_that_does_not_fit_is_refused_at_the_start(case: str, plan: Plan, network: Network) -> None:
    change, sentence = MISFITS[case]
    change(plan.metadata)
    with pytest.raises(EngineError, match=sentence):
        create_engine(network, options(plan))


@pytest.mark.parametrize("metadata", [{"inputs": [{}]}, {"inputs": 5}, {"inputs": None}], ids=["empty", "5", "none"])
def test_description_that_is_none_is_refused(metadata: dict[str, Any], network: Network) -> None:
    with http_server(Plan(network)) as plan:
        plan.metadata = metadata
        with pytest.raises(EngineError, match=r"cannot be understood|does not fit"):
            create_engine(network, options(plan))


def test_unknown_model_is_told(plan: Plan, network: Network) -> None:
    with pytest.raises(EngineError, match="no such model"):
        create_engine(network, options(plan, model="other"))


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_start_without_a_server_says_what_to_do(scheme: str, network: Network, unused_tcp_port: int) -> None:
    remote = RemoteOptions(f"{scheme}://127.0.0.1:{unused_tcp_port}", timeout_s=5.0)
    with pytest.raises(EngineError, match=r"No model server answers at .* Start it, or set REMOTE_URL"):
        create_engine(network, EngineOptions(engine="remote", remote=remote))


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a gpu": ({"device": "cuda:0"}, "MODEL_DEVICE"),
    "a precision": ({"precision": "bf16"}, "unset MODEL_PRECISION"),
    "no address": ({}, "needs REMOTE_URL"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_asked_of_a_server_is_refused(case: str, network: Network) -> None:
    changes, sentence = REFUSED[case]
    with pytest.raises(EngineError, match=sentence):
        create_engine(network, EngineOptions(engine="remote", **changes))


@pytest.fixture
def unused_tcp_port() -> int:
    """A port that nobody listens on."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
