"""Messages of errors: a sentence keeps the code and the values that it was made of, and stays plain text."""

import contextlib
import copy
import importlib
import json
import pickle
import pkgutil
from collections.abc import Callable

import pytest

from detection import inference
from detection.inference import errors
from detection.inference.errors import ImageDecodeError, InferenceError
from detection.inference.messages import MESSAGES, CodedError, Message, Sentence
from detection.inference.photos.decode import decode_photo
from tests.support.photos import encode, noise


def test_error_has_a_code_and_values() -> None:
    with pytest.raises(errors.ImageTooLargeError) as refusal:
        decode_photo(encode(noise((16, 16)), "PNG"), max_pixels=10)
    error = refusal.value
    assert error.code == "photo_too_large"
    assert error.params == {"width": "16", "height": "16", "limit": "10"}
    assert str(error) == MESSAGES[error.code] % error.params


def test_error_with_a_text_of_its_own_has_the_code_of_its_class() -> None:
    error = ImageDecodeError("It is torn.")
    assert (error.sentence, error.code, error.params) == ("It is torn.", "image_decode", {})
    assert InferenceError().sentence == ""


def test_codes_of_classes_are_none_of_messages() -> None:
    for module in pkgutil.walk_packages(inference.__path__, "detection.inference."):
        with contextlib.suppress(ImportError):  # of an engine that is not installed
            importlib.import_module(module.name)

    def all_of(kind: type[CodedError]) -> list[type[CodedError]]:
        return [kind, *(each for child in kind.__subclasses__() for each in all_of(child))]

    assert {kind.default_code for kind in all_of(CodedError)} & MESSAGES.keys() == set()


def test_two_messages_under_one_code_are_refused() -> None:
    with pytest.raises(ValueError, match="two messages under the code photo_empty"):
        Message("photo_empty", "Another text.")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])  # noqa: S301 our own
def test_sentence_is_text_and_keeps_its_code_in_copies(copied: Callable[[Sentence], Sentence]) -> None:
    sentence = Sentence("3 pixels", "pixels", {"count": "3"})
    again = copied(sentence)
    assert (again, again.code, again.params) == ("3 pixels", "pixels", {"count": "3"})
    assert json.dumps(sentence) == '"3 pixels"'
