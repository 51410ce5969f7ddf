"""Runs `BatchDetector` within Ray Data, Dask or Daft on photos of a folder; prints a line of JSON a photo.

Run in the environment of `make cluster`: ENGINE MODEL FOLDER CACHE [ADDRESS of the Ray cluster].
"""

import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from detection.inference.batch_detector import Answer, BatchDetector
from detection.inference.detector import DetectorOptions
from detection.inference.engines.base import EngineOptions
from detection.inference.model_files import ModelSource

THRESHOLD = 0.5
BATCH = 4


def ray_data(options: DetectorOptions, photos: list[bytes], address: str) -> Iterable[Answer]:
    import ray
    import ray.data

    ray.init(address, runtime_env={"env_vars": {"PYTHONPATH": str(Path.cwd())}}, log_to_driver=False)
    ray.data.DataContext.get_current().execution_options.preserve_order = True
    rows = ray.data.from_items([{"number": number, "bytes": photo} for number, photo in enumerate(photos)])
    made = rows.map_batches(
        BatchDetector,
        fn_constructor_args=(options, THRESHOLD),
        compute=ray.data.ActorPoolStrategy(size=1),
        batch_size=BATCH,
    )
    yield from sorted(made.take_all(), key=lambda row: int(row.pop("number")))


def dask(options: DetectorOptions, photos: list[bytes], _address: str) -> Iterable[Answer]:
    import dask.bag

    bag = dask.bag.from_sequence(photos, partition_size=BATCH)
    detector = BatchDetector(options, THRESHOLD)
    found: list[Answer] = bag.map_partitions(detector).compute(scheduler="processes", num_workers=2)
    return found


def daft(options: DetectorOptions, photos: list[bytes], _address: str) -> Iterable[Answer]:
    import daft as package

    detector, types = BatchDetector(options, THRESHOLD), package.DataType
    pixels = {name: types.int64() for name in ("x", "y", "width", "height")}
    box = types.struct({"objectClass": types.string(), "probability": types.float64(), **pixels})
    answer = {"width": types.int64(), "height": types.int64(), "prediction": types.list(box), "error": types.string()}

    @package.func.batch(return_dtype=types.struct(answer), batch_size=BATCH)  # type: ignore[untyped-decorator]
    def answers(column: Any) -> list[Answer]:
        return detector.answers(column)

    frame = package.from_pydict({"bytes": photos})
    found: list[Answer] = frame.select(answers(frame["bytes"]).alias("answer")).to_pydict()["answer"]
    return found


def main(engine: str, model: str, folder: str, cache: str, address: str = "") -> None:
    options = DetectorOptions(ModelSource(Path(model)), Path(cache), EngineOptions(precision="f32", threads=1))
    photos = [path.read_bytes() for path in sorted(Path(folder).iterdir())]
    ways = {"ray": ray_data, "dask": dask, "daft": daft, "alone": lambda *_: BatchDetector(options, THRESHOLD)(photos)}
    for answer in ways[engine](options, photos, address):
        print(json.dumps({name: value for name, value in answer.items() if value is not None}), flush=True)
    # Engines' threads have nothing to finish.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
