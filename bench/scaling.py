"""CPU of one photo outside of the network, for the arithmetic of docs/scaling.md:

    python -m bench.scaling                              # decoding; putting and getting where PHOTO_STORE_URL is set
    REMOTE_URL=grpc://HOST:PORT python -m bench.scaling  # and the client's side of a model server

Times are CPU of this process, so that other programs on the machine do not count.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np

from bench.photos import SIZES_WH, jpeg
from detection.conf import BASE_DIR, DEFAULT_MODEL_PREFIX, load_config
from detection.inference.detector import SCALED_DECODING_MARGIN
from detection.inference.engines.base import EngineOptions, RemoteOptions
from detection.inference.engines.registry import create_engine
from detection.inference.model_files import ModelSource, open_model
from detection.inference.photos.decode import decode_photo

ROUNDS = 30


def cpu_ms(step: Callable[[], object]) -> float:
    """The median of CPU milliseconds of this process, all its threads."""
    step()
    spent = []
    for _ in range(ROUNDS):
        before = time.process_time()
        step()
        spent.append((time.process_time() - before) * 1000)
    return statistics.median(spent)


def decoding() -> None:
    """A photo of each size, as far as an input of 300 pixels needs it."""
    for size, size_wh in SIZES_WH.items():
        data = jpeg("astronaut", size_wh)
        spent = cpu_ms(lambda: decode_photo(data, max_pixels=10**8, min_edge_px=SCALED_DECODING_MARGIN * 300))  # noqa: B023
        print(f"decode {size}, {len(data) / 1e6:.2f} MB: {spent:.2f} ms")


def storing() -> None:
    """A photo of 2 megapixels."""
    store = load_config().photo_store
    if store is None:
        return
    from django.conf import settings
    from django.core.files.base import ContentFile

    settings.configure()
    from detection.photos.s3 import PhotoObjectStorage

    storage = PhotoObjectStorage(store)
    data = jpeg("astronaut", SIZES_WH["2 MP"])
    print(f"put {len(data) / 1e6:.2f} MB: {cpu_ms(lambda: storage.save('bench/a.jpg', ContentFile(data))):.2f} ms")
    print(f"get it: {cpu_ms(lambda: storage.open('bench/a.jpg').read()):.2f} ms")
    storage.delete("bench/a.jpg")


def asking_a_model_server() -> None:
    """The client's side: photos to bytes on the wire, and back."""
    config = load_config()
    if not config.remote_url:
        return
    network = open_model(ModelSource(DEFAULT_MODEL_PREFIX), BASE_DIR / "var" / "cache")
    remote = RemoteOptions(config.remote_url, config.remote_model, check_s=3600)
    engine = create_engine(network, EngineOptions(engine="remote", remote=remote))
    width, height = network.size_wh
    for photos in (1, 8):
        batch_rgb = np.zeros((photos, height, width, 3), np.uint8)
        spent = cpu_ms(lambda: engine.infer(batch_rgb)) / photos  # noqa: B023
        print(f"ask {config.remote_url.partition(':')[0]}, {photos} photos a request: {spent:.2f} ms a photo")
    engine.close()


if __name__ == "__main__":
    decoding()
    storing()
    asking_a_model_server()
