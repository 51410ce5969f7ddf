"""`manage.py calibration`: measures how often a model's scores are right, and keeps curves that correct them."""

from collections.abc import Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from detection.inference.errors import InferenceError
from detection.inference.model_files import name_and_version
from detection.learning import calibrations
from detection.learning.calibration import LEAST_JUDGED, CalibrationError, Reliability, needed
from detection.learning.points import OperatingPointError
from detection.learning.proposals import SAMPLE, VERDICTS, source_of
from detection.models import Calibration
from detection.program import PROGRAM


class Command(BaseCommand):
    """Command with exit code 0: done; 1: an error on standard error says what to do, and nothing has changed."""

    help = (
        "Measure how often a model's scores are right, by people's verdicts (reliability, expected calibration error), "
        "and keep a curve that gives each stored object a calibrated probability beside its own: measure, make, "
        "withdraw, list."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="measure|make|withdraw|list")
        measure = actions.add_parser("measure", help="show the share of right objects by score, and keep nothing")
        make = actions.add_parser("make", help="keep a curve; stored objects show its probability from then on")
        make.add_argument(
            "--least", type=int, default=LEAST_JUDGED, help="judged objects that it needs (default: %(default)s)"
        )
        withdraw = actions.add_parser("withdraw", help="let the curve before count, or none")
        withdraw.add_argument("number", type=int)
        for one in (measure, make):
            one.add_argument(
                "--evidence",
                choices=(SAMPLE, VERDICTS),
                default="",
                help="verdicts on the measuring sample alone, or all (default: the sample where some of it is judged)",
            )
        for one in (measure, make, withdraw):
            one.add_argument("--model", metavar="NAME[@VERSION]", help="instead of the default model")
        actions.add_parser("list", help="show all curves; * marks those that count")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError."""
        act = {"measure": _measured, "make": _made, "withdraw": _withdrawn, "list": _listed}[options["action"]]
        try:
            self.stdout.write(act(options))
        except (CalibrationError, OperatingPointError, InferenceError) as error:
            raise CommandError(str(error)) from error


def _model(options: Mapping[str, Any]) -> tuple[str, str]:
    return name_and_version(source_of(options["model"] or ""))


def _measured(options: Mapping[str, Any]) -> str:
    measured, source = calibrations.measure(_model(options), options["evidence"])
    lines = [_table(measured), f"From {source}. {_errors(measured.error, measured.by_chance)}"]
    if measured.judged < LEAST_JUDGED:
        lines.append(needed(measured.judged))
    return "\n".join(lines)


def _table(measured: Reliability) -> str:
    lines = ["score         mean   right                   judged"]
    lines += [
        f"{one.low:.1f} to {one.high:.1f}    {one.mean_score:.3f}  "
        f"{one.right.value:.3f} ({one.right.low:.3f} to {one.right.high:.3f})  {one.judged}"
        for one in measured.bins
    ]
    return "\n".join(lines)


def _errors(error: float, by_chance: float) -> str:
    return f"Expected calibration error: {error:.3f}; perfect scores would show {by_chance:.3f} with as few verdicts."


def _made(options: Mapping[str, Any]) -> str:
    row = calibrations.make(_model(options), options["evidence"], options["least"])
    return (
        f"{_errors(row.error, row.error_by_chance)} Once calibrated: {row.error_after:.3f}, on photos that its curve "
        f"was not made of.\nMade {row} from {row.judged} judged objects ({row.source}): stored objects show its "
        "probability."
    )


def _withdrawn(options: Mapping[str, Any]) -> str:
    return f"Withdrew {calibrations.withdraw(_model(options), options['number'])}."


def _listed(_options: Mapping[str, Any]) -> str:
    lines, counting = [], set[str]()
    for row in Calibration.objects.all():
        is_used = not row.is_withdrawn and row.model not in counting
        counting |= {row.model} if is_used else set()
        state = "withdrawn  " if row.is_withdrawn else ""
        lines.append(
            f"{'*' if is_used else ' '} {row}  {state}error {row.error:.3f}, calibrated {row.error_after:.3f}, from "
            f"{row.judged} verdicts  made {row.created_at:%Y-%m-%d %H:%M} UTC"
        )
    return "\n".join(lines) or f"There is no calibration yet. Make one with `{PROGRAM} calibration make`."
