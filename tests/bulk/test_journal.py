"""The journal of a run: what is done is not done again, and half a line is no line."""

import json
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from detection.bulk.journal import JournalError, Line, Printed, Records, Run, RunFiles, open_run, read_lines

RUN = Run(uuid.UUID(int=1), "jsonl", 0.5, "model", "ab" * 32, "2026-01-02T03:04:05+00:00")
FIRST: Line = {"file": "a.jpg", "prediction": []}
SECOND: Line = {"file": "b.jpg", "error": "It is damaged."}


@pytest.fixture
def run_files(tmp_path: Path) -> RunFiles:
    return RunFiles.of(tmp_path / "out.jsonl", "jsonl")


def written(run_files: RunFiles, *lines: Line) -> None:
    with open_run(run_files, RUN), Records(run_files.records) as records:
        for line in lines:
            records.add(line)


def test_new_run_begins_with_nothing_done(run_files: RunFiles) -> None:
    with open_run(run_files, RUN) as (run, resumes), Records(run_files.records) as records:
        assert (run, resumes) == (RUN, False)
        assert not records.take_done("a.jpg")
        records.add(FIRST)
        assert json.loads(run_files.output.read_text()) == FIRST
    assert (records.answered, records.failed) == (1, 0)


def test_stopped_run_goes_on_with_what_is_done(run_files: RunFiles) -> None:
    written(run_files, FIRST, SECOND)
    wanted = replace(RUN, uuid=uuid.uuid4(), begun_at="later")
    with open_run(run_files, wanted) as (run, resumes), Records(run_files.records) as records:
        assert (run, resumes) == (RUN, True)
        assert (records.answered, records.failed) == (1, 1)
        assert [records.take_done(name) for name in ("a.jpg", "b.jpg", "c.jpg")] == [True, True, False]


def test_photo_that_is_named_twice_is_done_twice(run_files: RunFiles) -> None:
    written(run_files, FIRST)
    with Records(run_files.records) as records:
        assert [records.take_done("a.jpg"), records.take_done("a.jpg")] == [True, False]


@pytest.mark.parametrize("cut", [1, 5, 20], ids=lambda cut: f"{cut} bytes")
def test_half_a_line_is_cut_off_and_done_again(cut: int, run_files: RunFiles) -> None:
    written(run_files, FIRST, SECOND)
    whole = run_files.output.read_bytes()
    run_files.output.write_bytes(whole[:-cut])
    with Records(run_files.records) as records:
        assert not records.take_done("b.jpg")
        records.add(SECOND)
    assert run_files.output.read_bytes() == whole


def test_lines_are_read_one_at_a_time_up_to_the_half_one(run_files: RunFiles) -> None:
    written(run_files, FIRST, SECOND)
    with run_files.output.open("ab") as file:
        file.write(b'{"file": "c')
    assert list(read_lines(run_files.output)) == [FIRST, SECOND]


@pytest.mark.parametrize("line", ["no JSON", "[]", "{}", '{"file": 1}', '"file"'], ids=str)
def test_output_of_another_program_is_left_alone(line: str, run_files: RunFiles) -> None:
    run_files.records.write_text(f"{json.dumps(FIRST)}\n{line}\n{json.dumps(SECOND)}\n")
    before = run_files.records.read_bytes()
    with pytest.raises(JournalError, match=r"Line 2 of .*out\.jsonl is no record of this command"):
        Records(run_files.records)
    assert run_files.records.read_bytes() == before


def test_finished_output_is_not_written_again(run_files: RunFiles) -> None:
    written(run_files, FIRST)
    run_files.remove_journal()
    with pytest.raises(JournalError, match="is there already, complete"), open_run(run_files, RUN):
        pass
    assert [path.name for path in run_files.output.parent.iterdir()] == ["out.jsonl"]


def test_two_commands_do_not_write_one_output(run_files: RunFiles) -> None:
    with (
        open_run(run_files, RUN),
        pytest.raises(JournalError, match="Another command is writing"),
        open_run(run_files, RUN),
    ):
        pass
    assert run_files.journal.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"threshold": 0.3}, "another threshold: 0.5, and now it is 0.3", id="threshold"),
        pytest.param({"model_sha256": "cd" * 32}, "another model: abab", id="model"),
        pytest.param({"format": "coco"}, "another format: jsonl, and now it is coco", id="format"),
    ],
)
def test_run_does_not_go_on_with_other_wishes(change: dict[str, object], said: str, run_files: RunFiles) -> None:
    written(run_files, FIRST)
    with pytest.raises(JournalError, match=said), open_run(run_files, replace(RUN, **change)):  # type: ignore[arg-type]
        pass
    assert list(read_lines(run_files.output)) == [FIRST]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"uuid": "x"}'], ids=str)
def test_damaged_journal_says_what_to_remove(content: str, run_files: RunFiles) -> None:
    run_files.journal.write_text(content)
    with pytest.raises(JournalError, match=r"out\.jsonl\.journal is damaged\. Remove it"), open_run(run_files, RUN):
        pass


def test_journal_that_a_kill_left_empty_begins_anew(run_files: RunFiles) -> None:
    run_files.journal.touch()
    with open_run(run_files, RUN) as (run, resumes):
        assert (run, resumes) == (RUN, False)


def test_records_of_other_formats_are_beside_the_output_until_it_is_there(tmp_path: Path) -> None:
    run_files = RunFiles.of(tmp_path / "out.csv", "csv")
    written(run_files, FIRST)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv.journal", "out.csv.part.jsonl"]
    run_files.remove_journal()
    assert list(tmp_path.iterdir()) == []


def test_printed_lines_are_flushed_and_counted() -> None:
    class Stream:
        def __init__(self) -> None:
            self.text, self.flushed = "", 0

        def write(self, text: str, /) -> None:
            self.text += text

        def flush(self) -> None:
            self.flushed += 1

    stream = Stream()
    printed = Printed(stream)
    for line in (FIRST, SECOND):
        printed.add(line)
    assert [json.loads(line) for line in stream.text.splitlines()] == [FIRST, SECOND]
    assert (printed.answered, printed.failed, stream.flushed) == (1, 1, 2)
    assert not printed.take_done("a.jpg")
