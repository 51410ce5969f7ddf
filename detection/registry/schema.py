"""The API's description follows the models that this server offers."""

from typing import Any

from detection.registry import catalogue, listing

_OF_PHOTOS = ("predict", "predict_at_entry_point")


def name_models(result: dict[str, Any], **_keywords: Any) -> dict[str, Any]:
    """A hook of drf-spectacular: `model` of predict can be the name of any model that is offered now."""
    names = listing.choices() or [catalogue.default_model()[0]]
    for path in result["paths"].values():
        for operation in path.values():
            if operation.get("operationId") in _OF_PHOTOS:
                for parameter in operation["parameters"]:
                    if parameter["name"] == "model":
                        parameter["schema"]["enum"] = names
    return result
