"""Lists of photos as CSV and Parquet: which column has the names, and what is no list."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from detection.bulk.sources.inputs import Inputs
from detection.bulk.sources.lists import ListError, names_in


def table(path: Path, columns: Mapping[str, Any]) -> Path:
    parquet.write_table(pyarrow.table(dict(columns)), path, row_group_size=2)
    return path


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("id,Path\n1,a.jpg\n2,b.jpg\n", id="the column path"),
        pytest.param("a.jpg,7\nb.jpg,8\n", id="else the first, from the first line on"),
        pytest.param('\ufeff"path"\r\n"a.jpg"\r\n\r\n"b.jpg"\r\n', id="of Excel"),
    ],
)
def test_csv_gives_the_names_of_one_column(text: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text, encoding="utf-8")
    assert list(names_in(path)) == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"id": [1, 2, 3], "path": ["a.jpg", None, "b.jpg"]}, id="the column path"),
        pytest.param({"photo": ["a.jpg", "b.jpg"], "id": [1, 2]}, id="else the first"),
        pytest.param({"path": pyarrow.array(["a.jpg", "b.jpg"]).dictionary_encode()}, id="categories"),
    ],
)
def test_parquet_gives_the_names_of_one_column(columns: Mapping[str, Any], tmp_path: Path) -> None:
    assert list(names_in(table(tmp_path / "list.parquet", columns))) == ["a.jpg", "b.jpg"]


def test_parquet_without_names_or_damaged_says_so(tmp_path: Path) -> None:
    with pytest.raises(ListError, match="The column 'id' of the list has no text"):
        list(names_in(table(tmp_path / "numbers.parquet", {"id": [1]})))
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1")
    with pytest.raises(ListError, match="cannot be read any further"):
        list(names_in(tmp_path / "damaged.parquet"))


def test_list_of_a_command_line_names_photos_folders_and_no_further_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p").mkdir()
    Path("p/b.jpg").write_bytes(b"b")
    Path("a.jpg").write_bytes(b"a")
    Path("one.csv").write_text("path\na.jpg\ntwo.csv\np\ngone.jpg\n")
    Path("two.csv").write_text("a.jpg\n")
    with Path("two.csv").open("rb") as nothing:
        found = Inputs(("*.csv",), nothing, 1000)
        assert [photo.name for photo in found.photos()] == ["a.jpg", "two.csv", "p/b.jpg", "gone.jpg", "a.jpg"]
        assert found.count() is None
