"""Fetches photos of tasks from the one Label Studio that the operator has named (LABEL_STUDIO_URL).

A request's own `hostname` and `access_token` are not used: whoever sends one would choose where this server connects.
"""

import http.client
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urljoin, urlsplit

from detection.conf import LabelStudio
from detection.errors import BodyTooLargeError, RequestError
from detection.protocols.photos import decode_photo

_TIMEOUT_S = 20.0
_DATA = "data:"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Handler that follows no redirect: it could lead anywhere."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        """Refuse; the response itself is the error then."""


_opener = urllib.request.build_opener(_NoRedirect)


def fetch(server: LabelStudio, reference: Any, most_bytes: int) -> bytes:
    """Return a photo of a task: a path on that server, its full address, or a `data:` address.

    Raises RequestError for other servers and for what cannot be fetched, and BodyTooLargeError.
    """
    if isinstance(reference, str) and reference.startswith(_DATA):
        return decode_photo(reference)
    if not isinstance(reference, str) or not reference:
        raise RequestError("The task has no image. Look at the data of the task, and at value= of the Image tag.")
    url = urljoin(f"{server.url}/", reference)
    if _origin(url) != _origin(server.url):
        raise RequestError(
            f"The image is not at {server.url} (LABEL_STUDIO_URL), and photos are fetched from nowhere else. Upload it "
            "to Label Studio, or let its storage pass files on."
        )
    request = urllib.request.Request(url, headers=_authorization(server))  # noqa: S310 LABEL_STUDIO_URL is HTTP
    with _open(request, url) as response:
        data: bytes = response.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise BodyTooLargeError(most_bytes)
    return data


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port


def _authorization(server: LabelStudio) -> dict[str, str]:
    """Return the header for a token: an old one as it is, a personal one (a JWT) in exchange for one of minutes."""
    if not server.token:
        return {}
    if server.token.count(".") != 2:  # noqa: PLR2004 the three parts of a JWT (RFC 7519)
        return {"Authorization": f"Token {server.token}"}
    url = f"{server.url}/api/token/refresh"
    body = json.dumps({"refresh": server.token}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310 as above
    with _open(request, url) as response:
        try:
            return {"Authorization": f"Bearer {json.loads(response.read(65_536))['access']}"}
        except (ValueError, KeyError, TypeError) as error:
            raise RequestError(f"{url} gave no token. Look at the token in LABEL_STUDIO_URL.") from error


def _open(request: urllib.request.Request, url: str) -> http.client.HTTPResponse:
    try:
        response: http.client.HTTPResponse = _opener.open(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        hint = "Look at the token in LABEL_STUDIO_URL" if error.code in {401, 403} else "Look at Label Studio's log"
        raise RequestError(f"{url} answered {error.code}. {hint}.") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise RequestError(f"{url} cannot be reached. Look at LABEL_STUDIO_URL, and at Label Studio.") from error
    return response
