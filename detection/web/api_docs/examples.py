"""Examples in the API's description: real requests and answers, recorded by `python -m tools.api_examples`."""

import json
from functools import cache
from pathlib import Path
from typing import Any

EXAMPLES_FILE = Path(__file__).with_suffix(".json")
_COMMON = "errors"


@cache
def recorded() -> dict[str, Any]:
    """Return the examples by operation: {"request": JSON or None, "answers": {status: {media type: example}}}."""
    examples: dict[str, Any] = json.loads(EXAMPLES_FILE.read_text(encoding="utf-8"))
    return examples


def add_examples(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add an example to every JSON request, and to every answer that is text (a hook of drf-spectacular).

    Runs behind the hooks that name operations and add their common answers.
    """
    common = recorded()[_COMMON]
    for item in result["paths"].values():
        for operation in item.values():
            example = recorded().get(operation.get("operationId", ""))
            if example is not None:
                _add_to(operation, example, common)
    return result


def _add_to(operation: dict[str, Any], example: dict[str, Any], common: dict[str, Any]) -> None:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None and example["request"] is not None:
        body["example"] = example["request"]
    for status, answer in operation["responses"].items():
        recorded_here = example["answers"].get(status, {})
        for kind, described in answer.get("content", {}).items():
            if kind in recorded_here:
                described["example"] = recorded_here[kind]
            elif status in common and kind == "application/json":
                described["example"] = common[status]
