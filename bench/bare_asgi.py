"""The least that an ASGI server does: read the body, answer a fixed JSON. `python -m bench.bare_asgi PORT`."""

import sys
from typing import Any

import uvicorn

_BODY = b'{"prediction":[{"objectClass":"cat","probability":0.9959417,"x":72,"y":439,"width":878,"height":987}]}'
_HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]


async def application(_scope: Any, receive: Any, send: Any) -> None:
    """Answer HTTP requests only."""
    more = True
    while more:
        event = await receive()
        more = event.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY})


if __name__ == "__main__":
    uvicorn.run(
        application, port=int(sys.argv[1]), http="httptools", lifespan="off", access_log=False, log_level="warning"
    )
