"""The network behind LitServe. Variants: how many worker processes the device has; they share the cores.

Two workers have one core each, one worker has all: OpenVINO's hint for latency, as each runs one photo at a time. The
queue is ZeroMQ's, which LitServe recommends from 100 requests a second.
"""

from typing import Annotated, Any

import litserve
from fastapi import Body

from bench.rivals.steps import Steps, arguments
from detection.inference.hardware import usable_cores

chosen = arguments()
workers = int(chosen.variant)


class Detection(litserve.LitAPI):
    """Steps of a detection, in each worker."""

    def setup(self, _device: str) -> None:
        """Compile the network for this worker's share of the cores."""
        threads = max(1, usable_cores() // workers)
        properties = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads}
        self.steps = Steps(chosen.prefix, chosen.edge, chosen.cache, properties)

    def decode_request(self, request: Annotated[bytes, Body(media_type="image/jpeg")]) -> bytes:
        """Read the photo from the body."""
        return request

    def predict(self, data: bytes) -> dict[str, Any]:
        """Return the objects in the photo."""
        return self.steps(data)

    def encode_response(self, output: dict[str, Any]) -> dict[str, Any]:
        """Return the JSON unchanged."""
        return output


if __name__ == "__main__":
    server = litserve.LitServer(Detection(), accelerator="cpu", workers_per_device=workers, fast_queue=True)
    server.run(host="127.0.0.1", port=chosen.port, generate_client_file=False, log_level="warning", access_log=False)
