"""The attacks are carried out, and what others notice of them is measured."""

import json
from pathlib import Path

from bench import attacks


def test_others_are_answered_under_an_attack(tmp_path: Path) -> None:
    name = "trailers"
    access = ["open", "login"]
    report = attacks.main(
        ["--seconds=1", "--rounds=1", f"--results={tmp_path}", "--attacks", name, "--access", *access]
    )
    written = json.loads((tmp_path / "attacks.json").read_text())["results"]
    assert set(written) == {f"{each}: {name}" for each in access}
    for noticed in written.values():
        assert noticed["failures"] == []
        assert noticed["photos"] > 0
    values = {claim.text: claim.value for claim in report.claims}
    for each in access:
        assert values[f"peak of the resident set: {each}, {name}"] < 1500
        assert values[f"slowest health check: {each}, {name}"] < 10_000
