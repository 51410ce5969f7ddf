"""One run over a large base: skips the photos already done and processes the rest, line by line, in order."""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from rich.console import Console

from detection.bulk.files import BadPhotoError, PhotoFile
from detection.bulk.inputs import Inputs
from detection.bulk.journal import Line, Run
from detection.bulk.pipeline import MAX_RESULTS_AHEAD, in_order
from detection.bulk.processing import Job, PhotoOptions, process_photo
from detection.bulk.progress import format_duration, meter
from detection.bulk.stopping import stopping
from detection.models import Detection
from detection.serving import service as serving

# Photos being read, drawn or written to the history, beside those in the detector.
AHEAD = 8
ALL_DONE, NONE_DONE, SOME_FAILED, STOPPED = 0, 1, 3, 130


class Output(Protocol):
    """Interface of the output: writes lines, skips photos that have one already, and counts both kinds."""

    @property
    def answered(self) -> int: ...

    @property
    def failed(self) -> int: ...

    def take_done(self, name: str) -> bool: ...

    def add(self, line: Line) -> None: ...


@dataclass(frozen=True, slots=True)
class Task:
    """Task of a run: its photos and its options. goes_on: it was stopped before."""

    inputs: Inputs
    options: PhotoOptions
    run: Run
    resumes: bool = False


@dataclass(frozen=True, slots=True)
class Totals:
    """Totals of a run. answered, failed: photos of the output; now: how many of them in this run, in `seconds`."""

    answered: int
    failed: int
    now: int
    seconds: float
    was_stopped: bool

    @property
    def exit_code(self) -> int:
        """0: all photos are done; 3: some failed; 1: none could be done; 130: stopped by a signal."""
        if self.was_stopped:
            return STOPPED
        if not self.answered:
            return NONE_DONE
        return SOME_FAILED if self.failed else ALL_DONE

    def __str__(self) -> str:
        rate = self.now / self.seconds if self.seconds else 0.0
        counts = f"{self.answered:,} photos answered, {self.failed:,} failed"
        this_run = f"{self.now:,} of them in this run: {format_duration(self.seconds)}, {rate:.1f} photos a second"
        if self.answered + self.failed == 0:
            counts = "No photo was found"
        return f"{'Stopped. ' if self.was_stopped else ''}{counts}; {this_run}."


def process_all(task: Task, output: Output, console: Console) -> Totals:
    """Process every photo that is not done yet, and print progress and failed photos on `console`.

    The model must be loaded, with a queue that refuses nothing. Raises the errors of `process_photo` and
    `output.add`; all photos before that one are done then.
    """
    before, started = output.answered + output.failed, time.monotonic()
    with stopping() as stop, meter(console, task.inputs.count(), before) as shown:
        for line in _lines(task, stop.until_requested(task.inputs.photos()), output):
            output.add(line)
            shown.advance()
            if "error" in line:
                shown.say(f"{line['file']}: {line['error']}")
    now = output.answered + output.failed - before
    return Totals(output.answered, output.failed, now, time.monotonic() - started, stop.requested)


def _lines(task: Task, photos: Iterator[PhotoFile], output: Output) -> Iterator[Line]:
    at_once = serving.photos_at_once() + AHEAD
    # Unfinished photos that the stopped run may have recorded.
    unsure = MAX_RESULTS_AHEAD + at_once if task.resumes and task.options.record else 0
    jobs = _jobs(photos, output, task.run.uuid, unsure)
    return in_order(jobs, partial(process_photo, options=task.options), at_once)


def _jobs(photos: Iterator[PhotoFile], output: Output, run_uuid: uuid.UUID, unsure: int) -> Iterator[Job]:
    for position, photo in enumerate(photos):
        if output.take_done(photo.name):
            continue
        # The same for the same photo of the same run, also after a kill and a restart.
        detection_uuid = uuid.uuid5(run_uuid, f"{position}:{photo.name}")
        is_recorded = unsure > 0 and Detection.objects.filter(uuid=detection_uuid).exists()
        unsure -= 1
        yield Job(photo, _read(photo) if photo.in_sequence else None, detection_uuid, is_recorded)


def _read(photo: PhotoFile) -> bytes | BadPhotoError:
    try:
        return photo.read()
    except BadPhotoError as error:
        return error
