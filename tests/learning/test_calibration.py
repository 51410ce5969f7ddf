"""Calibration: errors of made data are found, curves mend them, and both are shown beside the raw score."""

from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse

from detection.learning import calibrations
from detection.learning.calibration import CalibrationError, calibrate, isotonic, reliability
from detection.learning.estimate import Evidence, Floats
from detection.models import Calibration, Detection, calibration_of
from detection.review.service import Reviewer, Statement, judge
from tests.support.builders import stored_detection

MODEL = ("mobilenet_ssd_voc", "")


def made(count: int, truth: Any = lambda scores: scores, seed: int = 1) -> Evidence:
    """Return objects whose scores are right as often as `truth` says."""
    chance = np.random.default_rng(seed)
    scores: Floats = chance.uniform(0.1, 1.0, count)
    return Evidence.of(scores, chance.random(count) < truth(scores))


def test_calibrated_scores_show_the_error_of_chance_alone() -> None:
    few = [reliability(made(300, seed=seed)) for seed in range(40)]
    assert np.mean([one.error for one in few]) == pytest.approx(np.mean([one.by_chance for one in few]), rel=0.15)
    many = reliability(made(200_000))
    assert many.error < 0.005
    assert [one.low for one in many.bins] == pytest.approx(np.arange(1, 10) / 10)
    assert all(one.right.low <= one.right.value <= one.right.high for one in many.bins)


def test_error_of_scores_that_promise_too_much_is_what_they_promise_too_much() -> None:
    assert reliability(made(200_000, lambda scores: scores - 0.1)).error == pytest.approx(0.1, abs=0.005)
    assert reliability(made(200_000, np.square)).error == pytest.approx(0.55 - 0.37, abs=0.005)


def test_interval_of_a_bin_holds_its_share() -> None:
    held = [
        one.right.low <= (one.low + one.high) / 2 * 0.8 <= one.right.high
        for seed in range(60)
        for one in reliability(made(2_000, lambda scores: 0.8 * scores, seed)).bins
    ]
    assert 0.93 <= np.mean(held) <= 0.98


@pytest.mark.parametrize(
    ("right", "curve"),
    [
        ([0, 0, 1, 1], [0, 0, 1, 1]),
        ([1, 0, 1, 1], [0.5, 0.5, 1, 1]),
        ([1, 1, 0, 0], [0.5, 0.5, 0.5, 0.5]),
        ([0, 1, 0, 1], [0, 0.5, 0.5, 1]),
        ([1, 1, 1, 1], [1, 1, 1, 1]),
    ],
)
def test_curve_pools_what_would_fall(right: list[int], curve: list[float]) -> None:
    scores = np.array([0.2, 0.4, 0.6, 0.8])
    fitted = isotonic(Evidence.of(scores, np.array(right, bool)))
    assert fitted.of(scores).tolist() == pytest.approx(curve)
    assert fitted.of(np.array([0.0, 1.0])).tolist() == pytest.approx([curve[0], curve[-1]])


def test_curve_counts_objects_as_many_as_they_stand_for() -> None:
    evidence = Evidence(
        np.array([0.5, 0.5]), np.array([True, False]), np.array([3.0, 1.0]), np.zeros(2, np.int64), np.arange(2)
    )
    assert isotonic(evidence).of(np.array([0.5])).tolist() == [0.75]
    assert reliability(evidence).bins[0].right.value == pytest.approx(0.75)


def test_curve_mends_scores_of_photos_that_it_was_not_made_of() -> None:
    calibrated = calibrate({"cat": made(3_000, np.square), "dog": made(3_000, np.square, seed=2)})
    assert calibrated.before.error > 0.15
    assert calibrated.after.error < 0.03
    scores = np.linspace(0.15, 0.95, 9)
    assert calibrated.curve.of(scores) == pytest.approx(scores**2, abs=0.06)
    fresh = made(20_000, np.square, seed=3)
    mended = Evidence.of(calibrated.curve.of(fresh.scores), fresh.is_right)
    assert reliability(mended).error < 0.03


def test_too_few_verdicts_say_how_many_are_missing() -> None:
    with pytest.raises(CalibrationError, match="needs 200 judged objects of the model, and there are 150: review 50"):
        calibrate({"cat": made(150)})
    with pytest.raises(CalibrationError, match="there are 0"):
        calibrate({})
    one_photo = made(300)
    one_photo.clusters[:] = 7
    with pytest.raises(CalibrationError, match="5 photos, and these are of 1"):
        calibrate({"cat": one_photo})


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("calibration", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def judged(db: None) -> Detection:
    """Cats whose scores promise too much: right only above 0.6; 210 of them. Returns the last detection."""
    for number in range(70):
        score = 0.2 + 0.79 * number / 70
        objects = [("cat", score), ("cat", score - 0.02), ("cat", score - 0.04)]
        detection = stored_detection(*objects, threshold=0.1, model_name=MODEL[0])
        wrong = [Statement(str(rank), "rejected") for rank, (_, one) in enumerate(objects) if one < 0.6]
        judge(detection, 0, wrong, Reviewer(name="anna"), reviewed=True)
    return detection


def test_command_measures_makes_lists_and_withdraws(judged: Detection) -> None:
    assert "There is no calibration yet" in command("list")
    said = command("measure")
    assert "Expected calibration error: 0." in said
    assert "From verdicts." in said
    assert Calibration.objects.count() == 0
    assert "Made mobilenet_ssd_voc calibration 1 from 210 judged objects" in command("make")
    command("make", "--evidence", "verdicts")
    first, second = Calibration.objects.order_by("number")
    assert (first.judged, second.number, first.source) == (210, 2, "verdicts")
    assert first.error_after < first.error
    assert "* mobilenet_ssd_voc calibration 2" in command("list")
    assert "Withdrew mobilenet_ssd_voc calibration 2" in command("withdraw", "2")
    assert calibration_of(*MODEL) == first
    assert "  mobilenet_ssd_voc calibration 2  withdrawn" in command("list")
    command("make")
    assert Calibration.objects.order_by("number").values_list("number", flat=True).last() == 3


@pytest.mark.django_db
def test_command_refuses_what_it_cannot_do() -> None:
    with pytest.raises(CommandError, match="review 200 more"):
        command("measure")
    with pytest.raises(CommandError, match="review 200 more"):
        command("make")
    with pytest.raises(CommandError, match="has no calibration 4: see"):
        command("withdraw", "4")
    with pytest.raises(CommandError, match="operating_point sample"):
        command("make", "--evidence", "sample")
    stored_detection(("cat", 0.9), model_name=MODEL[0])
    judge(Detection.objects.get(), 0, [], Reviewer(name="anna"), reviewed=True)
    assert "and there are 1: review 199 more" in command("measure")


def test_calibrated_probability_stands_beside_the_raw_one(client: Client, judged: Detection) -> None:
    address = f"/api/detections/{judged.uuid}"
    before = client.get(address).json()
    assert before["calibration"] is None
    assert [one["calibrated_probability"] for one in before["objects"]] == [None] * 3
    assert b"right: " not in client.get(judged.get_absolute_url()).content
    other = stored_detection(("cat", 0.9), model_name="other")
    row = calibrations.make(MODEL)
    after = client.get(address).json()
    assert after["calibration"] == 1
    assert [one["probability"] for one in after["objects"]] == [one["probability"] for one in before["objects"]]
    assert {one["calibrated_probability"] for one in after["objects"]} == {1.0}
    assert "right: 100.0\N{NO-BREAK SPACE}%" in client.get(judged.get_absolute_url()).content.decode()
    assert row.probability_of(0.3) == 0.0
    assert client.get(f"/api/detections/{other.uuid}").json()["calibration"] is None
    listed = client.get("/api/detections/").json()["results"]
    assert [one["calibration"] for one in listed[:2]] == [None, 1]


def test_stored_curve_is_the_one_that_was_fitted(db: None) -> None:
    curve = isotonic(made(500, np.square))
    row = Calibration(scores=curve.scores.tolist(), probabilities=curve.probabilities.tolist())
    scores = np.linspace(0, 1, 101)
    assert [row.probability_of(score) for score in scores.tolist()] == pytest.approx(curve.of(scores).tolist())


def test_admin_makes_shows_and_withdraws(admin_client: Client, judged: Detection) -> None:
    stored_detection(("cat", 0.9), model_name="other")
    add = reverse("admin:detection_calibration_add")
    refused = admin_client.post(add, {"of_model": "other"})
    assert "review 200 more" in refused.content.decode()
    assert admin_client.post(add, {"of_model": "mobilenet_ssd_voc"}).status_code == 302
    row = Calibration.objects.get()
    page = admin_client.get(reverse("admin:detection_calibration_change", args=[row.pk])).content.decode()
    assert page.count('class="plot-dot"') == len(row.bins)
    assert "plot-diagonal" in page
    assert "judged</li>" in page
    assert '<div class="readonly">mobilenet_ssd_voc</div>' in page
    assert 'name="_save"' not in page
    listing = reverse("admin:detection_calibration_changelist")
    said = admin_client.post(listing, {"action": "withdraw", "_selected_action": [row.pk]}, follow=True)
    assert "1 calibration is withdrawn." in said.content.decode()
    assert calibration_of(*MODEL) is None
