"""Measuring samples: drawn with known chances, judged in any order, weighted back to the truth."""

from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from detection.history import trash
from detection.inference.types import Thresholds
from detection.learning import sampling
from detection.learning.estimate import Evidence, Share, expected, figures_at, narrowed
from detection.learning.evidence import from_verdicts
from detection.learning.sampling import SampleError, draw_sample, evidence_of_sample, progress
from detection.learning.simulation import CLASSES, simulate
from detection.learning.strata import COUNT, draw, weights_of
from detection.models import (
    DetectedObject,
    Detection,
    OperatingPoint,
    QueuePlace,
    Review,
    Sample,
    SampledObject,
    SampleStratum,
    Verdict,
)
from detection.review.service import Reviewer, Statement, judge
from tests.history.test_query_plans import assert_in_order, use_indexes
from tests.support.builders import SHA256, stored_detection

pytestmark = pytest.mark.django_db
MODEL = ("mobilenet_ssd_voc", "")
_OF_A_CLASS, _OBJECTS_A_PHOTO = 3_000, 10


@pytest.fixture
def truth() -> dict[str, float]:
    """A history of three classes whose every object is judged; precision above 0.5 by class."""
    random = np.random.default_rng(16)
    precision, rows = {}, []
    for class_id, name in enumerate(CLASSES):
        month = simulate(name, _OF_A_CLASS, random)
        precision[name] = month.precision(0.5)
        rows += [(class_id, name, *one) for one in zip(month.scores.tolist(), month.is_right.tolist(), strict=True)]
    rows = [rows[place] for place in random.permutation(len(rows))]
    first = stored_detection()
    photos = Detection.objects.bulk_create(
        Detection(
            photo=first.photo, model_name=MODEL[0], model_sha256=SHA256, engine="x", device="CPU", precision="f32",
            threshold=0.5, reported_count=0, source="api",
        )
        for _ in range(len(rows) // _OBJECTS_A_PHOTO)
    )  # fmt: skip
    objects = DetectedObject.objects.bulk_create(
        DetectedObject(
            detection=photos[number // _OBJECTS_A_PHOTO], rank=number % _OBJECTS_A_PHOTO, class_id=class_id,
            class_name=name, probability=score, x=1, y=1, width=9, height=9,
            xmin=0.1, ymin=0.1, xmax=0.2, ymax=0.2,
        )
        for number, (class_id, name, score, _) in enumerate(rows)
    )  # fmt: skip
    Verdict.objects.bulk_create(
        Verdict(
            detection_id=found.detection_id, step=1, found=found,
            kind="confirmed" if row[3] else "rejected", class_name=found.class_name,
        )
        for found, row in zip(objects, rows, strict=True)
    )  # fmt: skip
    return precision


def test_intervals_of_a_sample_hold_the_truth_and_those_of_the_queue_of_the_least_sure_do_not(
    truth: dict[str, float],
) -> None:
    held = dict.fromkeys(truth, 0)
    for seed in range(100):
        sample = draw_sample(MODEL, 400, seed=seed)
        for name, evidence in evidence_of_sample(sample).evidence.items():
            found = figures_at(evidence, 0.5).precision
            held[name] += found is not None and found.low <= truth[name] <= found.high
        sample.delete()
        QueuePlace.objects.all().delete()
    assert 0.93 <= sum(held.values()) / 300 <= 0.97, held
    least_sure = DetectedObject.objects.filter(probability__gt=0.5).order_by("probability")[:400]
    Verdict.objects.exclude(found__in=list(least_sure)).delete()
    for name, evidence in from_verdicts(*MODEL).items():
        found = figures_at(evidence, 0.5).precision
        assert found is not None
        assert found.high < truth[name]


def test_sums_of_weights_are_unbiased_for_the_number_of_right_objects() -> None:
    random = np.random.default_rng(0)
    month = simulate("person", 2_000, random)
    sums = []
    for _ in range(400):
        drawn = draw(np.zeros(2_000, np.int64), month.scores, 100, random)
        weights = weights_of(drawn.strata, drawn.populations)
        sums.append(float(weights[month.is_right[drawn.chosen]].sum()))
    error = np.std(sums) / len(sums) ** 0.5
    assert abs(np.mean(sums) - month.is_right.sum()) < 3 * error
    assert sum(drawn.sizes) == 100


def test_objects_of_a_band_without_verdicts_are_counted_with_the_nearest_one() -> None:
    populations = np.array([10, 20, 0, 0, 40, 0, 0, 0, 5])
    weights = weights_of(np.array([1, 1, 4]), populations)
    assert weights.tolist() == [15.0, 15.0, 45.0]
    assert len(populations) == COUNT


def test_first_part_of_a_sample_has_the_same_share_of_each_stratum() -> None:
    random = np.random.default_rng(1)
    scores = np.repeat([0.15, 0.95], [900, 100])
    drawn = draw(np.zeros(1_000, np.int64), scores, 100, random)
    half = drawn.strata[np.argsort(drawn.positions)][:50]
    for stratum in (0, COUNT - 1):
        assert abs(int((half == stratum).sum()) - drawn.sizes[stratum] / 2) <= 1


def photos_of(count: int = 40, **fields: Any) -> list[Detection]:
    return [stored_detection(("dog", 0.95), ("cat", 0.3 + number / 100), **fields) for number in range(count)]


def test_sample_is_written_with_its_chances_and_puts_its_photos_into_the_queue() -> None:
    photos_of()
    stored_detection(("cat", 0.9), model_name="other")
    sample = draw_sample(MODEL, 30, seed=3)
    assert (sample.photos, sample.objects_kept) == (40, 80)
    strata = SampleStratum.objects.filter(sample=sample)
    assert (sum(one.population for one in strata), sum(one.drawn for one in strata)) == (80, 30)
    assert SampledObject.objects.filter(stratum__sample=sample).count() == 30
    asked = [(place.detection_id, rank) for place in QueuePlace.objects.all() for rank in place.facts["objects"]]
    drawn = SampledObject.objects.values_list("found__detection_id", "found__rank")
    assert sorted(asked) == sorted(drawn)
    assert not QueuePlace.objects.filter(is_done=True).exists()


def test_same_seed_draws_the_same_objects_and_the_newest_sample_alone_is_in_the_queue() -> None:
    photos_of()
    one, other = (draw_sample(MODEL, 20, seed=7) for _ in range(2))
    assert sampling.newest_of(MODEL) == other
    of_each = [
        set(SampledObject.objects.filter(stratum__sample=sample).values_list("found_id", flat=True))
        for sample in (one, other)
    ]
    assert of_each[0] == of_each[1]
    assert sum(len(place.facts["objects"]) for place in QueuePlace.objects.all()) == 20


@pytest.mark.parametrize(("verdicts", "newest"), [(0, 10), (10_001, 10), (10, 0)])
def test_impossible_sample_is_refused(verdicts: int, newest: int) -> None:
    with pytest.raises(SampleError, match="Draw 1 to 10,000 objects"):
        draw_sample(MODEL, verdicts, newest)


def test_nothing_can_be_drawn_from_a_model_without_objects() -> None:
    stored_detection()
    with pytest.raises(CommandError, match="has found no objects yet"):
        command("sample")


def judged_in_order(sample: Sample, count: int) -> None:
    for one in SampledObject.objects.filter(stratum__sample=sample).order_by("position")[:count]:
        say(one.found, right=one.found.class_name == "dog")


def say(found: DetectedObject, *, right: bool) -> None:
    version = getattr(Review.objects.filter(detection=found.detection_id).first(), "version", 0)
    statement = Statement(str(found.rank), "confirmed" if right else "rejected")
    judge(found.detection, version, [statement], Reviewer(name="anna"))


def test_verdicts_of_other_queues_do_not_count_before_their_turn() -> None:
    photos_of()
    sample = draw_sample(MODEL, 60, seed=3)
    # Another queue has come by the last half of the sample, for what these objects are.
    for one in SampledObject.objects.filter(stratum__sample=sample).order_by("-position")[:30]:
        say(one.found, right=False)
    assert evidence_of_sample(sample).judged == 0
    judged_in_order(sample, 10)
    assert evidence_of_sample(sample).judged == 10


def test_verdict_that_was_taken_back_does_not_count_and_deleted_photos_are_left_out() -> None:
    photos_of(10)
    sample = draw_sample(MODEL, 10, seed=3)
    judged_in_order(sample, 10)
    assert evidence_of_sample(sample).judged == 10
    first = SampledObject.objects.filter(stratum__sample=sample).order_by("-position")[0].found
    version = Review.objects.get(detection=first.detection_id).version
    judge(first.detection, version, [Statement(str(first.rank), "cleared")], Reviewer(name="anna"))
    assert evidence_of_sample(sample).judged == 9
    trash.remove(first.detection)
    assert evidence_of_sample(sample).drawn < 10


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("operating_point", *arguments, stdout=out)
    return out.getvalue()


def test_operating_point_is_proposed_from_the_sample_once_some_of_it_is_judged() -> None:
    photos_of(60)
    assert "Drew 60 of the 120 objects of mobilenet_ssd_voc in its newest 60 photos" in command(
        "sample", "--verdicts", "60", "--newest", "500"
    )
    with pytest.raises(CommandError, match="Draw one with"):
        command("propose", "sure", "--goal", "f1", "--evidence", "sample")
    sample = Sample.objects.get()
    judged_in_order(sample, 60)
    command("propose", "sure", "--goal", "precision:0.6", "--least", "10")
    point = OperatingPoint.objects.get()
    assert point.source == f"sample {sample.pk}: 60 of 60 objects judged, of 60 photos"
    (row,) = point.classes.all()
    assert (row.class_name, row.is_reached) == ("", True)
    command("propose", "sure", "--goal", "f1", "--evidence", "verdicts")
    assert OperatingPoint.objects.get(number=2).source == "verdicts"


def test_progress_tells_what_the_verdicts_that_are_left_would_give() -> None:
    photos_of(60)
    sample = draw_sample(MODEL, 60, seed=3)
    together, *_ = progress(sample, Thresholds(0.5))
    assert (together.precision, together.judged, together.left) == (None, 0, 60)
    assert together.then.value == 0.5
    judged_in_order(sample, 30)
    halfway, rest = progress(sample, Thresholds(0.5))
    assert (halfway.class_name, halfway.judged, halfway.left, rest.class_name) == (None, 30, 30, "")
    assert halfway.precision is not None
    assert halfway.then.high - halfway.then.low < halfway.precision.high - halfway.precision.low
    judged_in_order(sample, 60)
    done = progress(sample, Thresholds(0.5))[0]
    assert done.left == 0
    assert done.precision is not None
    assert done.then.low == pytest.approx(done.precision.low, abs=1e-3)


def test_width_that_is_foretold_is_the_width_that_comes() -> None:
    foretold, came = [], []
    for seed in range(30):
        random = np.random.default_rng(seed)
        month = simulate("car", 8_000, random)
        drawn = draw(np.zeros(8_000, np.int64), month.scores, 600, random)
        order = np.argsort(drawn.positions)
        widths = []
        for part in (order[:150], order):
            chosen, bands = drawn.chosen[part], drawn.strata[part]
            evidence = Evidence(
                month.scores[chosen], month.is_right[chosen], weights_of(bands, drawn.populations), bands, chosen
            )
            share = figures_at(evidence, 0.5).precision
            assert share is not None
            widths.append(share)
        then = narrowed(widths[0], 4.0)
        foretold.append(then.high - then.low)
        came.append(widths[1].high - widths[1].low)
    assert np.mean(foretold) == pytest.approx(np.mean(came), rel=0.1)
    assert narrowed(expected(10), 1.0).high == pytest.approx(expected(10).high, abs=1e-3)
    assert isinstance(expected(0), Share)


def test_newest_photos_of_a_model_are_read_from_an_index_in_their_order() -> None:
    photos_of(3)
    use_indexes("sort", "bitmapscan")
    assert_in_order(sampling.newest_photos(MODEL, 20).explain(), "detection_(name|model)_newest")
    with CaptureQueriesContext(connection) as captured:
        draw_sample(MODEL, 4)
    assert len(captured) < 30


def test_sample_is_drawn_and_deleted_in_the_admin(client: Client) -> None:
    client.force_login(User.objects.create_superuser("root"))
    add = reverse("admin:detection_sample_add")
    form = {"verdicts": 20, "newest": 100}
    assert "has found no objects yet" in client.post(add, form).content.decode()
    photos_of(20)
    assert client.post(add, form).status_code == 302
    sample = Sample.objects.get()
    page = client.get(reverse("admin:detection_sample_change", args=[sample.pk])).content.decode()
    assert "All other classes" in page
    assert client.get(reverse("admin:detection_sample_changelist")).status_code == 200
    assert QueuePlace.objects.exists()
    client.post(reverse("admin:detection_sample_delete", args=[sample.pk]), {"post": "yes"})
    assert not Sample.objects.exists()
    assert not QueuePlace.objects.exists()
    assert DetectedObject.objects.count() == 40
