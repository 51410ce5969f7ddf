"""Authentication in the API's description."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

from detection.conf.current import config


class CallerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its base has no annotations
    """Security schemes of `CallerAuthentication`, for drf-spectacular, which finds this class by its base."""

    target_class = "detection.accounts.authentication.CallerAuthentication"
    name = ["token", "login"]

    def get_security_definition(self, _auto_schema: Any) -> Any:
        """Return one definition for each name."""
        token = {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token KEY` or `Bearer KEY`",
        }
        return [token, {"type": "apiKey", "in": "cookie", "name": "sessionid"}]


# Responses that any address may have.
_COMMON = {
    "401": "ACCESS=login, and neither a login nor a token that is valid.",
    "403": "A page of another site has sent it.",
    "408": "The request took too long to come in.",
    "413": "Too many bytes.",
    "414": "The address is too long.",
    "429": "Too many requests; `Retry-After` says when to come back.",
    "503": "Overloaded, or the database does not answer; `Retry-After` says when to come back.",
}
# The liveness probe is open to everybody, so that a balancer needs no token.
OPEN_TO_ALL = frozenset({"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"})
_OF_BODIES = {"408", "413"}
_OF_CHANGES = {"403"}
_METHODS = frozenset({"get", "post", "put", "patch", "delete"})
_ERROR = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}


def describe_access(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add to every operation its common responses, and that a token *or* a login is enough (a hook of
    drf-spectacular).
    """
    for path, item in result["paths"].items():
        for method, operation in item.items():
            if method in _METHODS:
                _describe(method, operation, needs_login=config().needs_login and path not in OPEN_TO_ALL)
    return result


def _describe(method: str, operation: dict[str, Any], *, needs_login: bool) -> None:
    operation["security"] = [{"token": []}, {"login": []}] if needs_login else []
    for status, description in _COMMON.items():
        if _is_possible(status, method, needs_login):
            operation["responses"].setdefault(status, {"description": description, "content": _ERROR})
    operation["responses"] = dict(sorted(operation["responses"].items()))


def _is_possible(status: str, method: str, needs_login: bool) -> bool:
    if status == "401":
        return needs_login
    if status in _OF_BODIES:
        return method in {"post", "put", "patch"}
    return status not in _OF_CHANGES or method != "get"
