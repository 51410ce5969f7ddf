"""One run over a large base: skips the photos already done and processes the rest, line by line, in order."""

import itertools
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from rich.console import Console

from detection.bulk.cluster import CHUNK, Cluster
from detection.bulk.files import BadPhotoError, PhotoFile, Skipped
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

    def take_done(self, name: str, version: str = "") -> bool: ...

    def add(self, line: Line) -> None: ...


class Photos(Protocol):
    """Interface of the photos of a run: named files, with None where there is none for now."""

    @property
    def skipped(self) -> Skipped: ...

    def photos(self) -> Iterator[PhotoFile] | Iterator[PhotoFile | None]: ...

    def count(self) -> int | None: ...


def leave(_photo: PhotoFile) -> None:
    """Leave a photo where it is."""


@dataclass(frozen=True, slots=True)
class Task:
    """Task of a run: its photos and its options. resumes: it was stopped before. cluster: the machines that detect,
    None for this one. on_done: gets each photo that has its
    line.
    """

    inputs: Photos
    options: PhotoOptions
    run: Run
    resumes: bool = False
    cluster: Cluster | None = None
    on_done: Callable[[PhotoFile], None] = leave


@dataclass(frozen=True, slots=True)
class Totals:
    """Totals of a run. answered, failed: photos of the output; now: how many of them in this run, in `seconds`.
    skipped: a sentence about files that are no photos.
    """

    answered: int
    failed: int
    now: int
    seconds: float
    was_stopped: bool
    skipped: str = ""

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
        for photo, line in _lines(task, stop.until_requested(task.inputs.photos()), output):
            output.add(line)
            task.on_done(photo)
            shown.advance()
            if "error" in line:
                shown.say(f"{line['file']}: {line['error']}")
    now = output.answered + output.failed - before
    return Totals(
        output.answered, output.failed, now, time.monotonic() - started, stop.requested, str(task.inputs.skipped)
    )


def _lines(
    task: Task, photos: Iterator[PhotoFile] | Iterator[PhotoFile | None], output: Output
) -> Iterator[tuple[PhotoFile, Line]]:
    if task.cluster is not None:
        return _lines_of_cluster(task.cluster, _jobs(task, photos, output, 0))
    at_once = serving.photos_at_once() + AHEAD
    # Unfinished photos that the stopped run may have recorded.
    unsure = MAX_RESULTS_AHEAD + at_once if task.resumes and task.options.record else 0
    jobs = _jobs(task, photos, output, unsure)
    return in_order(jobs, lambda job: (job.photo, process_photo(job, task.options)), at_once)


def _lines_of_cluster(cluster: Cluster, jobs: Iterator[Job | None]) -> Iterator[tuple[PhotoFile, Line]]:
    chunks = _chunks(_with_content(job) for job in jobs if job is not None)
    for photos, lines in cluster.answers(chunks):
        yield from zip(photos, lines, strict=True)


def _chunks(photos: Iterator[PhotoFile]) -> Iterator[list[PhotoFile]]:
    while chunk := list(itertools.islice(photos, CHUNK)):
        yield chunk


def _with_content(job: Job) -> PhotoFile:
    """Return a photo that can be read anywhere: one of an archive takes its bytes along."""
    if job.content is None:
        return job.photo
    return PhotoFile(job.photo.given, partial(_content, job.content))


def _content(content: bytes | BadPhotoError) -> bytes:
    if isinstance(content, BadPhotoError):
        raise content
    return content


def _jobs(
    task: Task, photos: Iterator[PhotoFile] | Iterator[PhotoFile | None], output: Output, unsure: int
) -> Iterator[Job | None]:
    for position, photo in enumerate(photos):
        if photo is None:
            yield None
            continue
        if output.take_done(photo.name, photo.version):
            task.on_done(photo)
            continue
        # The same for the same photo of the same run, also after a kill and a restart.
        detection_uuid = uuid.uuid5(task.run.uuid, f"{photo.version or position}:{photo.name}")
        is_recorded = unsure > 0 and Detection.objects.filter(uuid=detection_uuid).exists()
        unsure -= 1
        yield Job(photo, _read(photo) if photo.in_sequence else None, detection_uuid, is_recorded)


def _read(photo: PhotoFile) -> bytes | BadPhotoError:
    try:
        return photo.read()
    except BadPhotoError as error:
        return error
