"""Tracing settings, from the variables of OpenTelemetry's specification; its SDK reads the rest.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from collections.abc import Mapping

_PROTOCOL = "http/protobuf"


def read_tracing(environ: Mapping[str, str]) -> tuple[bool, list[tuple[str, str]]]:
    """Return whether to trace, and the invalid values: the problem and what to do."""
    exporter = environ.get("OTEL_TRACES_EXPORTER", "")
    endpoints = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", ""), environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
    protocols = environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", ""), environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "")
    is_disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    is_wanted = exporter == "otlp" or (not exporter and any(endpoints))
    if is_disabled or exporter == "none":
        return False, []
    problems = []
    if exporter not in {"", "otlp"}:
        problems.append(
            (
                f"OTEL_TRACES_EXPORTER is {exporter!r}, which cannot be used.",
                "Set OTEL_TRACES_EXPORTER to otlp or none, or unset it.",
            )
        )
    # The variable of the traces takes precedence, as everywhere in OpenTelemetry.
    protocol = protocols[1] or protocols[0]
    if is_wanted and protocol not in {"", _PROTOCOL}:
        problems.append(
            (
                f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}, which cannot be used for traces.",
                f"Set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL to {_PROTOCOL} and the endpoint to its port, mostly 4318.",
            )
        )
    return is_wanted and not problems, problems
