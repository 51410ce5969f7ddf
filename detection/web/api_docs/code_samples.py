"""The same request as a command of curl, as Python and as JavaScript, to copy."""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from detection.conf import current


@dataclass(frozen=True, slots=True)
class CodeSample:
    """Program that sends a photo. name: of its language, for people; slug: for ids."""

    name: str
    slug: str
    code: str


def predict_samples(
    url: str, options: Mapping[str, str] | None = None, *, needs_token: bool = False
) -> list[CodeSample]:
    """Return programs that send `photo.jpg` to the absolute address `url` and print the objects.

    options: of the query. needs_token: whether they send a token, KEY, too.
    """
    address = f"{url}?{urlencode(options)}" if options else url
    headers = {"Content-Type": "image/jpeg"} | ({"Authorization": "Token KEY"} if needs_token else {})
    return [
        CodeSample("curl", "curl", _curl(address, headers)),
        CodeSample("Python", "python", _python(address, headers)),
        CodeSample("JavaScript", "javascript", _javascript(address, headers)),
    ]


def entry_point_samples(request: HttpRequest, options: Mapping[str, str] | None = None) -> list[CodeSample]:
    """Return `predict_samples` for the address of this server that the request came to."""
    address = request.build_absolute_uri(reverse("entry-point"))
    return predict_samples(address, options, needs_token=current.config().needs_login)


def _curl(address: str, headers: Mapping[str, str]) -> str:
    given = " ".join(f"-H '{name}: {value}'" for name, value in headers.items())
    return f"curl -X POST {given} \\\n  --data-binary @photo.jpg \\\n  {shlex.quote(address)}"


def _python(address: str, headers: Mapping[str, str]) -> str:
    return f"""import json
from pathlib import Path
from urllib.request import Request, urlopen

request = Request(
    {json.dumps(address)},
    data=Path("photo.jpg").read_bytes(),
    headers={json.dumps(headers)},
)
with urlopen(request) as answer:
    for found in json.load(answer)["prediction"]:
        print(found["objectClass"], found["probability"])"""


def _javascript(address: str, headers: Mapping[str, str]) -> str:
    return f"""import {{ readFile }} from "node:fs/promises";

const answer = await fetch({json.dumps(address)}, {{
  method: "POST",
  headers: {json.dumps(headers)},
  body: await readFile("photo.jpg"),
}});
for (const found of (await answer.json()).prediction) {{
  console.log(found.objectClass, found.probability);
}}"""
