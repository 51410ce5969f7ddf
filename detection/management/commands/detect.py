"""`manage.py detect`: detects in a large base of photos, from folders and archives, and resumes where it stopped."""

import os
import sys
import uuid
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from django.utils import timezone
from rich.console import Console

from detection.bulk.arguments import probability
from detection.bulk.inputs import Inputs
from detection.bulk.journal import JournalError, Printed, Records, Run, RunFiles, open_run
from detection.bulk.output import FormatError, chosen_format, finish
from detection.bulk.processing import AnnotatedError, PhotoOptions
from detection.bulk.running import Task, Totals, process_all
from detection.conf import current
from detection.errors import DetectionTimeoutError, StorageUnavailableError
from detection.inference.errors import InferenceError
from detection.predict import service as predict_service
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
        "Detect objects in many photos: files, folders with all below them, patterns, zip and tar archives; - reads "
        "names from standard input, one a line. Stopped or killed, the same command with the same --output goes on. "
        "The model is the one that a server answers with: the active version, else MODEL_PREFIX's."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", metavar="PATH", help="file, folder, pattern or archive; - for a list")
        parser.add_argument("--output", type=Path, metavar="FILE", help="for the results (default: standard output)")
        parser.add_argument("--format", help="jsonl, or one of `manage.py export` (default: as the name of FILE ends)")
        parser.add_argument("--annotated", type=Path, metavar="DIR", help="write the photos there, with red boxes")
        parser.add_argument("--record", action="store_true", help="keep photos and detections in the history")
        parser.add_argument("--threshold", type=probability, help="report objects above it (default: PROBABILITY_MORE)")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the command. Raises CommandError when the run cannot start or resume, SystemExit with one of the
        codes.
        """
        try:
            totals = self._detect(options)
        except (JournalError, FormatError, InferenceError) as error:
            raise CommandError(str(error)) from error
        except (AnnotatedError, StorageUnavailableError, DetectionTimeoutError) as error:
            raise CommandError(f"{error} {_GO_ON}") from error
        except BrokenPipeError:
            # The reader closed the pipe. The rest of the buffer is discarded, without a traceback.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(1) from None
        except (OSError, DatabaseError) as error:
            raise CommandError(f"{error}. Mend that. {_GO_ON}") from error
        finally:
            predict_service.stop()
        # Not in the red of errors.
        self.stderr.write(str(totals), style_func=str)
        if totals.exit_code:
            raise SystemExit(totals.exit_code)

    def _detect(self, options: dict[str, Any]) -> Totals:
        output: Path | None = options["output"]
        output_format = chosen_format(output, options["format"])
        config = current.config()
        inputs = Inputs(tuple(options["paths"]), sys.stdin.buffer, config.max_body_bytes)
        if options["record"]:
            call_command("migrate", interactive=False, verbosity=0)
        serving.start(queue_size=_UNBOUNDED, source=catalogue.default_source())
        model = serving.model_info()
        threshold = model["threshold"] if options["threshold"] is None else options["threshold"]
        wishes = PhotoOptions(threshold, options["record"], options["annotated"])
        run = Run(
            uuid.uuid4(),
            output_format,
            threshold,
            model["name"],
            model["sha256"],
            timezone.now().isoformat(),
            model["version"],
        )
        self.stderr.write(f"Model: {run.model}", style_func=str)
        console = Console(stderr=True)
        if output is None:
            return process_all(Task(inputs, wishes, run), Printed(self.stdout), console)
        run_files = RunFiles.of(output, output_format)
        with open_run(run_files, run) as (run, resumes), Records(run_files.records) as records:
            totals = process_all(Task(inputs, wishes, run, resumes), records, console)
            if not totals.was_stopped:
                finish(run_files, run)
        return totals
