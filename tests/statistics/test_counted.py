"""Objects behind the dashboard's numbers: each link shows exactly what its number counts."""

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from detection.accounts.access import ANYBODY
from detection.history import trash
from detection.inference.types import PixelBox
from detection.models import Detection, Tally
from detection.review import service as review_service
from detection.review.service import Reviewer, Statement
from detection.statistics import counted, queries
from detection.statistics.counted import Counted
from detection.statistics.queries import Scope
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db


def say(detection: Detection, version: int, *statements: Statement) -> None:
    review_service.judge(detection, version, list(statements), Reviewer(), reviewed=True)


@pytest.fixture
def history() -> None:
    """A month with every kind of verdict, one taken back, one said twice, and a detection in the trash."""
    now = datetime.now(UTC)
    first = stored_detection(("cat", 0.93), ("cat", 0.61), ("dog", 0.6), created_at=now - timedelta(days=3))
    say(first, 0, Statement("0", "confirmed"), Statement("1", "rejected"), Statement("2", "relabelled", "wolf"))
    say(first, 1, Statement("1", "confirmed"))
    second = stored_detection(("dog", 0.95), ("cat", 1.0), ("cat", 0.2), created_at=now - timedelta(days=2))
    say(second, 0, Statement("0", "rejected"), Statement("1", "corrected", None, PixelBox(0, 0, 5, 5)))
    drawn = PixelBox(1, 1, 5, 5)
    say(second, 1, Statement(None, "added", "cat", drawn), Statement(None, "added", "dog", drawn))
    say(second, 2, Statement("a2", "rejected"))
    stored_detection(created_at=now - timedelta(days=1), source="page")
    gone = stored_detection(("cat", 0.9), ("dog", 0.8))
    trash.remove(gone)


def all_of(what: Counted, size: int = 2) -> list[counted.Shown]:
    found: list[counted.Shown] = []
    after: tuple[int, int] | None = None
    more = True
    while more:
        page, more = counted.page_of(what, ANYBODY, after, size)
        found += page
        if page:
            detection, number = page[-1].place.split(".")
            after = (int(detection), int(number))
    return found


@pytest.mark.usefixtures("history")
def test_each_number_has_as_many_objects_as_it_counts() -> None:
    scope = Scope()
    sums = scope.sums(tuple(Tally.Kind), "kind", "class_name", "detail")
    kinds = {kind for kind, _, _ in sums}
    assert kinds >= {"object", "score", "empty", "confirmed", "rejected", "relabelled", "corrected", "added"}
    for (kind, class_name, detail), count in sums.items():
        if kind == Tally.Kind.PHOTO:
            continue
        if kind == Tally.Kind.SCORE:
            what = Counted(scope, score_bin=int(detail))
        else:
            what = Counted(scope, kind, class_name, detail)
        shown = all_of(what)
        assert len({one.place for one in shown}) == len(shown) == count == counted.total(what), (kind, class_name)
        assert {one.class_name for one in shown} <= {class_name} or not class_name


@pytest.mark.usefixtures("history")
def test_scope_holds_for_objects_too() -> None:
    today = datetime.now(UTC).date()
    for scope in (
        Scope(last=today - timedelta(days=3)),
        Scope(first=today - timedelta(days=2), last=today),
        Scope(source="page"),
        Scope(source="api"),
        Scope(model_name="no such model"),
    ):
        for kind in counted.KINDS:
            what = Counted(scope, kind)
            assert len(all_of(what)) == counted.total(what), (scope, kind)


@pytest.mark.usefixtures("history")
def test_every_link_of_the_dashboard_shows_its_number() -> None:
    page = Client().get("/dashboard/?period=all").content.decode()
    links = re.findall(r'<a (?:class="tile-value" )?href="(/dashboard/objects/[^"]*)">([\d,]+)</a>', page)
    assert len(links) > 10
    for href, number in links:
        shown = Client().get(html.unescape(href))
        assert shown.status_code == 200
        crops = shown.content.decode().count('class="crop"')
        assert crops == int(number), href


@pytest.mark.usefixtures("history")
def test_plots_lead_to_what_their_tables_link() -> None:
    page = Client().get("/dashboard/").content.decode()
    followed = {
        one for plot in re.findall(r"<svg xmlns.*?</svg>", page, re.DOTALL) for one in _hrefs("data-href", plot)
    }
    linked = set(_hrefs("href", page))
    assert len(followed) > 5
    assert followed <= linked


def _hrefs(attribute: str, text: str) -> list[str]:
    return re.findall(rf'[ ]{attribute}="(/dashboard/objects/[^"]*)"', text)


def test_pages_follow_each_other() -> None:
    for _ in range(31):
        stored_detection(("cat", 0.9), ("cat", 0.8))
    first = Client().get("/dashboard/objects/?class=cat&period=all").content.decode()
    assert first.count('class="crop"') == 60
    more = re.search(r'rel="next" href="([^"]*)"', first)
    assert more is not None
    second = Client().get(html.unescape(more[1])).content.decode()
    assert second.count('class="crop"') == 2
    assert 'rel="next"' not in second


@pytest.mark.parametrize("query", ["kind=nothing", "score=20", "after=x", "date_from=2026-02-30"])
def test_address_that_cannot_be_read_is_refused(query: str) -> None:
    response = Client().get(f"/dashboard/objects/?{query}")
    assert response.status_code == 400
    assert 'role="alert"' in response.content.decode()


def test_numbers_of_queries_are_those_of_the_counters() -> None:
    stored_detection(("cat", 0.65), ("cat", 0.35), ("cat", 0.15), threshold=0.1)
    for place, count in enumerate(queries.scores(Scope())):
        assert len(all_of(Counted(Scope(), score_bin=place))) == count
