"""`manage.py operating_point`: proposes, tries, activates and rolls back thresholds per class, while servers run."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from detection.conf import current
from detection.evaluation.annotations import DatasetError
from detection.evaluation.archives import unpacked
from detection.evaluation.datasets import load_dataset
from detection.evaluation.runs import Contender, run_all
from detection.inference.detector import load_detector
from detection.inference.errors import InferenceError
from detection.inference.model_files import ModelSource, name_and_version
from detection.learning import points, sampling
from detection.learning.estimate import Evidence
from detection.learning.evidence import from_annotated
from detection.learning.goals import GoalError, goal_of
from detection.learning.points import OperatingPointError
from detection.learning.proposals import SAMPLE, VERDICTS, propose, propose_from_verdicts, source_of
from detection.learning.sampling import SampleError
from detection.learning.simulation import simulated_months
from detection.learning.strata import EDGES
from detection.models import OperatingPoint, PointClass, SampleStratum
from detection.program import PROGRAM
from detection.serving import service as serving


class Command(BaseCommand):
    """Command with exit code 0: done; 1: an error on standard error says what to do, and nothing has changed."""

    help = (
        "Choose what a model reports, class by class, from people's verdicts or annotated photos: propose, try, "
        "activate, rollback, list; sample draws what to judge for it; simulate tests the method."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(
            dest="action", required=True, metavar="propose|try|activate|rollback|list|sample|simulate"
        )
        propose = actions.add_parser("propose", help="choose thresholds for a goal, and keep them as a point")
        propose.add_argument("name", help="of the point; the next number of it is made")
        propose.add_argument("--goal", required=True, help="precision:0.95, false:3 (a hundred photos) or f1")
        propose.add_argument("--dataset", type=Path, help="annotated photos, as for `evaluate`, instead of verdicts")
        propose.add_argument(
            "--evidence",
            choices=(SAMPLE, VERDICTS),
            default="",
            help="verdicts on the measuring sample alone, or all (default: the sample where some of it is judged)",
        )
        propose.add_argument(
            "--least",
            type=int,
            default=points.LEAST_VERDICTS,
            help="judged objects that a class needs for a threshold of its own (default: %(default)s)",
        )
        for action, text in (
            ("try", "say what a point would change among the newest 10,000 detections"),
            ("activate", "let a point decide where callers give no threshold"),
        ):
            one = actions.add_parser(action, help=text)
            one.add_argument("point", metavar="NAME[@NUMBER]")
            one.add_argument("--model", metavar="NAME[@VERSION]", help="instead of the default model")
        back = actions.add_parser("rollback", help="let the point before decide, or the model's own threshold")
        sample = actions.add_parser("sample", help="draw objects at random for people to judge: a sample for measuring")
        sample.add_argument("--verdicts", type=int, default=sampling.VERDICTS, help="objects (default: %(default)s)")
        sample.add_argument(
            "--newest", type=int, default=sampling.NEWEST_PHOTOS, help="photos to draw from (default: %(default)s)"
        )
        for one in (propose, back, sample, actions.add_parser("list", help="show all points; * marks the active ones")):
            one.add_argument("--model", metavar="NAME[@VERSION]", help="instead of the default model")
        simulate = actions.add_parser("simulate", help="test the method on months whose truth is known")
        simulate.add_argument("--seeds", type=int, default=100)
        simulate.add_argument("--verdicts", type=int, default=400, help="on each class (default: %(default)s)")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError."""
        act = {
            "propose": _proposed,
            "try": _tried,
            "activate": _activated,
            "rollback": _rolled_back,
            "list": _listed,
            "sample": _sampled,
            "simulate": _simulated,
        }[options["action"]]
        try:
            self.stdout.write(act(options))
        except (OperatingPointError, SampleError, GoalError, InferenceError, DatasetError) as error:
            raise CommandError(str(error)) from error


def _model(options: Mapping[str, Any]) -> tuple[str, str]:
    return name_and_version(source_of(options["model"] or ""))


def _proposed(options: Mapping[str, Any]) -> str:
    name, goal, reference = options["name"], goal_of(options["goal"]), options["model"] or ""
    dataset: Path | None = options["dataset"]
    if dataset is None:
        point = propose_from_verdicts(name, goal, reference, options["least"], options["evidence"])
    else:
        source = source_of(reference)
        evidence = _measured(source, dataset)
        point = propose(source, name, goal, evidence, evidence_name=dataset.name, least=options["least"])
    return f"{_table(point)}\nProposed {point} for {point.model}. Look first: `{PROGRAM} operating_point try {point}`."


def _measured(source: ModelSource, dataset: Path) -> dict[str, Evidence]:
    with unpacked(dataset) as folder, ExitStack() as stack:
        photos = load_dataset(folder).photos
        detector = load_detector(serving.other_options(current.config(), source))
        stack.callback(detector.close)
        run = run_all({"": Contender(detector)}, photos, lambda: None)[""]
        return from_annotated(run.results, detector.network.classes)


def _table(point: OperatingPoint) -> str:
    rows: list[tuple[str, ...]] = [("class", "above", "precision", "recall", "right of judged", "")]
    rows += [_columns(row) for row in point.classes.all()]
    return _aligned(rows)


def _aligned(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _columns(row: PointClass) -> tuple[str, ...]:
    return (
        row.class_name or "(the rest)",
        f"{row.threshold:.2f}",
        _share(row.precision, row.precision_low, row.precision_high),
        _share(row.recall, row.recall_low, row.recall_high),
        f"{row.right} of {row.judged}",
        "" if row.is_reached else "out of reach: the model's own threshold",
    )


def _share(value: float | None, low: float | None, high: float | None) -> str:
    return "-" if value is None or low is None or high is None else f"{value:.3f} ({low:.3f} to {high:.3f})"


def _tried(options: Mapping[str, Any]) -> str:
    trial = points.try_out(points.find(_model(options), options["point"]))
    lines = [
        f"Of {trial.detections} detections {trial.changed} would change: {trial.after} objects reported instead of "
        f"{trial.before}."
    ]
    for what, counts in (("More", trial.more), ("Fewer", trial.fewer)):
        if counts:
            lines.append(f"{what}: {', '.join(f'{name} {count}' for name, count in counts.most_common())}")
    lines += [f"Example: {reverse('detection-page', args=[uuid])}" for uuid in trial.examples]
    return "\n".join(lines)


def _activated(options: Mapping[str, Any]) -> str:
    point = points.find(_model(options), options["point"])
    points.activate(point)
    return f"{point} is active for {point.model}: running servers go by it within seconds."


def _rolled_back(options: Mapping[str, Any]) -> str:
    before = points.roll_back(_model(options))
    return "The model's own threshold decides again." if before is None else f"{before} is active again."


def _listed(options: Mapping[str, Any]) -> str:
    rows = OperatingPoint.objects.all()
    if options["model"]:
        name, version = _model(options)
        rows = rows.filter(model_name=name, model_version=version)
    lines = [
        f"{'*' if row.is_active else ' '} {row.model}  {row}  {row.goal} from {row.source}  "
        f"made {row.created_at:%Y-%m-%d %H:%M} UTC"
        for row in rows
    ]
    return "\n".join(lines) or f"There is no operating point yet. Make one with `{PROGRAM} operating_point propose`."


def _simulated(options: Mapping[str, Any]) -> str:
    return "\n".join(str(outcome) for outcome in simulated_months(options["seeds"], options["verdicts"]))


def _sampled(options: Mapping[str, Any]) -> str:
    sample = sampling.draw_sample(_model(options), options["verdicts"], options["newest"])
    rows = [("class", "probability", "objects", "drawn")]
    rows += [
        (row.class_name or "(the rest)", f"{EDGES[row.band]:.1f} to {EDGES[row.band + 1]:.1f}", *_counts(row))
        for row in sample.strata.filter(population__gt=0).order_by("pk")
    ]
    drawn = sum(row.drawn for row in sample.strata.all())
    return (
        f"{_aligned(rows)}\nDrew {drawn} of the {sample.objects_kept} objects of {sample.model} in its newest "
        f"{sample.photos} photos. Judge them in Review under “Measuring sample”, then `{PROGRAM} operating_point "
        "propose NAME --goal GOAL`."
    )


def _counts(row: SampleStratum) -> tuple[str, str]:
    return str(row.population), str(row.drawn)
