"""`manage.py detect`: detects in a large base of photos, from folders and archives, and resumes where it stopped."""

import importlib.util
import os
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone
from rich.console import Console

from detection.bulk.arguments import add_frames, add_tiles, probability
from detection.bulk.cluster import LOCAL, Cluster, Spread
from detection.bulk.files import PhotoFile, Skipped
from detection.bulk.journal import JSON_LINES, JournalError, Printed, Records, Run, RunFiles, open_run
from detection.bulk.output import FormatError, chosen_format, finish
from detection.bulk.processing import ALL_SIDECARS, SIDECARS, AnnotatedError, PhotoOptions
from detection.bulk.progress import say
from detection.bulk.running import Task, Totals, leave, process_all
from detection.bulk.shard import ALL, Shard
from detection.bulk.sources.inputs import Inputs
from detection.bulk.watching import Watched, move
from detection.conf import current
from detection.errors import DetectionTimeoutError, RequestError, StorageUnavailableError
from detection.inference.errors import InferenceError
from detection.inference.model_files import open_model
from detection.inference.network import Network
from detection.inference.precision.choice import settle_precision
from detection.inference.types import rest_of
from detection.predict import service as predict_service
from detection.program import PROGRAM
from detection.registry import catalogue
from detection.serving import service as serving

# The run limits the number of photos in flight itself; none is refused.
_UNBOUNDED = sys.maxsize
_GO_ON = "The same command goes on from there."


class Command(BaseCommand):
    """Command with exit code 0: all photos are done; 3: some failed, and are listed; 1: none could be done, or an error
    on standard error says why the run ended; 130: stopped by a signal. Ended early, the same command resumes.
    """

    help = (
        "Detect objects in many photos: files, folders with all below them, patterns, zip and tar archives, frames of "
        "videos (--frames), stores (s3://BUCKET/PREFIX and what else fsspec reads), CSV and Parquet lists with a "
        "column `path`; - reads names from standard input, one a line. Stopped or killed, the same command with the "
        "same --output goes on. "
        "The model is the one that a server answers with: the active version, else MODEL_PREFIX's."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="*", metavar="PATH", help="file, folder, pattern, archive, store or list")
        parser.add_argument(
            "--watch",
            type=Path,
            metavar="FOLDER",
            help="answer the photos that arrive in a folder, until it is stopped",
        )
        parser.add_argument(
            "--move-to", type=Path, metavar="FOLDER", help="with --watch: move each photo there that has its line"
        )
        parser.add_argument("--output", type=Path, metavar="FILE", help="for the results (default: standard output)")
        parser.add_argument("--format", help=f"jsonl, or one of `{PROGRAM} export` (default: as the name of FILE ends)")
        parser.add_argument("--annotated", type=Path, metavar="DIR", help="write the photos there, with red boxes")
        parser.add_argument(
            "--sidecars",
            nargs="?",
            const=ALL_SIDECARS,
            default="",
            choices=SIDECARS,
            help="add classes to XMP sidecars beside the photos: as keywords, and with all (the default) as regions",
        )
        parser.add_argument(
            "--ray", nargs="?", const=LOCAL, metavar="ADDRESS", help="detect on all nodes of a Ray cluster"
        )
        parser.add_argument("--record", action="store_true", help="keep photos and detections in the history")
        add_tiles(parser)
        add_frames(parser)
        parser.add_argument(
            "--shard", type=Shard.parse, default=ALL, metavar="K/N", help="take part K of N, by a hash of the names"
        )
        parser.add_argument("--threshold", type=probability, help="report objects above it (default: PROBABILITY_MORE)")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError when the run cannot start or resume, SystemExit with one of the
        codes.
        """
        try:
            totals = self._detect(options)
        except (JournalError, FormatError, InferenceError, RequestError) as error:
            raise CommandError(str(error)) from error
        except (AnnotatedError, StorageUnavailableError, DetectionTimeoutError) as error:
            raise CommandError(f"{error} {_GO_ON}") from error
        except BrokenPipeError:
            # The reader closed the pipe. The rest of the buffer is discarded, without a traceback.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(1) from None
        except (OSError, DatabaseError) as error:
            raise CommandError(f"{error}. Fix that. {_GO_ON}") from error
        finally:
            predict_service.stop()
        # Not in the red of errors.
        for line in (str(totals), totals.skipped):
            if line:
                self.stderr.write(line, style_func=str)
        if totals.exit_code:
            raise SystemExit(totals.exit_code)

    def _detect(self, options: dict[str, Any]) -> Totals:
        output: Path | None = options["output"]
        output_format = chosen_format(output, options["format"])
        console = Console(stderr=True)
        inputs = self._inputs(options, console)
        if options["record"]:
            call_command("migrate", interactive=False, verbosity=0)
        network, spread = self._model(options)
        tiles, point = spread.tiles, serving.point_of(network)
        # What the caller left open is left to the active operating point, photo by photo.
        wishes = PhotoOptions(options["threshold"], options["record"], options["annotated"], tiles, options["sidecars"])
        run = Run(
            uuid.uuid4(),
            output_format,
            rest_of(spread.threshold),
            network.name,
            network.sha256,
            timezone.now().isoformat(),
            network.version,
            tiles,
            str(inputs.shard),
            str(options["watch"] or ""),
            str(options["frames"] or ""),
            point.name if point is not None and options["threshold"] is None else "",
        )
        self.stderr.write(f"Model: {run.model}", style_func=str)
        if output is None:
            return process_all(Task(inputs, wishes, run), Printed(self.stdout), console)
        run_files = RunFiles.of(output, output_format)
        with (
            open_run(run_files, run) as (run, resumes),
            Records(run_files.records) as records,
            _cluster(options, spread) as cluster,
        ):
            totals = process_all(Task(inputs, wishes, run, resumes, cluster, _on_done(options)), records, console)
            if not totals.was_stopped:
                finish(run_files, run)
        return totals

    def _model(self, options: dict[str, Any]) -> tuple[Network, Spread]:
        """Load the model, or read it where a cluster will load it. Raises InferenceError."""
        catalogue.use_points()
        source = catalogue.default_source()
        asked = replace(serving.detector_options(current.config()), source=source)
        if options["ray"] is None:
            serving.start(queue_size=_UNBOUNDED, source=source)
            network = serving.ask("").detector.network
        else:
            # The precision is chosen here, and is the same on all nodes.
            network, engine = settle_precision(open_model(source, asked.cache_dir), asked.engine)
            asked = replace(asked, engine=engine)
        threshold = serving.thresholds_of(network) if options["threshold"] is None else options["threshold"]
        return network, Spread(asked, threshold, options["tiles"] or network.tiles, network.sha256)

    def _inputs(self, options: dict[str, Any], console: Console) -> Inputs | Watched:
        """Return the photos of the command line. Raises RequestError where its options do not go together."""
        _require_one_input(options)
        if options["ray"] is not None:
            _require_cluster(options)
        output: Path | None = options["output"]
        all_skipped = None if output is None else output.with_name(f"{output.name}.skipped.txt")
        skipped, max_bytes = Skipped(all_skipped), current.config().max_body_bytes
        if options["watch"] is None:
            paths, frames = tuple(options["paths"]), options["frames"]
            return Inputs(paths, sys.stdin.buffer, max_bytes, options["shard"], skipped, frames)
        own = (output, all_skipped, options["move_to"], output and RunFiles.of(output, JSON_LINES).journal)
        return Watched(
            options["watch"],
            max_bytes,
            options["shard"],
            skipped,
            frozenset(path.absolute() for path in own if path is not None),
            lambda name: say(console, f"{name}: no photo by its name."),
        )


@contextmanager
def _cluster(options: dict[str, Any], spread: Spread) -> Iterator[Cluster | None]:
    """Make the detectors of a cluster, where one is asked for. Raises RequestError where it cannot be reached."""
    if options["ray"] is None:
        yield None
        return
    try:
        cluster = Cluster(options["ray"], spread.worker, uses_gpus=spread.options.engine.device != "cpu")
    except ConnectionError as error:
        raise RequestError(f"No Ray cluster answers at {options['ray']}. Start one with `ray start --head`.") from error
    try:
        yield cluster
    finally:
        cluster.close()


def _require_cluster(options: dict[str, Any]) -> None:
    if importlib.util.find_spec("ray") is None:
        raise RequestError("--ray needs Ray: run pip install -r requirements-ray.txt (or detector-site[ray]).")
    here = [name for name in ("watch", "record", "annotated", "sidecars") if options[name]]
    if here:
        raise RequestError(f"--{here[0]} works with the photos on this machine. Leave it or --ray out.")
    if options["output"] is None:
        raise RequestError("--ray needs --output FILE.")


def _require_one_input(options: dict[str, Any]) -> None:
    folder: Path | None = options["watch"]
    if bool(options["paths"]) == (folder is not None):
        raise RequestError("Name photos, or one folder with --watch.")
    if folder is None:
        if options["move_to"] is not None:
            raise RequestError("--move-to needs --watch.")
        return
    if options["frames"] is not None:
        raise RequestError("--frames does not go with --watch: videos that arrive are not read. Name them as paths.")
    if not folder.is_dir():
        raise RequestError(f"There is no folder {folder} to watch.")
    if options["output"] is None or chosen_format(options["output"], options["format"]) != JSON_LINES:
        raise RequestError("--watch needs --output FILE.jsonl, which tells after a restart what is done.")


def _on_done(options: dict[str, Any]) -> Callable[[PhotoFile], None]:
    folder, target = options["watch"], options["move_to"]
    if target is None:
        return leave
    return lambda photo: move(photo.given, folder, target)
