"""Model names in the API's description."""

from typing import Any

from detection.registry import catalogue, listing

_OF_PHOTOS = ("predict", "predict_at_entry_point")


def name_models(result: dict[str, Any], **_keywords: Any) -> dict[str, Any]:
    """Offer all present models as values of predict's `model` (a hook of drf-spectacular)."""
    names = listing.choices() or [catalogue.default_model()[0]]
    for path in result["paths"].values():
        for operation in path.values():
            if operation.get("operationId") in _OF_PHOTOS:
                for parameter in operation["parameters"]:
                    if parameter["name"] == "model":
                        parameter["schema"]["enum"] = names
    return result
