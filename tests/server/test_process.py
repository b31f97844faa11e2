"""A real server process: signals, ports, connections, slow and impatient clients."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.server.served import SECONDS, post, serving

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(head_seconds=1, body_seconds=1, connections=8) as (_, found):
        yield found


def connect(url: str) -> socket.socket:
    return socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=SECONDS)


def head(length: int) -> bytes:
    return (
        b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"content-length: " + str(length).encode() + b"\r\n\r\n"
    )


def everything(connection: socket.socket) -> bytes:
    """What a server sends until it closes the connection."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


def test_a_signal_under_load_loses_nothing_that_was_accepted() -> None:
    answers: list[str] = []
    refused: list[httpx.ConnectError] = []
    lost: list[Exception] = []

    def client(name: str, url: str) -> None:
        with httpx.Client(timeout=SECONDS) as session:
            for number in range(10_000):
                text = f"Jan{name}{number}"
                try:
                    answer = session.post(f"{url}/predict", json={"text": text})
                    assert answer.json()["documents"][0]["spans"][0]["text"] == text
                    answers.append(text)
                except httpx.ConnectError as error:
                    refused.append(error)
                    return
                except Exception as error:
                    lost.append(error)
                    return

    with serving(seconds=0.02) as (process, url):
        clients = [threading.Thread(target=client, args=(chr(97 + n), url)) for n in range(8)]
        for each in clients:
            each.start()
        while len(answers) < 40:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        for each in clients:
            each.join()
    assert lost == []
    assert len(refused) == 8
    assert len(answers) >= 40


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_the_request_under_way_finish(sent: signal.Signals) -> None:
    with serving(seconds=1.0) as (process, url):
        threading.Timer(0.5, process.send_signal, [sent]).start()
        assert post(url, "Jan").json()["documents"][0]["spans"][0]["text"] == "Jan"
        assert process.wait(SECONDS) == 0


def test_a_request_that_is_being_sent_is_accepted_after_the_signal() -> None:
    body = b'{"text": "Jan"}'
    with serving() as (process, url), connect(url) as connection:
        connection.sendall(head(len(body)) + body[:5])
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        connection.sendall(body[5:])
        answer = everything(connection)
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"connection: close" in answer.lower()
        assert process.wait(SECONDS) == 0


def lost(url: str) -> None:
    """A request that gets no answer."""
    with pytest.raises(httpx.HTTPError):
        post(url, "Jan")


def test_a_second_signal_stops_at_once() -> None:
    with serving(seconds=30.0) as (process, url):
        thread = threading.Thread(target=lost, args=(url,))
        thread.start()
        time.sleep(0.5)
        start = time.monotonic()
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 128 + signal.SIGTERM
        assert time.monotonic() - start < 10
        assert process.stderr.read() == "ner-head: a second signal: stopped at once, requests under way are lost\n"
        thread.join()


def test_an_idle_connection_does_not_delay_the_stop() -> None:
    with serving() as (process, url), httpx.Client() as session, connect(url):
        assert session.get(f"{url}/health").status_code == 200
        process.send_signal(signal.SIGTERM)
        start = time.monotonic()
        assert process.wait(SECONDS) == 0
        assert time.monotonic() - start < 8


def test_the_request_of_a_client_that_went_away_is_not_computed() -> None:
    with serving(seconds=0.5, batch_texts=2) as (process, url):
        body = b'{"texts": [' + b'"Gone",' * 199 + b'"Gone"]}'  # 100 s of work
        with connect(url) as connection:
            connection.sendall(head(len(body)) + body)
            time.sleep(0.5)
        start = time.monotonic()
        assert [post(url, "Jan").status_code for _ in range(3)] == [200] * 3
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        assert time.monotonic() - start < 40


def test_a_head_that_is_slow_is_cut_off(url: str) -> None:
    with connect(url) as connection:
        start = time.monotonic()
        connection.sendall(b"POST /predict HTTP/1.1\r\n")
        for _ in range(3):  # bytes that arrive do not prolong the time
            time.sleep(0.3)
            connection.sendall(b"a: b\r\n")
        answer = everything(connection)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"the request did not arrive in time" in answer
        assert time.monotonic() - start < 10
    with connect(url) as silent:
        assert everything(silent) == b""


def test_a_body_that_is_slow_is_refused(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(head(100))
        for _ in range(3):
            time.sleep(0.3)
            connection.sendall(b" ")
        answer = everything(connection)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"the body did not arrive within 1 s" in answer


def test_a_client_that_announces_too_much_gets_the_answer_at_once(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(head(10**12))
        assert everything(connection).startswith(b"HTTP/1.1 413")


def test_a_client_that_sends_too_much_gets_the_answer(url: str) -> None:
    answer = httpx.post(f"{url}/predict", content=b" " * 9_000_000, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_a_client_that_does_not_take_its_answer_is_cut_off() -> None:
    padding = '<cas:NULL xmi:id="0" a="' + "x" * 7_000_000 + '"/>'
    namespaces = 'xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore"'
    document = f'<xmi:XMI {namespaces}>{padding}<cas:Sofa xmi:id="1" sofaString="Jan"/></xmi:XMI>'
    body = json.dumps({"metadata": {"layer": "a.B", "feature": "c"}, "document": {"xmi": document}}).encode()
    with serving(answer_seconds=1) as (process, url), connect(url) as connection:
        connection.sendall(head(len(body)).replace(b"/predict", b"/inception/predict") + body)
        assert connection.recv(12) == b"HTTP/1.1 200"
        time.sleep(3)
        received = 0
        try:
            while part := connection.recv(2**20):
                received += len(part)
        except ConnectionResetError:
            pass
        assert received < 7_000_000
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0


def test_the_access_log_is_a_line_per_request_on_standard_error() -> None:
    with serving(access_log="true") as (process, url):
        assert httpx.get(f"{url}/health").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        (line,) = process.stderr.read().splitlines()
        assert line.endswith('"GET /health HTTP/1.1" 200')


def test_many_slow_clients_do_not_shut_out_others(url: str) -> None:
    slow = [connect(url) for _ in range(20)]
    for connection in slow:
        connection.sendall(b"POST /predict HTTP/1.1\r\n")
    try:
        assert post(url, "Jan").status_code == 200
    finally:
        for connection in slow:
            connection.close()


@pytest.mark.parametrize(
    "content",
    [b"\x00\xff\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"GET http://[ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"],
)
def test_what_is_no_request_is_refused(url: str, content: bytes) -> None:
    with connect(url) as connection:
        connection.sendall(content)
        assert everything(connection)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 404")
    assert httpx.get(f"{url}/health").status_code == 200


def test_a_chunked_body_that_is_malformed_does_no_harm(url: str) -> None:
    with connect(url) as connection:
        connection.sendall(head(0).replace(b"content-length: 0", b"transfer-encoding: chunked") + b"zz\r\n\r\n")
        assert everything(connection)[:12] in (b"HTTP/1.1 400", b"")
    assert httpx.get(f"{url}/health").status_code == 200
