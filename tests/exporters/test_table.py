"""The table of exports in docs/models.md is that of the recordings; each of its rows is a test of `test_recorded`."""

from pathlib import Path

from tests.exporters import recording

MODELS = Path(__file__).parents[2] / "docs" / "models.md"


def test_the_table_has_a_row_for_every_recording_and_no_other() -> None:
    lines = MODELS.read_text(encoding="utf-8").split("| export | made by | call | found again |\n")[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1 : 1 + len(recording.names())]]
    assert not lines[1 + len(recording.names())]
    for name, row in zip(recording.names(), rows, strict=True):
        recorded = recording.read(name)
        count = sum(map(len, recorded.objects))
        assert row == [f"`{name}`", ", ".join(recorded.made_by), recorded.call, f"{count} of {count}"]
    assert len(rows) >= 25
