"""`manage.py evaluate`: measures models on annotated photos, one, several, or one in lower precisions or in tiles."""

import argparse
import io
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress

from detection.conf import PRECISION_NAMES, current
from detection.evaluation.annotations import DatasetError
from detection.evaluation.archives import unpacked
from detection.evaluation.class_names import VOC_CLASSES, common_classes, common_name
from detection.evaluation.datasets import Dataset, load_dataset
from detection.evaluation.plots import plot_curves, require_matplotlib
from detection.evaluation.report import Evaluated, by_class, document, side_by_side, summary
from detection.evaluation.results import of_classes
from detection.evaluation.runs import Contender, Run, run_all, unknown_objects
from detection.evaluation.scores import curves, score
from detection.inference.detector import Detector, DetectorOptions, load_detector
from detection.inference.errors import InferenceError
from detection.inference.model_files import ModelSource, open_model
from detection.inference.precision.choice import BASELINE, EngineMeasurements, Measurement, write_table
from detection.inference.tiles.grid import CHOICES
from detection.models import TrainingMeasurement, TrainingSet
from detection.program import PROGRAM
from detection.registry.catalogue import default_source, find_model
from detection.serving import service as serving
from detection.training import service as training
from detection.training.service import TrainingSetError

# Wider than any table: one that is cut loses its last columns, and a terminal wraps lines by itself.
_TABLE_WIDTH = 1000
_BIAS = (
    "If these annotations are a model's own boxes that people confirmed, the figures flatter that model. Those of "
    f"blind reviews do not: `{PROGRAM} export --blind 1`."
)
_PLURALS = {"precision": "precisions", "model": "models", "tiles": "tiles"}


class Command(BaseCommand):
    """Command with exit code 0: measured; 1: an error on standard error says what to do."""

    help = (
        "Measure the model that a server answers with (the active version, else MODEL_PREFIX's), or several, on "
        "annotated photos: Pascal VOC's average precision (11 points and all points, IoU 0.5), COCO's AP@[.5:.95], "
        "precision and recall at PROBABILITY_MORE (or the card's threshold), and the time that a photo takes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "dataset",
            type=Path,
            help="a folder or a zip of Pascal VOC, COCO or YOLO, a COCO file, or a training set, NAME or NAME@NUMBER",
        )
        parser.add_argument(
            "--compare",
            type=_precisions,
            metavar="P,P,...",
            help="precisions, f32,bf16,int8 say; the first is the base",
        )
        parser.add_argument(
            "--models",
            type=_names,
            metavar="NAME,NAME,...",
            help="compare these on the classes that all of them know: names of model folders, NAME or NAME@VERSION",
        )
        parser.add_argument(
            "--tiles",
            type=_tiles,
            metavar="T,T,...",
            default=("",),
            help=f"look at the photos in tiles too, some of {','.join(CHOICES)}; several are compared (default: as the "
            "model's card says)",
        )
        parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers to a file")
        parser.add_argument("--plots", type=Path, metavar="DIR", help="write precision-recall plots into a folder")
        parser.add_argument(
            "--classes",
            metavar="NAME,NAME,...",
            help="count these classes only, to compare models that know different ones; voc for Pascal VOC's 20",
        )
        parser.add_argument("--limit", type=int, metavar="N", help="use the first N photos")
        parser.add_argument(
            "--write-table",
            action="store_true",
            help="keep the comparison beside the checkpoint, for MODEL_PRECISION=auto to choose by",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError when the dataset or a precision cannot be used."""
        precisions = options["compare"] or (current.config().model_precision,)
        if options["models"] and (options["compare"] or options["write_table"]):
            raise CommandError("Compare models or precisions, not both: leave out --models, or the others.")
        if len(options["tiles"]) > 1 and (options["models"] or options["compare"] or options["write_table"]):
            raise CommandError("Compare tiles, or models, or precisions: leave out the others, or name one --tiles.")
        if options["write_table"] and BASELINE not in precisions:
            other = "bf16" if precisions[0] == "auto" else precisions[0]
            raise CommandError(f"The table needs {BASELINE}, to compare with: --compare {BASELINE},{other}.")
        try:
            if options["plots"]:
                require_matplotlib()
            training_set = _training_set(options["dataset"])
            with _files(options["dataset"], training_set) as path, unpacked(path) as folder:
                dataset = load_dataset(folder)
                dataset = replace(dataset, photos=dataset.photos[: options["limit"]])
                if training_set is not None:
                    dataset = replace(dataset, name=f"{training_set} test")
                evaluated = self._evaluate(dataset, precisions, options)
            if training_set is not None and _is_whole(evaluated, options):
                self._keep(training_set, dataset, evaluated)
        except (DatasetError, InferenceError, TrainingSetError) as error:
            raise CommandError(str(error)) from error

    def _evaluate(
        self, dataset: Dataset, precisions: tuple[str, ...], options: Mapping[str, Any]
    ) -> Mapping[str, Evaluated]:
        chosen = _chosen(options["models"], precisions)
        with ExitStack() as stack:
            contenders = _contenders({name: _load(each, stack) for name, each in chosen.items()}, options["tiles"])
            classes = {name: each.detector.network.classes for name, each in contenders.items()}
            counted = _counted(options["classes"], classes)
            runs = _run_with_progress(contenders, dataset)
        runs = {name: replace(run, results=of_classes(run.results, counted[name])) for name, run in runs.items()}
        evaluated = {name: _scores(contenders[name].detector, run) for name, run in runs.items()}
        any_detector = next(iter(contenders.values())).detector
        unknown = unknown_objects(dataset.photos, any_detector.network.classes)
        left_out, what = _left_out(unknown.total(), options), _compared(options)
        self._print(dataset, evaluated, left_out, what)
        if options["json"]:
            content = json.dumps(document(dataset, unknown, any_detector, evaluated, _PLURALS[what]), indent=2) + "\n"
            _write(options["json"], content)
        if options["plots"]:
            _plot(options["plots"], runs, classes)
        if options["write_table"]:
            table = _write_table(chosen[BASELINE].source, dataset, evaluated)
            self.stdout.write(f"MODEL_PRECISION=auto chooses by {table} from now on.")
        return evaluated

    def _keep(self, training_set: TrainingSet, dataset: Dataset, evaluated: Mapping[str, Evaluated]) -> None:
        """Keep the accuracy with the training set, and say what a model card has to say of it."""
        for each in evaluated.values():
            name, _, version = each.model.partition("@")
            TrainingMeasurement.objects.create(
                training_set=training_set,
                model_name=name,
                model_version=version,
                model_sha256=each.model_sha256,
                photos=len(dataset.photos),
                objects_counted=each.scores.objects,
                coco_ap=each.scores.coco_ap,
                coco_ap50=each.scores.coco_ap50,
            )
            figures = {"coco_ap": each.scores.coco_ap, "coco_ap50": each.scores.coco_ap50}
            known = "".join(f"\n{key} = {value:.3f}" for key, value in figures.items() if value is not None)
            photos = f"{training_set} test, {len(dataset.photos)} photos, SHA-256 {training_set.sha256}"
            self.stdout.write(f'For the card of {each.model}:\n[accuracy]\nphotos = "{photos}"{known}')

    def _print(self, dataset: Dataset, evaluated: Mapping[str, Evaluated], left_out: str, what: str) -> None:
        first = next(iter(evaluated.values()))
        # Frames of ASCII where the output's encoding has no others.
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        console = Console(width=_TABLE_WIDTH, file=io.TextIOWrapper(io.BytesIO(), encoding))
        with console.capture() as tables:
            console.print(side_by_side(evaluated) if what == "model" else by_class(first))
            console.print(summary(evaluated, what))
        self.stdout.write(
            f"{tables.get()}{first.scores.objects} objects in {len(dataset.photos)} photos of {dataset.name} "
            f"({dataset.style}); {left_out} were left out. "
            f"{', '.join(dict.fromkeys(each.model for each in evaluated.values()))}: {first.engine} on {first.device}."
            f"\n{_BIAS}"
        )


def _training_set(dataset: Path) -> TrainingSet | None:
    """Return the training set of this name, None for a path. Raises TrainingSetError."""
    if dataset.exists() or len(dataset.parts) > 1 or not TrainingSet.objects.exists():
        return None
    return training.find(str(dataset))


def _is_whole(evaluated: Mapping[str, Evaluated], options: Mapping[str, Any]) -> bool:
    """Return whether one model was measured on all photos and classes, so that its figures can be compared later."""
    return len(evaluated) == 1 and options["classes"] is None and options["limit"] is None


@contextmanager
def _files(dataset: Path, training_set: TrainingSet | None) -> Iterator[Path]:
    """Give the zip of a training set's test photos until the end of the block, or the path as it is."""
    if training_set is None:
        yield dataset
        return
    with tempfile.TemporaryDirectory(prefix="training-set-") as temporary:
        path = Path(temporary) / "test.zip"
        training.write_test_photos(training_set, path)
        yield path


def _precisions(raw: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(raw.split(",")))
    wrong = [name for name in names if name not in PRECISION_NAMES or name == "auto"]
    if wrong:
        raise argparse.ArgumentTypeError(f"{', '.join(wrong)} is no precision. Use some of f32, bf16, f16, int8.")
    return names


def _names(raw: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in raw.split(",") if name))


def _tiles(raw: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(raw.split(",")))
    wrong = [name for name in names if name not in CHOICES]
    if wrong:
        raise argparse.ArgumentTypeError(f"{', '.join(wrong)} is no choice of tiles. Use some of {', '.join(CHOICES)}.")
    return names


def _compared(options: Mapping[str, Any]) -> str:
    """Return what the rows of the tables differ in."""
    if len(options["tiles"]) > 1:
        return "tiles"
    return "model" if options["models"] else "precision"


def _counted(raw: str | None, classes: Mapping[str, tuple[str, ...]]) -> dict[str, set[int]]:
    """Return, for each contender, the ids of the counted classes: common to all, and in `--classes` where it is given.

    classes: of each contender. Raises CommandError when there is none.
    """
    common = common_classes(classes.values())
    if raw is not None:
        common &= {common_name(name) for name in (VOC_CLASSES if raw == "voc" else raw.split(","))}
    if not common:
        known = "; ".join(f"{name} knows {', '.join(its)}" for name, its in classes.items())
        which = "There are no classes in common" if raw is None else f"The model knows none of the classes {raw}"
        raise CommandError(f"{which}: {known}.")
    return {
        name: {index for index, each in enumerate(its) if common_name(each) in common} for name, its in classes.items()
    }


def _left_out(unknown: int, options: Mapping[str, Any]) -> str:
    if options["models"] or options["classes"]:
        return "all others"
    return f"{unknown} objects of classes that the model does not know"


def _contenders(detectors: Mapping[str, Detector], tiles: tuple[str, ...]) -> dict[str, Contender]:
    """Return the contenders by name: the detectors, or one of them with several choices of tiles."""
    if len(tiles) > 1:
        return {choice: Contender(next(iter(detectors.values())), choice) for choice in tiles}
    return {name: Contender(detector, tiles[0]) for name, detector in detectors.items()}


def _chosen(models: tuple[str, ...] | None, precisions: tuple[str, ...]) -> dict[str, DetectorOptions]:
    """Return the detectors to load by name: models in the configured precision, or the default model in several
    precisions.
    """
    options = serving.detector_options(current.config())
    if models:
        return {name: replace(options, source=find_model(name)) for name in models}
    options = replace(options, source=default_source())
    return {name: replace(options, engine=replace(options.engine, precision=name)) for name in precisions}


def _load(options: DetectorOptions, stack: ExitStack) -> Detector:
    detector = load_detector(options)
    stack.callback(detector.close)
    return detector


def _run_with_progress(contenders: Mapping[str, Contender], dataset: Dataset) -> dict[str, Run]:
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("Photos", total=len(dataset.photos))
        return run_all(contenders, dataset.photos, lambda: progress.advance(task))


def _scores(detector: Detector, run: Run) -> Evaluated:
    return Evaluated(
        model=detector.network.full_name,
        precision=detector.engine.precision,
        model_sha256=detector.network.made_of_sha256,
        engine=detector.engine.name,
        device=detector.engine.device,
        scores=score(run.results, detector.network.classes, serving.threshold_of(detector.network)),
        inference_ms=run.median_ms("inference"),
        with_decoding_ms=run.median_ms("decode", "resize", "inference"),
    )


def _plot(folder: Path, runs: Mapping[str, Run], classes: Mapping[str, tuple[str, ...]]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, run in runs.items():
            title = f"Precision and recall at IoU 0.5, {name}"
            plot_curves(curves(run.results, classes[name]), title, folder / f"precision-recall-{name}.png")
    except OSError as error:
        raise CommandError(f"{folder} cannot be written: {error.strerror}. Name another folder.") from error


def _write(path: Path, content: str) -> None:
    try:
        path.write_text(content, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}. Name another file.") from error


def _write_table(source: ModelSource, dataset: Dataset, evaluated: Mapping[str, Evaluated]) -> Path:
    network = open_model(source, current.config().cache_dir)
    base = evaluated[BASELINE]
    rows = {
        name: Measurement(model_sha256=each.model_sha256, coco_ap=each.scores.coco_ap, coco_ap50=each.scores.coco_ap50)
        for name, each in evaluated.items()
        if each.scores.coco_ap is not None and each.scores.coco_ap50 is not None
    }
    if BASELINE not in rows:
        raise CommandError("The dataset has no object of a class that the model knows: there is nothing to compare.")
    return write_table(
        network,
        base.engine,
        EngineMeasurements(
            dataset=dataset.name, photos=len(dataset.photos), objects=base.scores.objects, precisions=rows
        ),
    )
