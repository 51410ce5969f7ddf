"""`tools.container` reads the Dockerfile as a builder does. The steps themselves run where root and debootstrap are."""

from pathlib import Path

import pytest

from tools import container
from tools.container import Image, instructions


def test_lines_are_joined_and_comments_left_out() -> None:
    text = '# of nothing\nFROM a\n\nRUN one \\\n  # beside\n  && two\nCMD ["x"]\n'
    assert list(instructions(text)) == [("FROM", "a"), ("RUN", "one    && two"), ("CMD", '["x"]')]


def test_every_instruction_is_carried_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr("tools.container.subprocess.run", lambda command, **_: ran.append(command))
    image = Image(tmp_path)
    container.build(image, "cpu")
    assert any("VARIANT=cpu" in command for command in ran)
    assert "collectstatic" in " ".join(map(str, ran))
    assert (tmp_path / "app" / "manage.py").is_file()
    assert (tmp_path / "app" / "detection" / "web" / "api_docs" / "examples.json").is_file()
    assert (image.user, image.folder, image.command) == ("10001", "/app", ["python", "manage.py", "serve"])
    assert image.health == ["python", "-m", "detection.serving.probe"]
    times = {"interval": "30s", "timeout": "5s", "start_period": "90s", "retries": "3"}
    assert image.health_times == times
    assert image.environment["DATA_DIR"] == "/data"
    assert image.prefix()[:3] == ["chroot", "--userspec=10001:10001", str(tmp_path)]


def test_unknown_instruction_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "instructions", lambda _text: iter([("STOPSIGNAL", "9")]))
    with pytest.raises(ValueError, match="STOPSIGNAL is not known here"):
        container.build(Image(tmp_path), "cpu")
