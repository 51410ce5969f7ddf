"""Makes the recordings: `python -m tests.exporters.record [NAME ...]`, in the environment of `make exporters`.

Each maker builds a small network with seeded weights, exports it with the project's own exporter, and finds the objects
of a photo with the project's own code, which runs the export in ONNX Runtime; what goes in and comes out there is
recorded.
"""

import importlib.metadata
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from tests.exporters import recording
from tests.exporters.makers import MAKERS
from tests.exporters.recording import MOST, PHOTOS, Recording, Value


def main(wanted: list[str]) -> int:
    """Record the exports with these names, all by default. Return the number of those that failed."""
    failed = 0
    for name in wanted or list(MAKERS):
        try:
            made = _record(name)
        except Exception:  # noqa: BLE001 - the others are recorded all the same
            traceback.print_exc()
            sys.stdout.write(f"{name}: FAILED\n")
            failed += 1
            continue
        recording.write(made)
        kilobytes = (recording.FOLDER / f"{name}.npz").stat().st_size // 1024
        sys.stdout.write(f"{name}: {kilobytes} KB, objects {[len(each) for each in made.objects]}, {_spread(made)}\n")
    return failed


def _record(name: str) -> Recording:
    maker = MAKERS[name]
    with tempfile.TemporaryDirectory() as folder:
        export = maker.make(Path(folder))
        model = onnx.load(export.path, load_external_data=False)
        weights = {each.name for each in model.graph.initializer}
        inputs = {each.name: _value(each) for each in model.graph.input if each.name not in weights}
        runs: list[tuple[dict[str, Any], dict[str, Any]]] = []
        objects = []
        pictures = recording.photos(export.size_wh)
        with _recorded(runs):
            for picture in pictures:
                runs.append(({}, {}))
                found = np.asarray(export.find(picture), np.float32).reshape(-1, 6)
                found = found[np.argsort(-found[:, 4], kind="stable")][:MOST]
                # Objects are reported as far as they are in the photo; one without an area there overlaps nothing, so
                # nothing could be compared with it.
                found[:, :4] = np.clip(found[:, :4], 0, [picture.width, picture.height] * 2)
                objects.append(found[(found[:, 2:4] - found[:, :2]).min(axis=1) >= 1])
        given = [next(array for array in feeds.values() if array.ndim >= 3) for feeds, _ in runs]
        return Recording(
            name=name,
            made_by=tuple(f"{each}=={importlib.metadata.version(each)}" for each in maker.packages),
            call=maker.call,
            inputs=inputs,
            photo=next(name for name, value in inputs.items() if len(value.axes) >= 3),
            outputs={each.name: _value(each) for each in model.graph.output},
            metadata={each.key: each.value for each in model.metadata_props},
            beside=export.beside,
            classes=tuple(export.classes),
            size_wh=export.size_wh,
            given=np.stack([recording.averages(each.reshape(each.shape[-3:])) for each in given]),
            answers=[answers for _, answers in runs],
            objects=objects,
        )


@contextmanager
def _recorded(runs: list[tuple[dict[str, Any], dict[str, Any]]]) -> Iterator[None]:
    """Keep what sessions are given and answer, in the last entry of `runs`."""
    original = onnxruntime.InferenceSession.run

    def run(session: Any, names: Any, feeds: dict[str, Any], *more: Any, **options: Any) -> Any:
        answers = original(session, names, feeds, *more, **options)
        runs[-1] = (feeds, dict(zip(names or [each.name for each in session.get_outputs()], answers, strict=True)))
        return answers

    onnxruntime.InferenceSession.run = run
    try:
        yield
    finally:
        onnxruntime.InferenceSession.run = original


def _value(info: onnx.ValueInfoProto) -> Value:
    tensor = info.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    return Value(dtype, tuple(axis.dim_value for axis in tensor.shape.dim))


def _spread(made: Recording) -> str:
    scores = np.concatenate([each[:, 4] for each in made.objects])
    sizes = np.concatenate([np.sqrt(np.prod(each[:, 2:4] - each[:, :2], axis=1)) for each in made.objects])
    classes = len({int(each) for found in made.objects for each in found[:, 5]})
    return (
        f"scores {scores.min():.3f} to {scores.max():.3f}, sizes {sizes.min():.1f} to {sizes.max():.1f} pixels, "
        f"{classes} classes, {made.outputs} {len(PHOTOS)} photos"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
