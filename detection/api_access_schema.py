"""How the API's description tells who may call."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class CallerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its base has no annotations
    """The two ways of `CallerAuthentication`, for drf-spectacular, which finds this class by its base."""

    target_class = "detection.api_access.CallerAuthentication"
    name = ["token", "login"]

    def get_security_definition(self, _auto_schema: Any) -> Any:
        """One definition for each name."""
        token = {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`Token KEY`"}
        return [token, {"type": "apiKey", "in": "cookie", "name": "sessionid"}]
