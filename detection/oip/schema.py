"""Names of the operations of `/v2` in the API's description: each model address exists with and without a version."""

from typing import Any

_NAMES = {
    "v2_models_retrieve": ("get_oip_model", "Get inputs and outputs of a model"),
    "v2_models_ready_retrieve": ("check_oip_model", "Check that a model can be asked"),
    "v2_models_infer_create": ("infer_oip_model", "Infer: photos or pixels in, detections or outputs out"),
}


def name_operations(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Give the operations of models their names, tags and summaries (a hook of drf-spectacular)."""
    for item in result["paths"].values():
        for operation in item.values():
            automatic = operation.get("operationId", "")
            name, summary = _NAMES.get(automatic.replace("_versions", ""), ("", ""))
            if name:
                is_version = "_versions" in automatic
                operation["operationId"] = f"{name}_version" if is_version else name
                operation["summary"] = f"{summary}, of one version" if is_version else summary
                operation["tags"] = ["Open Inference Protocol"]
    return result
