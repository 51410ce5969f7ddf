"""Decoding and resizing a 12-megapixel JPEG: at a fraction of its size, as the service does it, against in full."""

from collections.abc import Callable, Sequence
from functools import partial
from statistics import median

from bench import models, part, photos
from bench.alternate import alternate, ratio_of_rounds
from bench.engine_worker import time_runs
from bench.part import Context
from bench.report import Claim, Report, Table, number
from detection.inference.detector import SCALED_DECODING_MARGIN
from detection.inference.photos.decode import decode_photo
from detection.inference.photos.preprocess import to_network_input
from tests.support.checkpoints import EMBEDDED_EDGE, RESNET50_EDGE

_EDGES = {models.EMBEDDED: EMBEDDED_EDGE, models.RESNET50: RESNET50_EDGE}
_WANTED = 5.0
_RUNS = 3


def measure(context: Context) -> None:
    """For the inputs of both networks, a photo with the grain of a camera and a smooth one."""
    pictures = {
        kind: photos.jpeg("coffee", photos.SIZES_WH["12 MP"], grain=grain)
        for kind, grain in (("grainy", photos.GRAIN), ("smooth", 0.0))
    }
    contestants: dict[str, Callable[[], float]] = {}
    for model, edge in _EDGES.items():
        for kind, data in pictures.items():
            contestants[_case(model, kind, "scaled")] = partial(_seconds, data, edge, SCALED_DECODING_MARGIN * edge)
            contestants[_case(model, kind, "full")] = partial(_seconds, data, edge, None)
    found = alternate(contestants, context.options.rounds, tell=context.tell)
    rows = []
    for model in _EDGES:
        for kind, data in pictures.items():
            full, scaled = found[_case(model, kind, "full")], found[_case(model, kind, "scaled")]
            ratio = ratio_of_rounds(full, scaled)
            name = f"{model}, {kind} photo of {len(data) / 1e6:.1f} MB"
            rows.append([name, number(median(full) * 1000), number(median(scaled) * 1000), number(ratio)])
            context.report.results[f"{model}, {kind}"] = {
                "full_ms": median(full) * 1000,
                "scaled_ms": median(scaled) * 1000,
                "ratio": ratio,
                "bytes": len(data),
            }
            context.report.claims.append(Claim(f"{name}: decode and resize, full / scaled", ratio, _WANTED))
    context.report.tables.append(
        Table("Decode and resize 12 megapixels", ["", "in full, ms", "scaled, ms", "times faster"], rows)
    )


def _case(model: str, kind: str, way: str) -> str:
    return f"{model}, {kind}, {way}"


def _seconds(data: bytes, edge: int, min_edge_px: int | None) -> float:
    def run() -> None:
        to_network_input(decode_photo(data, max_pixels=60_000_000, min_edge_px=min_edge_px).image_rgb, edge)

    return median(time_runs(run, _RUNS))


def main(arguments: Sequence[str] | None = None) -> Report:
    """Run this part with the arguments given, or those of the command line."""
    return part.run("decode", __doc__ or "", measure, rounds=5, arguments=arguments)


if __name__ == "__main__":
    main()
