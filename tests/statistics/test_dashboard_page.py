"""The page of the numbers: figures, filters, what it says where there is nothing."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from django.test import Client

from detection.review import service as review_service
from detection.review.service import Reviewer, Statement
from tests.accounts.test_access import login
from tests.support.accounts import account
from tests.support.builders import stored_detection

pytestmark = pytest.mark.django_db
__all__ = ["login"]
FIGURES = ["photos", "objects", "classes", "precision", "scores", "confusion"]


def shown(query: str = "", **headers: str) -> str:
    response = Client(headers=headers).get(f"/dashboard/{query}")
    assert response.status_code == 200
    return response.content.decode()


def plots(page: str) -> dict[str, ET.Element]:
    """The plots of a page by the key of their figure."""
    found = [ET.fromstring(text) for text in re.findall(r"<svg xmlns.*?</svg>", page, re.DOTALL)]
    return {str(root.get("aria-labelledby")).removeprefix("plot-").removesuffix("-title"): root for root in found}


def tooltips(root: ET.Element) -> list[str]:
    titles = [str(one.text) for one in root.iter() if one.tag.endswith("}title")]
    return titles[1:]


def ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


def figures(page: str) -> list[str]:
    return re.findall(r'<section class="panel figure[^"]*" id="(\w+)"', page)


def test_every_figure_has_its_data_as_plot_table_and_download() -> None:
    made = stored_detection(("cat", 0.93), ("dog", 0.61))
    review_service.judge(made, 0, [Statement("1", "relabelled", "wolf")], Reviewer(), reviewed=True)
    stored_detection()
    page = shown()
    assert figures(page) == FIGURES
    assert set(plots(page)) == {"photos", "objects", "classes", "precision", "scores"}
    assert [text for text in tooltips(plots(page)["photos"]) if "nothing found" in text] == [
        f"{date.today():%-d %B %Y}\nwith objects: 1\nnothing found: 1"  # noqa: DTZ011 (tests run in UTC)
    ]
    assert [text for text in tooltips(plots(page)["scores"]) if not text.endswith(": 0")] == [
        "60\N{EN DASH}65 %: 1",
        "90\N{EN DASH}95 %: 1",
    ]
    assert re.search(
        r'<th scope="row">dog</th>(<td class="heat-\d">\d*</td>)*<td class="heat-5"><a href="[^"]*">1</a></td>', page
    )
    for key in FIGURES:
        assert f'href="/api/statistics/{key}.csv"' in page
    assert page.count("<details>") == 5


def test_share_and_precision_stand_alone_with_their_counts() -> None:
    made = stored_detection(("cat", 0.93), ("cat", 0.8), ("cat", 0.7), ("dog", 0.61))
    review_service.judge(made, 0, [Statement("3", "rejected")], Reviewer(), reviewed=True)
    stored_detection()
    tiles = re.findall(
        r'<dt>(.*?)</dt>\s*<dd><(?:span|a) class="tile-value"[^>]*>(.*?)</(?:span|a)> <span class="tile-hint">(.*?)<',
        shown(),
    )
    assert [(title, value.replace("\xa0", " ")) for title, value, _ in tiles] == [
        ("Photos", "2"),
        ("Objects", "4"),
        ("Nothing found", "50.0 %"),
        ("Precision", "75.0 %"),
    ]
    assert "of 4 judged objects" in tiles[3][2]


@pytest.mark.parametrize(
    ("query", "photos"),
    [
        pytest.param("", 2, id="thirty days"),
        pytest.param("?period=7", 1, id="seven days"),
        pytest.param("?period=90", 3, id="ninety days"),
        pytest.param("?period=all", 4, id="all"),
        pytest.param("?period=all&source=page", 1, id="source"),
        pytest.param("?period=all&model=other", 1, id="model"),
        pytest.param("?period=7&date_from=2020-01-01", 4, id="dates take precedence"),
    ],
)
def test_filters_choose_what_is_counted(query: str, photos: int) -> None:
    for days, fields in ((0, {"source": "page"}), (10, {}), (60, {"model_name": "other"}), (400, {})):
        stored_detection(("cat", 0.9), created_at=ago(days), **fields)
    assert f'<dt>Photos</dt>\n    <dd><span class="tile-value">{photos}</span>' in shown(query)


def test_links_and_downloads_keep_the_filter() -> None:
    stored_detection(("cat", 0.9), source="page")
    page = shown("?period=90&source=page")
    assert '<a class="length" href="?period=7&amp;source=page"' in page
    assert '<a class="length" href="?period=90&amp;source=page" aria-current="true"' in page
    assert 'href="/api/statistics/photos.csv?period=90&amp;source=page"' in page
    assert '<option value="page" selected>' in page


def test_own_dates_choose_no_length() -> None:
    stored_detection(created_at=datetime(2026, 1, 31, tzinfo=UTC))
    page = shown("?date_from=2026-01-30&date_to=2026-02-02")
    assert "aria-current" not in re.findall(r'<nav class="lengths".*?</nav>', page, re.DOTALL)[0]
    assert len(tooltips(plots(page)["photos"])) == 4
    assert "30 January 2026 \N{EN DASH} 2 February 2026, in UTC" in page


def test_long_periods_are_drawn_by_month() -> None:
    for month in (1, 2, 5):
        stored_detection(("cat", 0.9), created_at=datetime(2025, month, 28, tzinfo=UTC))
    page = shown("?period=all")
    assert [text.split("\n")[0] for text in tooltips(plots(page)["photos"])] == [
        "January 2025",
        "February 2025",
        "March 2025",
        "April 2025",
        "May 2025",
    ]


def test_many_classes_are_cut_and_their_rest_is_told() -> None:
    objects = [(f"class {number:02d}", 0.9) for number in range(20)]
    stored_detection(*objects, ("class 00", 0.8))
    page = shown()
    assert len(tooltips(plots(page)["classes"])) == 11
    assert "The 11 most frequent classes; all others have 9 objects." in page
    assert "others: 15" in tooltips(plots(page)["objects"])[-1]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("?period=8", "There is no such period"),
        ("?date_from=yesterday", "“From” is no date"),
        ("?date_to=2026-02-30", "“To” is no date"),
        ("?date_from=2026-02-02&date_to=2026-02-01", "“To” lies before “From”"),
        ("?source=fax", "There is no such source"),
    ],
)
def test_filter_that_cannot_be_used_is_told_in_a_sentence(query: str, sentence: str) -> None:
    response = Client().get(f"/dashboard/{query}")
    assert response.status_code == 400
    assert sentence in response.content.decode()


@pytest.mark.parametrize("query", ["?date_from=0001-01-01", "?date_to=9999-12-31", "?date_from=9999-12-31"])
def test_ends_of_the_calendar_are_no_error(query: str) -> None:
    stored_detection(("cat", 0.9))
    assert "<h1" in shown(query)


@pytest.mark.parametrize("query", ["", "?period=all", "?period=7&source=api"])
def test_empty_history_says_what_to_do(query: str) -> None:
    page = shown(query)
    assert "Drop a photo on the first page" in page
    assert "Choose a longer period" not in page


def test_filter_that_finds_nothing_in_a_history_leads_to_all_of_it() -> None:
    stored_detection(("cat", 0.9))
    assert 'href="?period=all">Show all</a>' in shown("?date_to=2001-01-01")


def test_navigation_leads_to_the_admin_only_who_may_enter_it(login: Any) -> None:
    for user, is_shown in ((account("owner"), False), (account("boss", is_staff=True), True)):
        client = Client()
        client.force_login(user)
        assert ('href="/admin/"' in client.get("/dashboard/").content.decode()) == is_shown
        assert (client.get("/admin/").status_code == 200) == is_shown


def test_navigation_leads_no_stranger_to_the_admin() -> None:
    assert 'href="/admin/"' not in shown()


def test_what_nobody_judged_leads_to_the_review() -> None:
    stored_detection(("cat", 0.9))
    page = shown()
    assert "Nobody has judged an object of these photos yet." in page
    assert '<a href="/review/">Review photos</a>' in page
    assert "flatters the model" not in page


def test_precision_names_the_bias_of_reviews_with_boxes_shown() -> None:
    made = stored_detection(("cat", 0.9))
    review_service.judge(made, 0, [Statement("0", "rejected")], Reviewer(), reviewed=True)
    assert "boxes before they judged, which flatters the model." in shown()


def test_class_of_a_model_is_text_and_nothing_else() -> None:
    stored_detection(("<script>alert(1)</script>", 0.9))
    page = shown()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_page_is_russian_for_who_prefers_it() -> None:
    stored_detection(("cat", 0.9))
    page = shown(accept_language="ru")
    assert "Фотографии по времени" in page
    assert ">кошка</text>" in page


def test_each_user_sees_their_own_numbers_and_staff_all(login: Any) -> None:
    owner, other, staff = account("owner"), account("other"), account("boss", is_staff=True)
    stored_detection(("cat", 0.9), owner_id=owner.pk)
    stored_detection(("dog", 0.9), owner_id=other.pk, model_name="secret")
    for user, photos, model in ((owner, 1, False), (other, 1, True), (staff, 2, True)):
        client = Client()
        client.force_login(user)
        page = client.get("/dashboard/").content.decode()
        assert f'<span class="tile-value">{photos}</span>' in page
        assert ("secret" in page) == model
