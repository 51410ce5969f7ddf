"""The page of the gallery without its script: filters, chips, paging, empty states, and the number of queries."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from detection.gallery import facets
from detection.models import Detection
from detection.review import service as review_service
from detection.review.service import Reviewer, Statement
from tests.support.builders import stored_detection

MARCH_1, MARCH_2, MARCH_3 = (datetime(2026, 3, day, 12, tzinfo=UTC) for day in (1, 2, 3))
CAT_AND_PEOPLE = "cat, 2 \N{MULTIPLICATION SIGN} person"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param({}, ["bird", CAT_AND_PEOPLE, "dog"], id="all, newest first"),
        pytest.param({"class": "person"}, [CAT_AND_PEOPLE], id="class"),
        pytest.param({"class": "sofa"}, [], id="class below its threshold"),
        pytest.param({"date_from": "2026-03-02"}, ["bird", CAT_AND_PEOPLE], id="from, included"),
        pytest.param({"date_to": "2026-03-02"}, [CAT_AND_PEOPLE, "dog"], id="to, included"),
        pytest.param({"class": "dog", "date_from": "2026-03-02"}, [], id="class and date"),
    ],
)
def test_gallery_is_filtered_by_class_and_date(client: Client, query: dict[str, str], found: list[str]) -> None:
    stored_detection(("dog", 0.9), ("sofa", 0.3), created_at=MARCH_1)
    stored_detection(("cat", 0.9), ("person", 0.8), ("person", 0.7), created_at=MARCH_2)
    stored_detection(("bird", 0.9), created_at=MARCH_3)
    response = client.get("/history/", query)
    assert [item.summary for item in response.context["items"]] == found
    assert [name for name, _ in response.context["classes"]] == ["bird", "cat", "dog", "person"]


@pytest.mark.django_db
def test_gallery_is_searched_by_what_people_said(client: Client) -> None:
    detection = stored_detection(("dog", 0.9))
    review_service.judge(detection, 0, [Statement("0", "relabelled", "wolf")], Reviewer())
    found = {name: client.get("/history/", {"class": name}).context["items"] for name in ("wolf", "dog")}
    assert [[item.detection for item in items] for items in found.values()] == [[detection], []]
    page = client.get("/history/")
    assert [name for name, _ in page.context["classes"]] == ["wolf"]
    # What was wrong is found by the class that it had too.
    changed = [client.get("/api/detections/", {"class": name, "verdict": "changed"}).json() for name in ("wolf", "dog")]
    assert [len(page["results"]) for page in changed] == [1, 1]
    assert [one.name for one in client.get("/history/", {"name": "photo"}).context["facets"]] == ["wolf"]


@pytest.mark.django_db
def test_gallery_remembers_its_filter_while_paging(client: Client) -> None:
    for _ in range(66):
        stored_detection(("cat", 0.9))
        stored_detection(("dog", 0.9))
    first = client.get("/history/", {"class": "cat"})
    second = client.get(first.context["older_url"])
    assert (len(first.context["items"]), len(second.context["items"])) == (60, 6)
    assert {item.summary for item in second.context["items"]} == {"cat"}
    assert [chip.text for chip in second.context["chips"]] == ["cat"]
    newer = client.get(second.context["newer_url"]).context["items"]
    assert [item.detection for item in newer] == [item.detection for item in first.context["items"]]


@pytest.mark.django_db
def test_gallery_goes_back_to_its_start_when_a_page_has_become_empty(client: Client) -> None:
    for _ in range(61):
        stored_detection(("cat", 0.9))
    older = client.get("/history/", {"class": "cat"}).context["older_url"]
    Detection.objects.all().delete()
    response = client.get(older)
    assert (response.status_code, response["Location"]) == (302, "/history/?class=cat")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        pytest.param({"date_from": "yesterday"}, "From: Enter a valid date. Change it, then press Show.", id="date"),
        pytest.param({"cursor": "older-x"}, "Start again from the newest detections.", id="cursor"),
        pytest.param({"source": "fax"}, "source: Select a valid choice.", id="source"),
    ],
)
def test_gallery_refuses_what_it_cannot_read(client: Client, query: dict[str, str], sentence: str) -> None:
    response = client.get("/history/", query)
    assert response.status_code == 400
    assert sentence in response.context["error"]
    assert response.context["items"] == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "advice"),
    [
        pytest.param({}, "Drop a photo on the first page", id="empty history"),
        pytest.param({"class": "cat"}, "Search for something else, or remove a filter", id="nothing matches"),
    ],
)
def test_empty_gallery_says_what_to_do(client: Client, query: dict[str, str], advice: str) -> None:
    assert advice in client.get("/history/", query).content.decode()


@pytest.mark.django_db
@pytest.mark.usefixtures("model")  # else the default model is looked up in the database
@pytest.mark.parametrize("rows", [1, 20])
def test_gallery_asks_the_database_the_same_number_of_questions_for_any_number_of_rows(
    client: Client, django_assert_num_queries: Callable[[int], Any], rows: int
) -> None:
    for _ in range(rows):
        stored_detection(("cat", 0.9), ("dog", 0.8))
    # The page of detections with photos and reviews, their objects, their verdicts, how many match, the classes'
    # counts, the classes and models to choose from (four steps), albums, what was removed, alone and together,
    # actions that are under way, and whether the demo history is loaded.
    with django_assert_num_queries(14):
        response = client.get("/history/")
    assert len(response.context["items"]) == rows


@pytest.mark.django_db
def test_chips_say_the_filters_and_each_takes_its_own_away(client: Client) -> None:
    stored_detection(("cat", 0.9), ("dog", 0.8), original_name="trip/IMG_0042.jpg")
    query = {"class": ["cat", "dog"], "not_class": "bird", "name": "0042", "min_probability": "0.5", "reviewed": "0"}
    chips = client.get("/history/", {**query, "date_from": "2026-03-02", "zone": "Europe/Berlin"}).context["chips"]
    texts = {chip.text: chip.without_url for chip in chips}
    assert set(texts) == {"cat", "dog", "not bird", "“0042”", "≥ 50 %", "Not reviewed", "from 2 March 2026"}
    assert "class=dog" in texts["cat"]
    assert "class=cat" not in texts["cat"]
    assert "zone=" in texts["cat"]
    assert "zone=" not in texts["from 2 March 2026"]


@pytest.mark.django_db
def test_classes_are_counted_among_the_photos_that_match(client: Client) -> None:
    stored_detection(("cat", 0.9), ("person", 0.8), ("person", 0.7))
    stored_detection(("cat", 0.9), ("dog", 0.8))
    stored_detection(("dog", 0.9))
    counted = {one.name: one.count for one in client.get("/history/").context["facets"]}
    assert counted == {"cat": 2, "dog": 2, "person": 2}
    response = client.get("/history/", {"class": "cat"})
    assert {one.name: one.count for one in response.context["facets"]} == {"dog": 1, "person": 1}
    assert client.get(response.context["facets"][0].url).context["count"] == 1


@pytest.mark.django_db
def test_text_of_the_form_becomes_filters(client: Client) -> None:
    stored_detection(("cat", 0.9), ("dog", 0.8), original_name="IMG_0042.jpg")
    stored_detection(("dog", 0.8), original_name="IMG_0043.jpg")
    form = {"q": "dog not cat 0043", "words": "1", "min_probability": "0", "class": "", "zone": "UTC"}
    response = client.get("/history/", form)
    assert (response.status_code, response["Location"]) == (302, "/history/?not_class=cat&name=0043&class=dog")
    assert client.get(response["Location"]).context["count"] == 1
    assert client.get("/history/", {"q": "dog"}).context["count"] == 2


@pytest.mark.django_db
def test_script_gets_photos_with_their_objects_in_pages(client: Client) -> None:
    for number in range(3):
        stored_detection(("cat", 0.912345), ("dog", 0.3), original_name=f"a/{number}.jpg")
    first = client.get("/history/photos/", {"q": "cat", "count": "2", "counted": "1"}).json()
    assert [photo["name"] for photo in first["photos"]] == ["2.jpg", "1.jpg"]
    assert (first["total"], first["newer"]) == (3, None)
    assert first["photos"][0]["objects"] == [["cat", 0.9123, 10, 20, 300, 200]]
    second = client.get("/history/photos/", {"q": "cat", "cursor": first["older"]}).json()
    assert [photo["name"] for photo in second["photos"]] == ["0.jpg"]
    assert "total" not in second
    again = client.get("/history/photos/", {"cursor": first["photos"][1]["place"]}).json()
    assert [photo["name"] for photo in again["photos"]] == ["1.jpg", "0.jpg"]


@pytest.mark.django_db
def test_script_is_told_what_cannot_be_read(client: Client) -> None:
    for query in ({"count": "0"}, {"cursor": "x"}, {"date_from": "soon"}):
        response = client.get("/history/photos/", query)
        assert response.status_code == 400
        assert response.json()["error"]


@pytest.mark.django_db
def test_photo_is_as_people_said(client: Client) -> None:
    detection = stored_detection(("cat", 0.9), ("dog", 0.8))
    said = [Statement("0", "relabelled", "lynx"), Statement("1", "rejected", None)]
    review_service.judge(detection, 0, said, Reviewer(), reviewed=True)
    (photo,) = client.get("/history/photos/").json()["photos"]
    assert [one[:2] for one in photo["objects"]] == [["lynx", 0.9]]
    assert (photo["reviewed"], photo["changed"]) == (True, True)


@pytest.mark.django_db
def test_photo_leads_to_its_neighbours_among_those_that_match(client: Client) -> None:
    oldest, dog, newest = (stored_detection((name, 0.9)) for name in ("cat", "dog", "cat"))
    page = client.get(f"{oldest.get_absolute_url()}?class=cat")
    assert page.context["newer"] == newest
    assert f'href="{newest.get_absolute_url()}?class=cat"' in page.content.decode()
    assert client.get(oldest.get_absolute_url()).context["newer"] == dog
    assert client.get(f"{oldest.get_absolute_url()}?class=dog&date_from=x").context["newer"] == dog
    deleted = client.post(f"{newest.get_absolute_url()}delete/?class=cat")
    assert [one.detection for one in client.get(deleted["Location"]).context["items"]] == [oldest]


@pytest.mark.django_db
def test_added_version_can_look_again_too(client: Client, limits: Any, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "nanodet_plus_m@2.0"
    shutil.copytree("models/nanodet_plus_m", folder)
    card = (folder / "model.toml").read_text(encoding="utf-8").replace('version = "1.0"', 'version = "2.0"')
    (folder / "model.toml").write_text(card, encoding="utf-8")
    limits(data_dir=tmp_path)
    default, *others = client.get("/history/").context["model_choices"]
    assert (default, "nanodet_plus_m@2.0" in others) == ("mobilenet_ssd_voc", True)
    (folder / "model.toml").write_text("damaged", encoding="utf-8")
    limits(data_dir=tmp_path, model_prefix=folder)
    page = client.get("/history/")
    assert (page.status_code, "nanodet_plus_m@2.0" in page.context["model_choices"]) == (200, False)


@pytest.mark.django_db
def test_large_counts_are_written_as_people_read_them(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    stored_detection(("cat", 0.9))
    assert ">1 photo<" in client.get("/history/").content.decode()
    monkeypatch.setattr(facets, "count_of", lambda _matching: facets.MAX_COUNTED + 1)
    assert ">More than 1,000 photos<" in client.get("/history/").content.decode()
