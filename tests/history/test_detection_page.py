"""The page of a detection: what it shows, the moved threshold, and its deletion."""

import json
import uuid
from collections.abc import Sequence

import pytest
from django.test import Client
from django.urls import reverse

from detection.inference.types import DrawnBox, PixelBox, StageTimings
from detection.models import Detection
from detection.photos import rendering
from detection.photos.rendering import Picture
from detection.review.service import Reviewer, Statement, judge
from tests.support.builders import stored_detection

TIMES = "\N{MULTIPLICATION SIGN}"


@pytest.mark.django_db
def test_detection_page_shows_objects_json_and_how_it_was_made(client: Client) -> None:
    detection = stored_detection(
        ("cat", 0.9959417), ("dog", 0.4), original_name="Minka & <b>co</b>.jpg", model_version="1.0"
    )
    response = client.get(detection.get_absolute_url())
    html = response.content.decode()
    assert "<dd>mobilenet_ssd_voc 1.0</dd>" in html
    assert json.loads(response.context["prediction_json"]) == {
        "prediction": [{"objectClass": "cat", "probability": 0.9959417, "x": 10, "y": 20, "width": 300, "height": 200}]
    }
    assert "Minka &amp; &lt;b&gt;co&lt;/b&gt;.jpg" in html
    for text in ("99.6 %", "10, 20", f"300 {TIMES} 200", "mobilenet_ssd_voc", "openvino on CPU", "f32", "15.0 ms"):
        assert text in html
    assert f"http://testserver{detection.get_absolute_url()}" in html
    assert f'src="{reverse("detection-annotated", args=[detection.uuid])}"' in html


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("threshold", "shown", "query"),
    [
        pytest.param("", ["cat"], "", id="none given"),
        pytest.param("0.5", ["cat"], "", id="the detection's own"),
        pytest.param("0.3", ["cat", "dog"], "?threshold=0.3", id="lower"),
        pytest.param("0.95", [], "?threshold=0.95", id="higher"),
    ],
)
def test_moved_threshold_changes_objects_picture_and_link(
    client: Client, threshold: str, shown: list[str], query: str
) -> None:
    detection = stored_detection(("cat", 0.9), ("dog", 0.4))
    response = client.get(detection.get_absolute_url(), {"threshold": threshold})
    assert [found.class_name for found, _, _ in response.context["objects"]] == shown
    assert response.context["annotated_url"].endswith(f"/annotated{query}")
    assert response.context["share_url"].endswith(f"{detection.uuid}/{query}")


@pytest.mark.django_db
@pytest.mark.parametrize("threshold", ["abc", "-0.1", "1.1", "nan"])
def test_unusable_threshold_is_refused_and_the_own_one_is_shown(client: Client, threshold: str) -> None:
    detection = stored_detection(("cat", 0.9), ("dog", 0.4))
    response = client.get(detection.get_absolute_url(), {"threshold": threshold})
    assert response.status_code == 400
    assert "The threshold is not a number from 0 to 1" in response.context["error"]
    assert [found.class_name for found, _, _ in response.context["objects"]] == ["cat"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("objects", "advice"),
    [
        pytest.param([], "Try a photo that shows one of the classes", id="nothing kept"),
        pytest.param([("dog", 0.3)], "1 less probable object was found. Lower the threshold to see it.", id="one kept"),
        pytest.param([("dog", 0.3), ("cat", 0.2)], "2 less probable objects were found.", id="two kept"),
    ],
)
def test_detection_without_objects_says_what_to_do(
    client: Client, objects: list[tuple[str, float]], advice: str
) -> None:
    response = client.get(stored_detection(*objects, original_name="").get_absolute_url())
    html = response.content.decode()
    assert "No objects above 50 %" in html
    assert advice in html
    assert '<h1 class="photo-name">Photo</h1>' in html


@pytest.mark.django_db
def test_unknown_detection_is_a_page_that_says_where_to_look(client: Client) -> None:
    response = client.get(f"/detections/{uuid.uuid4()}/")
    assert response.status_code == 404
    assert "Look for it in the history" in response.content.decode()


@pytest.mark.django_db
def test_detection_is_not_deleted_by_a_link(client: Client) -> None:
    detection = stored_detection(("cat", 0.9))
    assert client.get(reverse("detection-delete", args=[detection.uuid])).status_code == 405
    assert Detection.objects.filter(pk=detection.pk).exists()


@pytest.mark.django_db
def test_page_tells_its_script_all_stored_objects(client: Client) -> None:
    detection = stored_detection(("cat", 0.9), ("dog", 0.4))
    viewer = client.get(detection.get_absolute_url(), {"threshold": "0.3"}).context["viewer"]
    assert (viewer["width"], viewer["height"], viewer["ownThreshold"], viewer["threshold"]) == (640, 480, 0.5, 0.3)
    assert [found["prediction"]["objectClass"] for found in viewer["objects"]] == ["cat", "dog"]
    box = {name: viewer["objects"][1]["prediction"][name] for name in ("x", "y", "width", "height")}
    assert box == {"x": 11, "y": 21, "width": 300, "height": 200}


@pytest.mark.django_db
def test_page_leads_to_the_detections_next_to_it(client: Client) -> None:
    older, shown, newer = (stored_detection() for _ in range(3))
    html = client.get(shown.get_absolute_url()).content.decode()
    assert f'rel="prev" data-newer href="{newer.get_absolute_url()}"' in html
    assert f'rel="next" data-older href="{older.get_absolute_url()}"' in html
    alone = client.get(newer.get_absolute_url()).content.decode()
    assert 'rel="prev"' not in alone


@pytest.mark.django_db
def test_page_shows_what_people_said_and_on_demand_the_models_own_answer(client: Client) -> None:
    detection = stored_detection(("dog", 0.9), ("cat", 0.7), ("bird", 0.3), ("sofa", 0.2))
    said = [Statement("0", "relabelled", "wolf"), Statement("1", "rejected"), Statement("2", "confirmed")]
    judge(detection, 0, [*said, Statement(None, "added", "moon", PixelBox(1, 2, 3, 4))], Reviewer())
    page = client.get(detection.get_absolute_url())
    shown = [(one.class_name, one.probability) for one, _, _ in page.context["objects"]]
    assert shown == [("wolf", None), ("bird", 0.3), ("moon", None)]
    assert [one.class_name for one, _, _ in page.context["weaker"]] == ["sofa"]
    assert "said by a person" in page.content.decode()
    # The JSON is the API's, which people do not change.
    assert [one["objectClass"] for one in json.loads(page.context["prediction_json"])["prediction"]] == ["dog", "cat"]
    own = client.get(detection.get_absolute_url(), {"answer": "model"})
    assert [one.class_name for one, _, _ in own.context["objects"]] == ["dog", "cat"]
    for name in ("share_url", "annotated_url", "download_url"):
        assert ("answer=model" in own.context[name], "answer" in page.context[name]) == (True, False)
    assert "Whose answer" in page.content.decode()
    assert "Whose answer" not in client.get(stored_detection(("dog", 0.9)).get_absolute_url()).content.decode()


@pytest.mark.django_db
def test_picture_has_the_boxes_that_people_left(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[list[str]] = []

    def annotated(_detection: Detection, objects: Sequence[DrawnBox]) -> Picture:
        drawn.append([one.class_name for one in objects])
        return Picture(b"", StageTimings())

    monkeypatch.setattr(rendering, "annotated", annotated)
    detection = stored_detection(("dog", 0.9), ("cat", 0.7))
    judge(detection, 0, [Statement("1", "rejected")], Reviewer())
    address = reverse("detection-annotated", args=[detection.uuid])
    assert [client.get(address, query).status_code for query in ({}, {"answer": "model"})] == [200, 200]
    assert drawn == [["dog"], ["dog", "cat"]]
