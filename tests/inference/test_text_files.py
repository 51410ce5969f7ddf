"""Text files that people bring, as editors of any system save them."""

import codecs
from pathlib import Path

import pytest

from detection.inference.class_names import read_classes
from detection.inference.errors import CheckpointError
from detection.inference.text_files import TextError, decode_text, parse_json, read_lines

FORMS = {
    "plain": b"helmet\nhead\n",
    "no last line end": b"helmet\nhead",
    "byte order mark": codecs.BOM_UTF8 + b"helmet\nhead\n",
    "Windows": codecs.BOM_UTF8 + b"helmet\r\nhead\r\n",
    "old Mac": b"helmet\rhead\r",
    "mixed, with empty lines": b"\n helmet \r\n\r\rhead\n\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_lines_do_not_depend_on_the_editor(form: str, tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_bytes(FORMS[form])
    assert read_lines(path) == ["helmet", "head"]
    assert read_classes(path) == ("helmet", "head")


@pytest.mark.parametrize(
    "name", ["گل\N{ZERO WIDTH NON-JOINER}میخ", "क्\N{ZERO WIDTH JOINER}ष", "信号\u3000機", "a\u00a0b"]
)
def test_names_are_kept_exactly(name: str, tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_text(f"{name}\nb\n", encoding="utf-8")
    assert read_classes(path) == (name, "b")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param("каска".encode("cp1251"), r"it is not UTF-8 text: byte 1 ", id="Windows-1251"),
        pytest.param("каска".encode("utf-16"), "it is UTF-16 text: save it as UTF-8", id="UTF-16"),
        pytest.param(b"a" * 10_000_000 + b"\xff", r"byte 10,000,001 belongs to no character$", id="large"),
    ],
)
def test_another_encoding_is_told_in_a_short_clause(data: bytes, reason: str) -> None:
    with pytest.raises(TextError, match=reason) as refused:
        decode_text(data)
    assert len(str(refused.value)) < 100


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(b'{"a": \n1,]', "it is no JSON: .* in line 2, column", id="no JSON"),
        pytest.param(b"[" * 100_000, "nested too deeply", id="deep"),
        pytest.param(b"9" * 10_000, "too many digits", id="long number"),
        pytest.param(b"\xff\xd8\xff\xe0", "not UTF-8", id="a photo"),
    ],
)
def test_what_is_no_json_is_told(data: bytes, reason: str) -> None:
    with pytest.raises(TextError, match=reason):
        parse_json(data)
    assert parse_json(codecs.BOM_UTF8 + b'{"a":\r\n1}') == {"a": 1}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("a\u2028b", r"class 2 .* U\+2028 \(line separator\)", id="line separator"),
        pytest.param("a\x85b", r"class 2 .* U\+0085", id="next line"),
        pytest.param("a\x0cb", r"class 2 .* U\+000C", id="form feed"),
        pytest.param("a\x1b[31m", r"class 2 .* U\+001B", id="escape"),
        pytest.param("a\0b", r"class 2 .* U\+0000", id="NUL"),
        pytest.param("gpj.\u202eexe", r"U\+202E \(right-to-left override\)", id="turned direction"),
        pytest.param("x" * 101, "101 characters: shorten it to 100", id="longer than the database holds"),
    ],
)
def test_a_name_that_is_no_line_is_refused(name: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "classes.txt"
    path.write_text(f"cat\n{name}\n", encoding="utf-8")
    with pytest.raises(CheckpointError, match=reason):
        read_classes(path)
