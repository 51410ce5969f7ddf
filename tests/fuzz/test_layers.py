"""The layers that read requests, without a server: that is quicker, so more requests that are nearly right."""

import asyncio
import os
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from detection.asgi.body_limits import BodyLimit, KnownLength
from detection.asgi.memory_budget import MemoryBudget
from detection.errors import error_body
from detection.oip.messages import InferenceRequest, MessageError, read_request
from detection.web.asgi_messages import read_body
from detection.web.serializers import to_json
from tests.fuzz import requests
from tests.support.asgi_calls import body_events, call, http_scope

EXAMPLES = 10 * int(os.environ.get("FUZZ_EXAMPLES", "40"))
LIMIT = 100
fuzzing = settings(deadline=None, derandomize=True, database=None, max_examples=EXAMPLES)
LENGTHS = st.one_of(st.none(), st.integers(0, 2 * LIMIT).map(str), st.just("9" * 40))


def test_entrance_hands_on_whole_bodies_within_its_limits_and_nothing_else() -> None:
    """Answers are 200 with the very body, 413, 503, 415, or none for who has left; no byte stays counted."""
    statuses: Counter[int] = Counter()

    @fuzzing
    @given(
        parts=st.lists(st.binary(max_size=LIMIT), max_size=5),
        declared=LENGTHS,
        chunked=st.booleans(),
        encoding=st.sampled_from([None, None, None, "identity", "gzip"]),
        leaves=st.booleans(),
        held=st.integers(0, 3 * LIMIT),
    )
    def try_one(
        *, parts: list[bytes], declared: str | None, chunked: bool, encoding: str | None, leaves: bool, held: int
    ) -> None:
        read: list[bytes | None] = []

        async def echo(_scope: Any, receive: Any, send: Any) -> None:
            read.append(await read_body(receive))
            await send({"type": "http.response.start", "status": 200, "headers": []})

        given_headers = {"Content-Length": declared, "Content-Encoding": encoding}
        given_headers["Transfer-Encoding"] = "chunked" if chunked else None
        budget = MemoryBudget(3 * LIMIT)
        budget.share().hold(held)
        events = body_events(*parts)
        events[-1]["more_body"] = leaves
        scope = http_scope("/", [(name, value) for name, value in given_headers.items() if value is not None])
        answered = asyncio.run(call(BodyLimit(KnownLength(echo), LIMIT, budget=budget), scope, events, leaves=leaves))

        statuses[answered.status] += 1
        assert answered.status in {0, 200, 413, 415, 503}
        assert answered.status in {200, 0} or answered.json["error"].endswith(".")
        assert [each for each in read if each is not None] == ([b"".join(parts)] if read and not leaves else [])
        assert budget.held_bytes == held

    try_one()
    assert set(statuses) >= {200, 413, 415, 503}


def read_or_refusal(body: bytes, length: int | None) -> tuple[InferenceRequest | None, str]:
    try:
        return read_request(body, None if length is None else str(length)), ""
    except MessageError as error:
        return None, str(error)


def test_reader_of_inferences_reads_or_says_why_not() -> None:
    outcomes: Counter[bool] = Counter()

    @fuzzing
    @given(requests.inferences((4, 4, 3)))
    def try_one(drawn: tuple[bytes, int | None]) -> None:
        body, length = drawn
        read, refusal = read_or_refusal(body, length)
        outcomes[read is not None] += 1
        # The sentence has to travel, whatever it repeats of the request.
        assert read is not None or to_json(error_body(refusal)).endswith(b'."}')
        assert all((each.pixels is None) != (each.photos is None) for each in (read.inputs if read else ()))

    try_one()
    assert min(outcomes[True], outcomes[False]) > 0
