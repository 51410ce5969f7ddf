"""The pages speak English and Russian, programs are answered in English."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import translation
from django.utils.translation import ngettext

from detection.batches import service as batches
from detection.batches.states import ListedPhoto
from detection.conf import BASE_DIR, Rate
from detection.errors import (
    FAILED,
    MODEL_FAILED,
    NOT_FOUND,
    BodyTooLargeError,
    ContentEncodingError,
    ForeignSiteError,
    LoginNeededError,
    MemoryBudgetError,
    ModelLoadError,
    RequestError,
    ThrottledError,
    UnknownModelError,
    UploadTimeoutError,
)
from detection.i18n.class_titles import class_title
from detection.i18n.error_messages import in_language, sentence_of
from detection.inference.errors import ImageDecodeError, ImageTooLargeError
from detection.inference.messages import MESSAGES, CodedError, Sentence
from detection.inference.photos.decode import decode_photo
from detection.predict import service as predict_service
from detection.predict.service import Upload
from tests.support.builders import stored_detection
from tests.support.photos import encode, noise

pytestmark = pytest.mark.django_db(transaction=True)
RUSSIAN = {"Accept-Language": "ru"}
CYRILLIC = re.compile("[а-яё]")


@pytest.fixture
def russian() -> Iterator[None]:
    with translation.override("ru"):
        yield


@pytest.mark.parametrize(
    ("wanted", "language"),
    [("ru", "ru"), ("ru-RU,ru;q=0.9,en;q=0.5", "ru"), ("en-GB", "en"), ("fr", "en"), ("fr,ru;q=0.3", "ru"), ("", "en")],
)
def test_page_is_in_the_language_that_the_browser_prefers(client: Client, wanted: str, language: str) -> None:
    page = client.get("/history/", headers={"Accept-Language": wanted})
    assert f'<html lang="{language}">' in page.text
    assert ("Галерея" in page.text) == (language == "ru")
    assert page["Content-Language"] == language


def test_switch_keeps_the_page_and_is_remembered(client: Client) -> None:
    page = client.get("/history/?class=cat", headers=RUSSIAN)
    assert '<input type="hidden" name="next" value="/history/?class=cat" data-next>' in page.text
    switched = client.post("/language/", {"language": "en", "next": "/history/?class=cat"}, headers=RUSSIAN)
    assert switched.headers["Location"] == "/history/?class=cat"
    assert '<html lang="en">' in client.get("/history/", headers=RUSSIAN).text


def test_switch_does_not_lead_to_another_site(client: Client) -> None:
    switched = client.post("/language/", {"language": "ru", "next": "https://example.org/"})
    assert switched.headers["Location"] == "/"


def test_page_of_the_login_can_be_switched(client: Client, limits: Any) -> None:
    limits(access="login")
    client.post("/language/", {"language": "ru", "next": "/login/"})
    page = client.get("/login/")
    assert "Пароль" in page.text
    assert client.get("/texts.js").status_code == 200


def test_error_pages_are_translated(client: Client) -> None:
    page = client.get("/no-such-page", headers=RUSSIAN)
    assert page.status_code == 404
    assert "По этому адресу ничего нет" in page.text


def test_programs_are_answered_in_english(client: Client) -> None:
    assert "Дата" not in client.get("/history/?date_from=x", headers=RUSSIAN).text
    answer = client.get("/api/detections/?date_from=x", headers=RUSSIAN)
    assert answer.json() == {"error": "date_from: Enter a valid date."}
    answer = client.post("/predict", b"no photo", content_type="image/jpeg", headers=RUSSIAN)
    assert not CYRILLIC.search(answer.text)
    assert "Content-Language" not in answer


def test_unusable_photo_is_told_in_russian_on_the_page(client: Client, model: None) -> None:
    answer = client.post("/", {"image": SimpleUploadedFile("a.jpg", b"no photo", "image/jpeg")}, headers=RUSSIAN)
    assert answer.status_code == 400
    assert "Фото не читается" in answer.text


def test_detection_in_russian(client: Client, model: None, chelsea: bytes) -> None:
    kept = predict_service.detect(Upload(chelsea, "page", original_name="cat.jpg"))
    page = client.get(f"/detections/{kept.detection_uuid}/", headers=RUSSIAN).text
    assert "Найден 1 объект" in page
    assert '<th scope="row">кошка</th>' in page
    assert "&gt; 99,9 %" in page
    assert "отправлено со страницы" in page
    assert "cat.jpg: кошка — в красных рамках" in page
    assert "&quot;objectClass&quot;: &quot;cat&quot;" in page
    history = client.get("/history/", headers=RUSSIAN).text
    assert '<option value="cat">кошка</option>' in history


def test_moments_name_the_zone_of_the_server(client: Client, model: None, chelsea: bytes) -> None:
    kept = predict_service.detect(Upload(chelsea, "page"))
    url = f"/detections/{kept.detection_uuid}/"
    zone = r'<time datetime="\d{4}-\d\d-\d\dT[^"]+\+00:00" data-moment>\d{1,2} %s \d{4}, \d\d:\d\d UTC</time>'
    assert re.search(zone % "[A-Z][a-z]+", client.get(url).text)
    assert re.search(zone % "[а-я]+", client.get(url, headers=RUSSIAN).text)


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "Найден 1 объект"), (2, "Найдено 2 объекта"), (5, "Найдено 5 объектов"), (11, "Найдено 11 объектов"),
     (21, "Найден 21 объект"), (22, "Найдено 22 объекта"), (112, "Найдено 112 объектов"), (0, "Найдено 0 объектов")],
)  # fmt: skip
def test_plurals_are_russian(russian: None, count: int, text: str) -> None:
    assert ngettext("%(count)s object found", "%(count)s objects found", count) % {"count": count} == text


@pytest.mark.parametrize("listed", ["mobilenet_ssd_voc/synset.txt", "nanodet_plus_m/classes.txt"])
def test_every_class_of_the_embedded_models_has_a_russian_name(russian: None, listed: str) -> None:
    names = (BASE_DIR / "models" / listed).read_text().split("\n")
    assert [name for name in names if name and not CYRILLIC.search(class_title(name))] == []


def test_class_of_another_model_keeps_its_name(russian: None) -> None:
    assert class_title("forklift") == "forklift"


def _refusal_of_photo(data: bytes, max_pixels: int = 1_000_000) -> CodedError:
    with pytest.raises((ImageDecodeError, ImageTooLargeError)) as refusal:
        decode_photo(data, max_pixels=max_pixels)
    return refusal.value


@pytest.mark.parametrize(
    ("error", "values"),
    [
        (lambda: _refusal_of_photo(b""), ()),
        (lambda: _refusal_of_photo(b"no photo"), ()),
        (lambda: _refusal_of_photo(encode(noise((40, 30))), 100), ("40", "30", "100")),
        (lambda: _refusal_of_photo(encode(noise((40, 1)))), ("40", "1")),
        (lambda: BodyTooLargeError(20_000_000), ("20,000,000",)),
        (lambda: ThrottledError(Rate(600, 60), 2.5), ("600", "60", "3")),
        (lambda: UploadTimeoutError(30), ("30",)),
        (MemoryBudgetError, ()),
        (ContentEncodingError, ()),
        (ForeignSiteError, ()),
        (LoginNeededError, ()),
        (lambda: RequestError(FAILED), ()),
        (lambda: RequestError(NOT_FOUND), ()),
        (lambda: ModelLoadError("net"), ("net",)),
        (lambda: RequestError(MODEL_FAILED), ()),
        (lambda: UnknownModelError("net", ["cat", "dog"]), ("'net'", "cat, dog")),
    ],
    ids=[
        "empty",
        "unreadable",
        "too many pixels",
        "too few",
        "bytes",
        "throttled",
        "slow",
        "full",
        "packed",
        "of another site",
        "nobody known",
        "failed",
        "not found",
        "not loaded",
        "no answer",
        "no such model",
    ],
)
def test_errors_are_told_in_russian_with_their_values(
    russian: None, error: Callable[[], CodedError], values: tuple[str, ...]
) -> None:
    sentence = sentence_of(error())
    assert CYRILLIC.search(sentence)
    assert [value for value in values if value not in sentence] == []
    assert "%" not in sentence


@pytest.mark.parametrize(
    "sentence",
    [
        pytest.param("The photo is empty. Send the bytes of a JPEG, PNG or WebP file.", id="a text that looks known"),
        pytest.param(Sentence("openvino answers with numbers.", "engine"), id="a code without a message"),
        pytest.param(Sentence("It has 3 pixels.", "photo_too_large", {"width": "3"}), id="a value is missing"),
    ],
)
def test_sentence_without_code_or_values_stays_in_english(russian: None, sentence: str) -> None:
    assert in_language(sentence) == sentence


def test_every_message_has_a_russian_text_with_its_values(russian: None) -> None:
    for template in MESSAGES.values():
        text = translation.gettext(template)
        assert CYRILLIC.search(text), template
        assert set(re.findall(r"%\(\w+\)s", text)) == set(re.findall(r"%\(\w+\)s", template))


def test_stored_error_is_told_in_russian(client: Client, model: None) -> None:
    batch = batches.create("", None, [ListedPhoto("a.jpg", 1000)])
    client.post(f"/api/batches/{batch.uuid}/photos/0", encode(noise((40, 1))), content_type="image/jpeg")
    item = batch.items.get()
    assert (item.state, item.error_code, item.error_params) == (
        "failed",
        "photo_too_small",
        {"width": "40", "height": "1", "limit": "8"},
    )
    assert item.error == "The photo is 40 x 1 pixels; send one with at least 8 pixels on each side."
    page = client.get(batch.get_absolute_url(), headers=RUSSIAN).text
    with translation.override("ru"):
        assert in_language(Sentence(item.error, item.error_code, item.error_params)) in page
    assert item.error not in page


def test_error_that_was_stored_without_a_code_is_shown_as_it_is(client: Client) -> None:
    batch = batches.create("", None, [ListedPhoto("a.jpg", 1000)])
    batch.items.update(state="failed", error="The photo is empty. Send another.")
    assert "The photo is empty. Send another." in client.get(batch.get_absolute_url(), headers=RUSSIAN).text


def test_refused_review_is_told_in_russian(client: Client) -> None:
    detection = stored_detection(("cat", 0.9))
    form = {"say": "undo", "version": "0"}
    client.post(f"/review/{detection.uuid}/say", form, headers=RUSSIAN)
    assert "отменять нечего" in client.get(f"/review/{detection.uuid}/", headers=RUSSIAN).text
