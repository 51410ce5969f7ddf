"""Texts of the search field, and the filters that they stand for."""

from datetime import date

import pytest
from django.utils import translation

from detection.gallery.search import Vocabulary, parse

CLASSES = ("cat", "dog", "hot dog", "person", "traffic light")
TODAY = date(2026, 3, 1)


@pytest.mark.parametrize(
    ("text", "filters"),
    [
        ("", []),
        ("dog", [("class", "dog")]),
        ("DOG", [("class", "dog")]),
        ("dogs", [("class", "dog")]),
        ("dog and not cat", [("class", "dog"), ("not_class", "cat")]),
        ("dog -cat", [("class", "dog"), ("not_class", "cat")]),
        ("dog without cat", [("class", "dog"), ("not_class", "cat")]),
        ("hot dog", [("class", "hot dog")]),
        ("not traffic light person", [("not_class", "traffic light"), ("class", "person")]),
        ("IMG_0042", [("name", "IMG_0042")]),
        ("dog beach 07", [("class", "dog"), ("name", "beach 07")]),
        ('"dog"', [("name", "dog")]),
        ('"sand and sea', [("name", "sand and sea")]),
        ("reviewed", [("reviewed", "1")]),
        ("not reviewed", [("reviewed", "0")]),
        ("rejected cat", [("verdict", "rejected"), ("class", "cat")]),
        ("resnet", [("model", "resnet")]),
        ("resnet@2", [("model", "resnet@2")]),
        ("model:any@1 source:api", [("model", "any@1"), ("source", "api")]),
        ("source:fax", [("name", "source:fax")]),
        ("today", [("date_from", "2026-03-01"), ("date_to", "2026-03-01")]),
        ("yesterday", [("date_from", "2026-02-28"), ("date_to", "2026-02-28")]),
        ("2026-02-03", [("date_from", "2026-02-03"), ("date_to", "2026-02-03")]),
        ("2026-02-03..2026-02-05", [("date_from", "2026-02-03"), ("date_to", "2026-02-05")]),
        ("2026-02-03..", [("date_from", "2026-02-03")]),
        ("..2026-02-03", [("date_to", "2026-02-03")]),
        ("2025-12", [("date_from", "2025-12-01"), ("date_to", "2025-12-31")]),
        ("3.2.2026", [("date_from", "2026-02-03"), ("date_to", "2026-02-03")]),
        ("2026-02-31", [("name", "2026-02-31")]),
        ("..", [("name", "..")]),
        (">80%", [("min_probability", "0.8")]),
        ("<=47.5%", [("max_probability", "0.475")]),
        ("dog 100%", [("class", "dog"), ("min_probability", "1")]),
    ],
)
def test_text_stands_for_filters(text: str, filters: list[tuple[str, str]]) -> None:
    assert parse(text, Vocabulary.of(CLASSES, ["resnet"], TODAY)) == filters


def test_classes_are_known_by_their_names_in_the_language_of_the_page() -> None:
    with translation.override("ru"):
        words = Vocabulary.of(CLASSES, [], TODAY)
        assert parse("Собака", words) == parse("dog", words) == [("class", "dog")]
