"""Health checks in the API's description: plain Django views, which drf-spectacular does not see."""

from typing import Any

_ERROR = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}


def describe_probes(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add `/healthz` and `/readyz` (a hook of drf-spectacular)."""
    result["paths"] |= {
        "/healthz": _probe("check_liveness", "Check that the process answers", "Whether the process answers.", "ok"),
        "/readyz": _probe(
            "check_readiness",
            "Check that photos can be detected and kept",
            "Whether photos can be detected and kept now.",
            "ready",
            {"503": "Not now, and why."},
        ),
    }
    return result


def _probe(
    name: str, summary: str, description: str, status: str, errors: dict[str, str] | None = None
) -> dict[str, Any]:
    properties = {"status": {"type": "string", "enum": [status]}}
    schema = {"type": "object", "properties": properties, "required": ["status"]}
    answers = {"200": {"description": "It does.", "content": {"application/json": {"schema": schema}}}}
    refusals = {code: {"description": text, "content": _ERROR} for code, text in (errors or {}).items()}
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "description": f"{description} Asks nobody who they are, and answers under every host name.",
            "tags": ["Health"],
            "responses": {**answers, **refusals},
        }
    }
