"""A watched folder with 1,000 mixed files that arrive while the command is killed three times."""

from pathlib import Path

import pytest

from tests.support.arrivals import assert_each_answered_once_through_kills


@pytest.mark.timeout(900)
def test_each_of_a_thousand_files_is_answered_once_or_named(tmp_path: Path) -> None:
    assert_each_answered_once_through_kills(tmp_path, count=1000, kills=3)
