"""Requests that are nearly right, drawn by hypothesis: forms, chunks, headers, query strings, messages of sockets."""

import base64
import json
from typing import Any
from urllib.parse import quote_from_bytes

from hypothesis import strategies as st

from tests.support import photos

PHOTO = photos.encode(photos.noise((40, 40)))
Headers = list[tuple[bytes, bytes]]
BYTES = st.binary(max_size=60)
# No line ends: these are for the parser of HTTP, which the chunks and raw headers below try.
LINE = st.binary(max_size=40).map(lambda raw: raw.translate(None, b"\r\n\0"))
WORDS = st.sampled_from([b"", b"image", b"photo.jpg", b"../../x", b"a" * 3000, b"\xff\xfe", "фото".encode(), b"%00%zz"])
TOKENS = st.one_of(WORDS, LINE)

_TYPES = [
    b"image/jpeg",
    b"image/png",
    b"text/plain; charset=x",
    b"multipart/mixed; boundary=y",
    b"application/json",
    b"",
]
_DISPOSITIONS = [
    b'form-data; name="image"; filename="%s"',
    b'form-data; name="%s"',
    b"form-data; name=image; filename=%s",
    b"form-data; name=\"image\"; filename*=UTF-8''%s",
    b"form-data; name=\"image\"; filename*=x'y'%s",
    b'attachment; name="%s"',
    b"%s",
]
GOOD_PART = (
    b'Content-Disposition: form-data; name="image"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n' + PHOTO
)


@st.composite
def parts(draw: st.DrawFn) -> bytes:
    """Head and body of one part of a form."""
    lines = [b"Content-Disposition: " + draw(st.sampled_from(_DISPOSITIONS)).replace(b"%s", draw(TOKENS))]
    if draw(st.booleans()):
        lines.append(b"Content-Type: " + draw(st.sampled_from(_TYPES)))
    if draw(st.booleans()):
        codings = [b"base64", b"quoted-printable", b"8bit", b"x"]
        lines.append(b"Content-Transfer-Encoding: " + draw(st.sampled_from(codings)))
    lines += draw(st.lists(LINE, max_size=2))
    content = draw(st.one_of(st.just(PHOTO), BYTES, st.just(base64.b64encode(PHOTO))))
    return (
        b"\r\n".join(draw(st.permutations(lines)))
        + draw(st.sampled_from([b"\r\n\r\n"] * 4 + [b"\r\n", b"\n\n"]))
        + content
    )


@st.composite
def forms(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A Content-Type and a form that goes with it, more or less."""
    boundary = draw(st.sampled_from([b"x", b"----WebKitFormBoundary7MA4", b"'()+_,-./:=?", b"x" * 70]))
    said = draw(
        st.sampled_from([boundary] * 6 + [b'"%s"' % boundary, b"", b"other", b"x" * 300, b"\xff", b"x; charset=idna"])
    )
    pieces = draw(st.lists(st.one_of(st.just(GOOD_PART), parts()), max_size=4))
    end = draw(st.sampled_from([b"\r\n--%s--\r\n"] * 5 + [b"\r\n--%s\r\n", b"\r\n--%s--%s", b""])).replace(
        b"%s", boundary
    )
    body = draw(st.sampled_from([b""] * 5 + [b"preamble\r\n"]))
    body += b"\r\n".join(b"--" + boundary + b"\r\n" + piece for piece in pieces) + end
    cut = draw(st.one_of(st.none(), st.none(), st.integers(0, len(body))))
    return b"multipart/form-data; boundary=" + said, body[:cut]


@st.composite
def chunks(draw: st.DrawFn) -> bytes:
    """A photo, or some of it, in chunks, with what RFC 9112 allows and what it does not."""
    whole, pieces = draw(st.sampled_from([PHOTO, PHOTO, b""])), []
    for start in range(0, len(whole), 700):
        piece = whole[start : start + 700]
        size = draw(
            st.sampled_from(
                [b"%x"] * 12 + [b"%X", b"000%x", b"%x;name=value", b"0x%x", b"-%x", b"%x ", b"fffffffffffffffff"]
            )
        )
        ends = draw(st.sampled_from([b"\r\n"] * 20 + [b"\n", b"", b"\r\r\n"]))
        pieces.append((size % len(piece) if b"%" in size else size) + b"\r\n" + piece + ends)
    last = draw(
        st.sampled_from(
            [b"0\r\n\r\n"] * 12
            + [
                b"0\r\nX-Trailer: a\r\n\r\n",
                b"0\r\nContent-Length: 5\r\n\r\n",
                b"00000\r\n\r\n",
                b"0;a\r\n\r\n",
                b"",
                b"x\r\n\r\n",
            ]
        )
    )
    return b"".join(pieces) + last + draw(st.sampled_from([b"", b"", b"GET /x HTTP/1.1\r\n\r\n"]))


FRAMINGS = st.lists(
    st.sampled_from(
        [
            (b"Transfer-Encoding", b"chunked"),
            (b"Transfer-Encoding", b"Chunked"),
            (b"Transfer-Encoding", b"gzip, chunked"),
            (b"Transfer-Encoding", b"chunked, identity"),
            (b"Transfer-Encoding", b"xchunked"),
            (b"Transfer-Encoding", b""),
            (b"Content-Length", b"10"),
            (b"Content-Length", b"0"),
            (b"Content-Length", b"-1"),
            (b"Content-Length", b"+10"),
            (b"Content-Length", b"1_0"),
            (b"Content-Length", b"10, 10"),
            (b"Content-Length", b"99999999999999999999999"),
            (b"Content-Length", b"\xb2"),
        ]
    ),
    max_size=3,
)

_VALUES = {
    b"Content-Type": [
        b"image/jpeg",
        b"IMAGE/JPEG; q=1",
        b"image/*",
        b";;;",
        b"multipart/form-data",
        b"application/x-www-form-urlencoded; charset=utf-7",
        b"application/json; charset=idna",
    ],
    b"Content-Encoding": [b"identity", b"gzip", b""],
    b"X-Request-ID": [b"a-b:c", b"a" * 129, b"a b", b"\xff"],
    b"X-File-Name": [b"a.jpg", b"%D1%84.jpg", "фото.jpg".encode(), b"%", b"%00", b"a" * 5000, b"../../etc/passwd"],
    b"Accept": [
        b"*/*",
        b"application/json; indent=99999999",
        b"application/json; indent=x",
        b"text/html",
        b"image/jpeg;q=2",
        b"/",
        b"a/b/c;;=,",
    ],
    b"Accept-Language": [b"ru", b"ru;q=x", b"*", b"a" * 600, b"-" * 300],
    b"Range": [
        b"bytes=0-9",
        b"bytes=-5",
        b"bytes=9-1",
        b"bytes=0-0,5-9",
        b"bytes=99999999999999999999-",
        b"lines=1-2",
        b"bytes=\xb2-",
    ],
    b"If-Range": [b'"x"', b"Wed, 21 Oct 2015 07:28:00 GMT"],
    b"If-None-Match": [b"*", b'"x", W/"y"', b"x,,"],
    b"If-Modified-Since": [b"Wed, 21 Oct 2015 07:28:00 GMT", b"99999999999", b"Wed, 99 Oct 99999 07:28:00 GMT"],
    b"Cookie": [b"sessionid=x; csrftoken=y", b"django_language=../x", b"=;=;", b"a" * 3000, b"sessionid=\xff"],
    b"Authorization": [b"Token x", b"Token", b"Token a b", b"Basic x", b"Token \xff", b"Bearer " + b"x" * 500],
    b"Host": [b"127.0.0.1", b"localhost:99999", b"evil.example", b"[::1", b"", b"a" * 300, b"127.0.0.1\xff"],
    b"Origin": [b"null", b"http://[", b"http://evil.example"],
    b"Referer": [b"http://[", b"x"],
    b"X-Forwarded-For": [b"1.2.3.4", b"x, y", b"\xff"],
    b"X-Forwarded-Proto": [b"https", b"x"],
    b"X-Forwarded-Host": [b"evil.example"],
    b"Sec-Fetch-Site": [b"cross-site", b"same-origin"],
    b"Expect": [b"100-continue", b"x"],
    b"Upgrade": [b"websocket", b"h2c"],
    b"Inference-Header-Content-Length": [b"0", b"5", b"-1", b"\xb2", b"9" * 40],
    b"X-HTTP-Method-Override": [b"DELETE"],
    b"traceparent": [b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", b"00-x-y-01"],
}


@st.composite
def headers(draw: st.DrawFn) -> Headers:
    """Headers that mean something to the server, with values that may not."""
    names = draw(st.lists(st.sampled_from(sorted(_VALUES)), max_size=5))
    return [(name, draw(st.one_of(st.sampled_from(_VALUES[name]), LINE))) for name in names]


_KEYS = sorted(
    {"threshold", "store", "source", "model", "page", "page_size", "class", "format", "photos", "batch", "reviewed"}
    | {
        "min_probability",
        "date_from",
        "date_to",
        "ordering",
        "state",
        "next",
        "lang",
        "language",
        "indent",
        "before",
        "x",
    }
)
_QUERY_VALUES = st.one_of(
    st.sampled_from(
        ["", "0", "1", "0.5", "nan", "inf", "1e999", "-1", "9" * 4400, "true", "cat", "yolo", "jsonl", "coco"]
    ),
    st.sampled_from(
        ["2024-01-01", "2024-13-41", "0000-00-00", "9999-12-31T23:59:59+14:00", "null", "[]", "-created", "\0", "²"]
    ),
    st.text(max_size=12),
)


@st.composite
def queries(draw: st.DrawFn) -> bytes:
    """A query string: names that the server knows, values that it may not; or anything that a request line may hold."""
    if draw(st.integers(0, 5)) == 0:
        return draw(st.binary(max_size=40)).translate(None, bytes(range(33)) + b"\x7f#")
    pairs = draw(st.lists(st.tuples(st.sampled_from(_KEYS), _QUERY_VALUES), max_size=4))
    raw = [
        f"{key}=".encode() + quote_from_bytes(value.encode("utf-8", "surrogatepass")).encode() for key, value in pairs
    ]
    return b"&".join(raw)


_PAGES = [
    "/",
    "/history/",
    "/batches/",
    "/live/",
    "/review/",
    "/login/",
    "/texts.js",
    "/metrics",
    "/readyz",
    "/static/x",
]
_LISTS = ["/api/detections/", "/api/batches/", "/api/export", "/api/model", "/api/models", "/api/review/queue", "/v2"]
_OF_ONE = ["{detection}", "{detection}photo", "{detection}annotated", "{detection}thumbnail", "{detection}review"]
PLACES = st.sampled_from([*_PAGES, *_LISTS, *_OF_ONE])

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(["image", "BYTES", 2**70, "\ud800"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
MESSAGES = st.lists(
    st.one_of(
        st.just(PHOTO),
        st.binary(max_size=200),
        st.text(max_size=60),
        JSON.map(json.dumps),
        st.integers(0, len(PHOTO)).map(lambda cut: PHOTO[:cut]),
    ),
    min_size=1,
    max_size=4,
)


def or_other(value: Any) -> st.SearchStrategy[Any]:
    """A value, three times of four; else anything that JSON has."""
    return st.one_of(st.just(value), st.just(value), st.just(value), JSON)


@st.composite
def inferences(draw: st.DrawFn, pixels_shape: tuple[int, ...]) -> tuple[bytes, int | None]:
    """An inference request, and the length of its JSON where tensors follow in binary."""
    is_pixels = draw(st.integers(0, 4)) == 0
    content = (
        bytes(pixels_shape[0] * pixels_shape[1] * pixels_shape[2])
        if is_pixels
        else len(PHOTO).to_bytes(4, "little") + PHOTO
    )
    row: dict[str, Any] = {
        "name": draw(or_other("image_rgb" if is_pixels else "image")),
        "datatype": draw(or_other("UINT8" if is_pixels else "BYTES")),
        "shape": draw(or_other([1, *pixels_shape] if is_pixels else [1])),
    }
    binary = is_pixels or draw(st.booleans())
    rest = b""
    if binary:
        rest = draw(st.sampled_from([content] * 4 + [content[:-1], content + b"x", b""]))
        row["parameters"] = draw(
            or_other({"binary_data_size": draw(st.one_of(st.just(len(rest)), st.just(len(rest)), st.integers()))})
        )
    else:
        row["data"] = draw(or_other([base64.b64encode(PHOTO).decode()]))
    document: dict[str, Any] = {"inputs": draw(or_other([row]))}
    if draw(st.booleans()):
        wanted = {"name": draw(or_other("boxes")), "parameters": {"binary_data": draw(or_other(True))}}
        document["outputs"] = draw(or_other([wanted]))
    if draw(st.booleans()):
        document["parameters"] = draw(or_other({"store": False, "threshold": draw(or_other(0.3))}))
    if draw(st.booleans()):
        document["id"] = draw(or_other("one"))
    head = json.dumps(document).encode()
    return head + rest, draw(st.sampled_from([len(head)] * 5 + [len(head) - 1, 10**9])) if binary else None
