"""The attacks are carried out, and what others notice of them is measured."""

import json
from pathlib import Path

from bench import attacks


def test_others_are_answered_under_an_attack(tmp_path: Path) -> None:
    names = ["trailers", "idle connections"]
    report = attacks.main(["--seconds=2", f"--results={tmp_path}", "--attacks", *names])
    written = json.loads((tmp_path / "attacks.json").read_text())["results"]
    assert set(written) == {"none", *names}
    for noticed in written.values():
        assert noticed["failures"] == []
        assert noticed["photos"] > 0
    values = {claim.text: claim.value for claim in report.claims}
    for name in names:
        assert values[f"peak of the resident set, {name}"] < 1500
        assert values[f"slowest health check, {name}"] < 10_000
