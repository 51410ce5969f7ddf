"""Logging: a line of text for people, an object of JSON for machines."""

import json
import logging
import logging.config
import sys
from uuid import UUID

import pytest
from django.core.exceptions import PermissionDenied

from detection.conf import Config, LogStyle
from detection.observability.logs import ClientErrorFilter, JsonFormatter, TextFormatter, logging_config

UUID_1 = UUID("00000000-0000-0000-0000-000000000001")


def record(**extra: object) -> logging.LogRecord:
    made = logging.LogRecord(
        "detection.predict.service", logging.INFO, "services.py", 1, "Found %d objects.", (2,), None
    )
    made.created = 1_700_000_000.125
    made.__dict__.update(extra)
    return made


def test_json_line_has_time_level_logger_message_and_what_was_passed_along() -> None:
    line = JsonFormatter().format(record(detection=UUID_1, timings_ms={"decode": 1.5}))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.125+00:00",
        "level": "INFO",
        "logger": "detection.predict.service",
        "message": "Found 2 objects.",
        "detection": str(UUID_1),
        "timings_ms": {"decode": 1.5},
    }


@pytest.mark.parametrize("field", ["%(process)d", "%(thread)d", "%(threadName)s", "%(processName)s", "%(name)s"])
def test_formats_of_other_servers_find_their_fields(field: str) -> None:
    """gunicorn's and hypercorn's own formats have the process in them, as a number."""
    made = logging.getLogger("gunicorn.error").makeRecord("gunicorn.error", logging.INFO, "a.py", 1, "hi", (), None)
    assert logging.Formatter(field).format(made) not in {"", "None"}


def test_json_line_leaves_out_what_uvicorn_adds_for_terminals() -> None:
    assert "color_message" not in json.loads(JsonFormatter().format(record(color_message="\x1b[32mhello")))


def test_json_line_keeps_text_of_all_languages_and_hides_line_breaks() -> None:
    line = JsonFormatter().format(record(path="/Katze\N{CAT FACE}\n2026 ERROR forged"))
    assert "\N{CAT FACE}" in line
    assert "\n" not in line


def test_json_line_has_the_traceback() -> None:
    failed = record()
    try:
        raise ValueError("broken")
    except ValueError:
        failed.exc_info = sys.exc_info()
    entry = json.loads(JsonFormatter().format(failed))
    assert entry["exception"].startswith("Traceback")
    assert entry["exception"].endswith("ValueError: broken")


def test_everything_goes_to_one_handler_from_the_chosen_level_on() -> None:
    chosen = logging_config(Config(logging=LogStyle("json", "WARNING")))
    assert chosen["root"] == {"handlers": ["stderr"], "level": "WARNING"}
    assert chosen["handlers"]["stderr"]["formatter"] == "json"
    assert chosen["disable_existing_loggers"] is False


@pytest.mark.parametrize(("log_format", "start"), [("text", "20"), ("json", '{"time": "')])
def test_line_has_the_chosen_form(log_format: str, start: str) -> None:
    chosen = logging_config(Config(logging=LogStyle(log_format)))
    configurator = logging.config.DictConfigurator(chosen)
    formatter = configurator.configure_formatter(chosen["formatters"][log_format])
    assert formatter.format(record()).startswith(start)
    assert "Found 2 objects." in formatter.format(record())


@pytest.mark.parametrize(("level", "is_ours"), [(logging.WARNING, False), (logging.ERROR, True)])
def test_fault_of_a_caller_is_one_line_and_one_of_ours_has_its_traceback(level: int, is_ours: bool) -> None:
    """As Django tells of a page of the admin that a user may not see, and of a view that failed."""
    try:
        raise PermissionDenied
    except PermissionDenied:
        told = logging.LogRecord("django.request", level, "", 1, "Forbidden: /admin/", (), sys.exc_info())
    assert ClientErrorFilter().filter(told)
    first, *rest = TextFormatter().format(told).splitlines()
    assert first.endswith("Forbidden: /admin/")
    assert bool(rest) is is_ours
