"""Upgrades: those to WebSocket are taken, all others are ignored, and the request is answered (RFC 9110, 7.8)."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hostile import all_of, connected
from tests.support.serving import Server, running_server

TIMEOUT_S = 1.0
SAMPLE = Path(__file__).resolve().parents[2] / "static" / "detection" / "samples" / "chelsea.jpg"
HANDSHAKE = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
JAVA = """
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;

public class Post {
    public static void main(String[] arguments) throws Exception {
        // As it comes: it offers HTTP/2 by an upgrade (h2c) with its first request.
        HttpClient client = HttpClient.newHttpClient();
        HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0]))
            .header("Content-Type", "image/jpeg")
            .POST(HttpRequest.BodyPublishers.ofFile(Path.of(arguments[1]))).build();
        for (int i = 0; i < 2; i++) {
            HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.body());
        }
    }
}
"""
NODE = """
const fs = require('fs');
(async () => {
  for (let i = 0; i < 2; i++) {
    const body = fs.readFileSync(process.argv[2]);
    const answer = await fetch(process.argv[1], {method: 'POST', body, headers: {'Content-Type': 'image/jpeg'}});
    console.log(answer.status, await answer.text());
  }
})();
"""

GO = """
package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	photo, err := os.ReadFile(os.Args[2])
	if err != nil {
		panic(err)
	}
	// As it comes, then asking before it sends the body, then as pieces of unknown length.
	for _, way := range []string{"", "expect", "chunked"} {
		var body io.Reader = bytes.NewReader(photo)
		if way == "chunked" {
			body = io.MultiReader(body)
		}
		request, err := http.NewRequest("POST", os.Args[1], body)
		if err != nil {
			panic(err)
		}
		request.Header.Set("Content-Type", "image/jpeg")
		if way == "expect" {
			request.Header.Set("Expect", "100-continue")
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			panic(err)
		}
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			panic(err)
		}
		fmt.Println(answer.StatusCode, string(text))
	}
}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"DATA_DIR": str(tmp_path_factory.mktemp("upgrades")), "UPLOAD_TIMEOUT": str(TIMEOUT_S)}
    with running_server(settings) as running:
        yield running


def photo_request(headers: bytes, body: bytes) -> bytes:
    line = b"POST /predict?store=0 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"
    return line + headers + b"\r\n" + body


def exchange(server: Server, request: bytes) -> bytes:
    with connected(server) as opened:
        opened.sendall(request)
        return all_of(opened)


@pytest.mark.parametrize(
    "offer",
    [
        pytest.param(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n", id="h2c"),
        pytest.param(HANDSHAKE, id="WebSocket by POST"),
        pytest.param(b"Connection: upgrade\r\nUpgrade: websocket\r\n", id="WebSocket without a key"),
        pytest.param(b"Connection: upgrade\r\nUpgrade: TLS/1.0\r\n", id="TLS"),
    ],
)
@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunks"])
def test_upgrade_that_is_not_taken_keeps_the_body(
    offer: bytes, is_chunked: bool, server: Server, chelsea: bytes
) -> None:
    framing = b"Transfer-Encoding: chunked\r\n" if is_chunked else b"Content-Length: %d\r\n" % len(chelsea)
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(chelsea), chelsea) if is_chunked else chelsea
    answer = exchange(
        server, photo_request(offer + framing, body) + b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    )
    first, _, second = answer.partition(b"}HTTP/1.1 ")
    assert first.startswith(b"HTTP/1.1 200 ")
    assert b'"objectClass":"cat"' in first
    assert second.startswith(b"200 ")
    assert b"ok" in second


def test_thousand_upgrades_in_one_piece_are_all_ignored(server: Server) -> None:
    offer = b"GET /healthz HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert exchange(server, offer * 300 + last).count(b"HTTP/1.1 200 ") == 301


@pytest.mark.parametrize("framing", [b"Content-Length: 1000\r\n", b"Transfer-Encoding: chunked\r\n"])
def test_websocket_with_a_body_that_does_not_come_ends_in_time(framing: bytes, server: Server) -> None:
    answer = exchange(server, b"GET /ws/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n" + HANDSHAKE + framing + b"\r\n")
    assert b" 101 " not in answer
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")


def test_upgrade_behind_a_request_that_is_answered_does_not_cut_its_answer_off(server: Server, chelsea: bytes) -> None:
    upgrade = b"GET /ws/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" + HANDSHAKE + b"\r\n"
    answer = exchange(server, photo_request(b"Content-Length: %d\r\n" % len(chelsea), chelsea) + upgrade)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"objectClass":"cat"' in answer


def test_connect_is_refused(server: Server) -> None:
    answer = exchange(server, b"CONNECT example.org:80 HTTP/1.1\r\nHost: example.org\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


def printed(command: list[str], program: str, **environment: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"needs {program}")
    done = subprocess.run(
        [found, *command], capture_output=True, text=True, timeout=120, check=False, env=os.environ | environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def assert_cats(answers: list[str]) -> None:
    assert answers
    for answer in answers:
        status, _, body = answer.partition(" ")
        assert status == "200"
        assert json.loads(body)["prediction"][0]["objectClass"] == "cat"


def test_http_client_of_java_posts_photos(server: Server, tmp_path: Path) -> None:
    # `java` compiles what it runs with the compiler of the development kit.
    if shutil.which("javac") is None:
        pytest.skip("needs javac")
    source = tmp_path / "Post.java"
    source.write_text(JAVA, encoding="utf-8")
    assert_cats(printed([str(source), f"{server.url}/predict?store=0", str(SAMPLE)], "java").splitlines())


def test_curl_that_offers_http2_posts_photos(server: Server) -> None:
    options = ["--silent", "--http2", "--data-binary", f"@{SAMPLE}", "--header", "Content-Type: image/jpeg"]
    url = f"{server.url}/predict?store=0"
    answers = printed([*options, "--write-out", "\n%{http_code}\n", url, url], "curl").splitlines()
    assert_cats([f"{status} {body}" for body, status in zip(answers[::2], answers[1::2], strict=True)])


def test_http_client_of_go_posts_photos(server: Server, tmp_path: Path) -> None:
    source = tmp_path / "post.go"
    source.write_text(GO, encoding="utf-8")
    command = ["run", str(source), f"{server.url}/predict?store=0", str(SAMPLE)]
    # Go wants a place for what it builds, also where nobody is at home.
    assert_cats(printed(command, "go", GOCACHE=str(tmp_path / "cache")).splitlines())


def test_curl_that_asks_before_it_sends_posts_photos(server: Server) -> None:
    options = ["--silent", "--data-binary", f"@{SAMPLE}", "--header", "Content-Type: image/jpeg"]
    asking = [*options, "--http1.1", "--header", "Expect: 100-continue", "--write-out", "\n%{http_code}\n"]
    answers = printed([*asking, f"{server.url}/predict?store=0"], "curl").splitlines()
    assert_cats([f"{answers[1]} {answers[0]}"])


def test_fetch_of_node_posts_photos(server: Server) -> None:
    assert_cats(printed(["-e", NODE, f"{server.url}/predict?store=0", str(SAMPLE)], "node").splitlines())
