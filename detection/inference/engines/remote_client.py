"""Client of the Open Inference Protocol, over HTTP and over gRPC.

`tritonclient` writes and reads the messages. Its own HTTP transport may only be used by one thread, so urllib3 carries
them: a pool of connections, and limits on time and size that a slow server cannot stretch.
"""

import contextlib
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import urllib3
from numpy.typing import NDArray

from detection.inference.engines.base import RemoteOptions
from detection.inference.errors import EngineError, EngineUnavailableError
from detection.inference.types import ImageArray

try:
    import tritonclient.grpc as triton_grpc
    import tritonclient.http as triton_http
    from tritonclient.utils import InferenceServerException
except ImportError as _error:
    raise EngineError(
        f"MODEL_ENGINE=remote needs what requirements-remote.txt (or detector-site[remote]) names, and it is "
        f"not complete: {_error}."
    ) from _error

RemoteOutputs = Mapping[str, NDArray[Any] | None]
_OK, _TOO_MANY, _BUSY = 200, 429, 503
_BLOCK = 1 << 16
# 128 photos of the largest heads stay far below; a larger response is not valid.
_MOST_BYTES = 1 << 29
_FAILED = "The model server failed on a photo: {}"
_SLOW = "The model server did not answer in time. Try again later."
_GARBAGE = "The model server answered what is not the Open Inference Protocol ({}). Look at REMOTE_URL."


class NotTakenError(Exception):
    """Request that the server has not begun to process, so that it may be retried: no listener, or it was too busy."""


class RemoteClient(Protocol):
    """Interface of a client for one model of one server. Safe to use from several threads.

    All methods raise NotTakenError, EngineUnavailableError (timeout or broken connection), and EngineError.
    """

    @property
    def model(self) -> str: ...

    def metadata(self, timeout_s: float) -> Mapping[str, Any]:
        """Return the model's own description: `inputs` and `outputs`, each with name, datatype and shape."""
        ...

    def settle(self, batch_rgb: ImageArray, timeout_s: float) -> None:
        """Find out with one request how tensors have to be sent."""
        ...

    def is_ready(self, timeout_s: float) -> bool:
        """Return whether the model is ready; raises nothing."""
        ...

    def infer(self, batch_rgb: ImageArray, timeout_s: float) -> RemoteOutputs:
        """Run photos, (N, S, S, 3) uint8; return the outputs by name."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


def open_client(options: RemoteOptions, model: str, input_name: str, output_names: Sequence[str]) -> RemoteClient:
    """Create a client for the scheme of the address; sends nothing yet. model: NAME or NAME/VERSION."""
    kind = HttpClient if options.url.startswith("http") else GrpcClient
    return kind(options, model, input_name, output_names)


class HttpClient:
    """HTTP client: JSON, followed by tensors in binary where the server supports it."""

    def __init__(self, options: RemoteOptions, model: str, input_name: str, output_names: Sequence[str]) -> None:
        scheme, _, address = options.url.partition("://")
        self.model = model
        name, _, version = model.partition("/")
        self._path = f"{scheme}://{address}/v2/models/{name}"
        if version:
            self._path += f"/versions/{version}"
        self._input_name = input_name
        self._output_names = output_names
        self._binary = True
        # One more, for the readiness check.
        self._pool = urllib3.PoolManager(maxsize=options.connections + 1, block=True, retries=False)

    def metadata(self, timeout_s: float) -> Mapping[str, Any]:
        """See `RemoteClient`."""
        content, _ = self._ask("GET", "", timeout_s)
        try:
            found = json.loads(content)
        except ValueError as error:
            raise EngineError(_GARBAGE.format("no JSON")) from error
        if not isinstance(found, dict):
            raise EngineError(_GARBAGE.format("no object"))
        return found

    def settle(self, batch_rgb: ImageArray, timeout_s: float) -> None:
        """See `RemoteClient`: servers without the extension for binary tensors get lists of numbers."""
        try:
            self.infer(batch_rgb, timeout_s)
        except EngineUnavailableError:
            raise
        except EngineError:
            self._binary = False
            self.infer(batch_rgb, timeout_s)

    def is_ready(self, timeout_s: float) -> bool:
        """See `RemoteClient`."""
        try:
            self._ask("GET", "/ready", timeout_s)
        except (NotTakenError, EngineError):
            return False
        return True

    def infer(self, batch_rgb: ImageArray, timeout_s: float) -> RemoteOutputs:
        """See `RemoteClient`."""
        photos = triton_http.InferInput(self._input_name, list(batch_rgb.shape), "UINT8")
        photos.set_data_from_numpy(batch_rgb, binary_data=self._binary)
        # Each output by name: not every server supports the flag that asks for all of them in binary.
        outputs = [triton_http.InferRequestedOutput(name, binary_data=self._binary) for name in self._output_names]
        body, header_length = triton_http.InferenceServerClient.generate_request_body(
            [photos], outputs=outputs, request_id=_new_id()
        )
        headers = {"Content-Type": "application/octet-stream" if self._binary else "application/json"}
        if header_length is not None:
            headers["Inference-Header-Content-Length"] = str(header_length)
        content, theirs = self._ask("POST", "/infer", timeout_s, body, headers)
        return self._read(content, theirs)

    def close(self) -> None:
        """See `RemoteClient`."""
        self._pool.clear()

    def _read(self, content: bytes, header_length: str | None) -> RemoteOutputs:
        try:
            result = triton_http.InferenceServerClient.parse_response_body(content, header_length=header_length)
            names = [output["name"] for output in result.get_response()["outputs"]]
            return {name: result.as_numpy(name) for name in names}
        except Exception as error:  # whatever the parser of foreign bytes raises
            raise EngineError(_GARBAGE.format(type(error).__name__)) from error

    def _ask(
        self,
        method: str,
        path: str,
        timeout_s: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[bytes, str | None]:
        """Send a request; return the body of the 200 response, and the length of its JSON where tensors follow."""
        deadline = time.monotonic() + timeout_s
        try:
            response = self._pool.urlopen(
                method,
                self._path + path,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(total=timeout_s),
                preload_content=False,
                redirect=False,
                pool_timeout=timeout_s,
            )
            with contextlib.closing(response):
                content = _read_until(response, deadline)
                response.release_conn()
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
            raise NotTakenError(str(error)) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise EngineUnavailableError(_SLOW) from error
        if response.status in {_TOO_MANY, _BUSY}:
            raise NotTakenError(_reason(content))
        if response.status != _OK:
            raise EngineError(_FAILED.format(f"{response.status}, {_reason(content)}"))
        return content, response.headers.get("Inference-Header-Content-Length")


def _new_id() -> str:
    """Return a new request id: optional in the protocol, but KServe fails without one."""
    return uuid.uuid4().hex


def _read_until(response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    blocks, size = [], 0
    # Read in pieces, so that the time limit also holds for a slow server.
    while block := response.read1(_BLOCK):
        blocks.append(block)
        size += len(block)
        if size > _MOST_BYTES:
            raise EngineError(_GARBAGE.format(f"more than {_MOST_BYTES:,} bytes"))
        if time.monotonic() > deadline:
            raise EngineUnavailableError(_SLOW)
    return b"".join(blocks)


def _reason(content: bytes) -> str:
    """Return a server's error message, shortened; it may be anything."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(json.loads(content)["error"])[:300]
    return "without a reason"


class GrpcClient:
    """gRPC client on one channel, which carries many requests at once."""

    def __init__(self, options: RemoteOptions, model: str, input_name: str, output_names: Sequence[str]) -> None:
        scheme, _, address = options.url.partition("://")
        self.model = model
        self._name, _, self._version = model.partition("/")
        self._input_name = input_name
        self._output_names = output_names
        self._client = triton_grpc.InferenceServerClient(
            address,
            ssl=scheme == "grpcs",
            channel_args=[
                ("grpc.max_send_message_length", -1),
                ("grpc.max_receive_message_length", _MOST_BYTES),
                # Reconnects within a second; gRPC's own backoff grows to two minutes.
                ("grpc.initial_reconnect_backoff_ms", 100),
                ("grpc.min_reconnect_backoff_ms", 100),
                ("grpc.max_reconnect_backoff_ms", 1000),
                # After a server is replaced, its old connection is not reused.
                ("grpc.use_local_subchannel_pool", 1),
            ],
        )

    def metadata(self, timeout_s: float) -> Mapping[str, Any]:
        """See `RemoteClient`."""
        with _grpc_errors():
            found: Mapping[str, Any] = self._client.get_model_metadata(
                self._name, self._version, as_json=True, client_timeout=timeout_s
            )
        return found

    def settle(self, batch_rgb: ImageArray, timeout_s: float) -> None:
        """See `RemoteClient`: there is only one way, which is tried."""
        self.infer(batch_rgb, timeout_s)

    def is_ready(self, timeout_s: float) -> bool:
        """See `RemoteClient`."""
        try:
            with _grpc_errors():
                return bool(self._client.is_model_ready(self._name, self._version, client_timeout=timeout_s))
        except (NotTakenError, EngineError):
            return False

    def infer(self, batch_rgb: ImageArray, timeout_s: float) -> RemoteOutputs:
        """See `RemoteClient`."""
        photos = triton_grpc.InferInput(self._input_name, list(batch_rgb.shape), "UINT8")
        photos.set_data_from_numpy(np.ascontiguousarray(batch_rgb))
        outputs = [triton_grpc.InferRequestedOutput(name) for name in self._output_names]
        with _grpc_errors():
            result = self._client.infer(
                self._name,
                [photos],
                self._version,
                outputs=outputs,
                request_id=_new_id(),
                client_timeout=max(timeout_s, 0.001),
            )
        try:
            return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}
        except Exception as error:  # whatever the parser of foreign bytes raises
            raise EngineError(_GARBAGE.format(type(error).__name__)) from error

    def close(self) -> None:
        """See `RemoteClient`."""
        self._client.close()


@contextlib.contextmanager
def _grpc_errors() -> Any:
    try:
        yield
    except InferenceServerException as error:
        status = str(error.status()).removeprefix("StatusCode.")
        if status in {"UNAVAILABLE", "RESOURCE_EXHAUSTED"}:
            raise NotTakenError(str(error.message())) from error
        if status in {"DEADLINE_EXCEEDED", "CANCELLED"}:
            raise EngineUnavailableError(_SLOW) from error
        raise EngineError(_FAILED.format(f"{status}, {str(error.message())[:300]}")) from error
