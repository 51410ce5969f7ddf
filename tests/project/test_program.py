"""Messages name commands as they are written where the reader is: `manage.py migrate`, or `detector-site migrate`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from detection.conf import BASE_DIR
from detection.program import PROGRAM, program

IN_CODE = ("detection", "detector_site")
NAMES_IT = {"detection/program.py"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(("manage.py", "models/net.json"), "manage.py", id="clone or image"),
        pytest.param(("detection/program.py",), "detector-site", id="site-packages"),
        pytest.param(("manage.py",), "detector-site", id="site-packages with a manage.py of others"),
    ],
)
def test_program_is_that_of_the_place(files: tuple[str, ...], expected: str, tmp_path: Path) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    assert program(tmp_path) == expected


def test_tests_run_in_a_clone() -> None:
    assert PROGRAM == "manage.py"


def texts_of(source: str) -> Iterator[str]:
    """Yield the texts of a module that are no docstrings."""
    tree = ast.parse(source)
    strings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in strings:
            yield node.value


def test_no_message_has_the_name_of_one_of_them() -> None:
    modules = [path for folder in IN_CODE for path in (BASE_DIR / folder).rglob("*.py")]
    assert len(modules) > 100
    texts = {path.relative_to(BASE_DIR).as_posix(): texts_of(path.read_text(encoding="utf-8")) for path in modules}
    named = {
        name for name, found in texts.items() if any("manage.py" in text or "`detector-site " in text for text in found)
    }
    pages = [*(BASE_DIR / "templates").rglob("*.html"), *(BASE_DIR / "detection" / "locale").rglob("*.po")]
    named |= {str(path) for path in pages if "manage.py" in path.read_text(encoding="utf-8")}
    assert named == NAMES_IT
