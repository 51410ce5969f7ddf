"""Logging: one line per event, as text for people or as JSON for machines (LOGGING)."""

import json
import logging
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from detection.conf import Config
from detection.observability import request_id, tracing
from detection.web.redaction import without_secrets

_OF_EVERY_RECORD = tuple(logging.makeLogRecord({}).__dict__)
_STANDARD = frozenset(_OF_EVERY_RECORD) | {"message", "asctime", "color_message", "taskName"}


class JsonFormatter(logging.Formatter):
    """JSON formatter, one object a line: time, level, logger, message, and the fields passed as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update(_fields(record))
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return without_secrets(json.dumps(entry, default=str, ensure_ascii=False))


class TextFormatter(logging.Formatter):
    """Text formatter, one line a record: time, level, logger, message, then the fields of our own code and the
    request's id.
    """

    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def format(self, record: logging.LogRecord) -> str:
        """Format the line, with a traceback if there is one."""
        return without_secrets(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 the name of the base
        """Format the line without a traceback."""
        fields = _fields(record) if record.name.startswith("detection.") else []
        extra = {key: value for key, value in fields if value is not None}
        if (current := getattr(record, "request_id", "")) and "request_id" not in extra:
            extra["request_id"] = current
        return " ".join([super().formatMessage(record), *(f"{key}={value}" for key, value in extra.items())])


def _fields(record: logging.LogRecord) -> list[tuple[str, Any]]:
    """Return what was passed as `extra`, in its order: it follows the attributes that every record begins with."""
    further = islice(record.__dict__.items(), len(_OF_EVERY_RECORD), None)
    return [(key, value) for key, value in further if key not in _STANDARD]


class RequestIdFilter(logging.Filter):
    """Filter that passes everything, and adds the ids of the record's request and trace."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True."""
        if current := request_id.current():
            record.request_id = current
        if trace := tracing.trace_id():
            record.trace_id = trace
        return True


class ClientErrorFilter(logging.Filter):
    """Filter that passes everything, and turns Django's errors about callers' mistakes into warnings of one line.

    Django logs an unknown Host header as an error, with a traceback, for each request of a network scanner,
    and a traceback with each page that a user of the admin may not see.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return True."""
        if record.name.startswith("django.security."):
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.exc_info = None
        elif record.name == "django.request" and record.levelno < logging.ERROR:
            record.exc_info = None
        return True


def logging_config(config: Config) -> dict[str, Any]:
    """Return a `logging.config.dictConfig` dictionary for the chosen format and level."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "text": {"()": "detection.observability.logs.TextFormatter"},
            "json": {"()": "detection.observability.logs.JsonFormatter"},
        },
        "filters": {
            "request_id": {"()": "detection.observability.logs.RequestIdFilter"},
            "callers_fault": {"()": "detection.observability.logs.ClientErrorFilter"},
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": config.logging.form,
                "filters": ["request_id", "callers_fault"],
            }
        },
        # Its lines of start and stop repeat those of `serve`.
        "loggers": {"uvicorn.error": {"level": "WARNING" if config.logging.level == "INFO" else config.logging.level}},
        "root": {"handlers": ["stderr"], "level": config.logging.level},
    }
