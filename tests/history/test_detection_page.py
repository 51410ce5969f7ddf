"""The page of a detection: what it shows, the moved threshold, and its deletion."""

import json
import uuid

import pytest
from django.test import Client
from django.urls import reverse

from detection.models import Detection
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
def test_page_tells_its_script_all_stored_objects_and_where_they_are_drawn(client: Client) -> None:
    detection = stored_detection(("cat", 0.9), ("dog", 0.4))
    viewer = client.get(detection.get_absolute_url(), {"threshold": "0.3"}).context["viewer"]
    assert (viewer["width"], viewer["height"], viewer["ownThreshold"], viewer["threshold"]) == (640, 480, 0.5, 0.3)
    assert [found["prediction"]["objectClass"] for found in viewer["objects"]] == ["cat", "dog"]
    drawing = viewer["objects"][1]["drawing"]
    assert [drawing[side] for side in ("left", "top", "right", "bottom")] == [11, 21, 311, 221]
    assert (drawing["stroke_px"], drawing["text"]) == (3, "dog, prob: 0.4")


@pytest.mark.django_db
def test_page_leads_to_the_detections_next_to_it(client: Client) -> None:
    older, shown, newer = (stored_detection() for _ in range(3))
    html = client.get(shown.get_absolute_url()).content.decode()
    assert f'rel="prev" data-newer href="{newer.get_absolute_url()}"' in html
    assert f'rel="next" data-older href="{older.get_absolute_url()}"' in html
    alone = client.get(newer.get_absolute_url()).content.decode()
    assert 'rel="prev"' not in alone
