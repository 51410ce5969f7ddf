"""One message to real receivers: right, slow, endless, wrong, gone, redirecting, on a private address."""

import ipaddress
import shutil
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest

from detection.webhooks import signing
from detection.webhooks.delivery import post
from tests.support.receiver import receiver

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
# The example of the reference implementation's tests.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_the_signature_is_that_of_standard_webhooks() -> None:
    made = signing.headers(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_short", "whsec_###", "whsec_" + "A" * 200])
def test_secrets_that_are_none(secret: str) -> None:
    with pytest.raises(ValueError, match=r"^|whsec"):
        signing.key_of(secret)


def test_a_message_is_posted_whole() -> None:
    with receiver() as hook:
        assert post(f"{hook.url}?key=1", b'{"a": 1}', {"webhook-id": "x"}, LOOPBACK).is_delivered
    (message,) = hook.messages
    assert (message.path, message.id, message.event) == ("/hook?key=1", "x", {"a": 1})
    assert message.headers["content-type"] == "application/json"


def test_a_redirect_is_not_followed() -> None:
    with receiver() as target, receiver(status=302, location=target.url) as hook:
        outcome = post(hook.url, b"{}", {}, LOOPBACK)
    assert "302" in outcome.problem
    assert target.messages == []


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_an_error_is_a_failure(status: int) -> None:
    with receiver(status=status) as hook:
        outcome = post(hook.url, b"{}", {}, LOOPBACK)
    assert (str(status) in outcome.problem, outcome.is_gone) == (True, False)


def test_who_is_gone_says_so() -> None:
    with receiver(status=410) as hook:
        assert post(hook.url, b"{}", {}, LOOPBACK).is_gone


def test_a_slow_answer_ends_at_the_deadline_though_bytes_come() -> None:
    with receiver(drip_s=0.05) as hook:
        outcome = post(hook.url, b"{}", {}, LOOPBACK, deadline_s=0.3)
    assert "0.3 seconds" in outcome.problem


def test_an_endless_body_is_not_read() -> None:
    with receiver(status=200, endless=True) as hook:
        assert post(hook.url, b"{}", {}, LOOPBACK, deadline_s=5).is_delivered


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert "refused" in post(f"http://127.0.0.1:{port}/", b"{}", {}, LOOPBACK).problem


def test_a_private_address_is_not_even_connected_to() -> None:
    with receiver() as hook:
        outcome = post(hook.url, b"{}", {}, ())
    assert "WEBHOOK_NETWORKS" in outcome.problem
    assert hook.messages == []


def test_no_http_behind_the_socket() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = threading.Thread(target=_say_nonsense, args=(server,))
        answering.start()
        outcome = post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {}, LOOPBACK)
        answering.join()
    assert outcome.problem


def _say_nonsense(server: socket.socket) -> None:
    taken, _ = server.accept()
    with taken:
        taken.recv(65_536)
        taken.sendall(b"\x00\x01nonsense\r\n\r\n")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_a_certificate_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    named = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made, *named], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://localhost:{server.getsockname()[1]}/"
        allowed = [*LOOPBACK, ipaddress.ip_network("::1/128")]
        answering = threading.Thread(target=_answer_tls, args=(server, context, 2))
        answering.start()
        assert "CERTIFICATE_VERIFY_FAILED" in post(url, b"{}", {}, allowed).problem
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert post(url, b"{}", {}, allowed).is_delivered
        answering.join()


def _answer_tls(server: socket.socket, context: ssl.SSLContext, count: int) -> None:
    for _ in range(count):
        plain, _ = server.accept()
        try:
            with context.wrap_socket(plain, server_side=True) as taken:
                while not taken.recv(65_536).endswith(b"{}"):
                    pass
                taken.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        except OSError:
            plain.close()
