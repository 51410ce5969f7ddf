"""The cross-site rule, as every entrance uses it."""

import pytest

from detection.web.origin import Sender, sender_of

OWN = {"https://detector.example.org", "http://10.0.0.7:8080"}


@pytest.mark.parametrize(
    ("origin", "fetch_site", "sender"),
    [
        pytest.param(None, None, Sender.OWN, id="a program"),
        pytest.param(None, "none", Sender.OWN, id="an address that a person typed"),
        pytest.param("https://detector.example.org", "same-origin", Sender.OWN, id="our page"),
        pytest.param("https://detector.example.org", None, Sender.OWN, id="our page in an old browser"),
        pytest.param("https://Detector.example.org", None, Sender.OWN, id="our page, written otherwise"),
        pytest.param("https://detector.example.org", "cross-site", Sender.OWN, id="a trusted page"),
        pytest.param("https://public.example", "same-origin", Sender.OWN, id="our page, the proxy changed the host"),
        pytest.param("http://10.0.0.7:3000", "same-site", Sender.OTHER_ORIGIN, id="another port"),
        pytest.param("https://evil.example", None, Sender.OTHER_ORIGIN, id="another page in an old browser"),
        pytest.param("null", None, Sender.OTHER_ORIGIN, id="a page without an origin"),
        pytest.param("https://evil.example", "cross-site", Sender.OTHER_SITE, id="another site"),
        pytest.param(None, "cross-site", Sender.OTHER_SITE, id="another site, without its origin"),
        pytest.param(None, "new-value", Sender.OTHER_SITE, id="a relation that is not known"),
    ],
)
def test_sender_follows_from_origin_and_fetch_metadata(
    origin: str | None, fetch_site: str | None, sender: Sender
) -> None:
    assert sender_of(origin, OWN, fetch_site) is sender
