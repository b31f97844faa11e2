"""The server: throughput and latency by number of clients, memory over many requests, and bad requests.

    python -m benchmarks.serving [--model models/head] [--requests 20000] [--threads 1]

Sentences of the sample, one a request. The baseline is one process that calls `recognize` with the same sentences, one
at a time and 32 at a time. Server, clients and baseline are on the same machine.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from benchmarks.report import write_results
from ner_head.corpus.documents import Document
from ner_head.corpus.segment import segment
from ner_head.recognizer import Recognizer

JSON = {"Content-Type": "application/json"}
CLIENTS = (1, 8, 32)


def sentences(folder: Path, count: int) -> list[str]:
    """Sentences of the sample's raw texts, drawn with seed 0."""
    found = list[str]()
    for path in sorted(folder.rglob("*.txt")):
        text = path.read_text(encoding="utf-8")
        found += [text[s.start : s.end] for s in segment(text, path.parent.name) if 30 <= s.end - s.start <= 300]
    return random.Random(0).sample(found, count)


def baseline(recognizer: Recognizer, texts: list[str]) -> dict[str, float]:
    """Sentences per second of one process, and how much a batch changes a probability."""
    documents = [Document(id=str(i), text=text) for i, text in enumerate(texts)]
    recognizer.recognize_documents(documents[:32])
    start = time.perf_counter()
    alone = [recognizer.recognize_documents([document])[0] for document in documents]
    middle = time.perf_counter()
    together = [d for i in range(0, len(documents), 32) for d in recognizer.recognize_documents(documents[i : i + 32])]
    end = time.perf_counter()
    same = sum(a == b for a, b in zip(alone, together, strict=True))
    pairs = [
        (x.probability or 0, y.probability or 0)
        for a, b in zip(alone, together, strict=True)
        for x, y in zip(a.spans, b.spans, strict=False)
    ]
    return {
        "one_at_a_time_per_s": round(len(texts) / (middle - start), 1),
        "32_at_a_time_per_s": round(len(texts) / (end - middle), 1),
        "documents": len(documents),
        "documents_with_the_same_spans": same,
        "spans": len(pairs),
        "largest_difference_of_a_probability": max(abs(x - y) for x, y in pairs),
    }


class Server:
    """The server as a process of its own."""

    def __init__(self, model: Path, threads: int) -> None:
        command = [sys.executable, "-m", "ner_head.cli.main", "serve", "--model", str(model), "--port", "0"]
        self.process = subprocess.Popen([*command, "--threads", str(threads)], stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        if " on http" not in line:
            raise SystemExit(line)
        where = urlsplit(line.split(" on ")[1].split()[0])
        self.host, self.port = str(where.hostname), int(where.port or 0)

    def memory(self) -> float:
        """Resident memory in MB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return round(int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024, 1)

    def connect(self) -> http.client.HTTPConnection:
        """A connection that is kept."""
        return http.client.HTTPConnection(self.host, self.port, timeout=120)

    def post(self, connection: http.client.HTTPConnection, body: bytes) -> int:
        """One request; returns the status."""
        connection.request("POST", "/predict", body, JSON)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    def stop(self) -> int:
        """Stop, and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(120)


def load(server: Server, bodies: list[bytes], clients: int) -> dict[str, float]:
    """Send all bodies from some clients, each of which waits for an answer before it sends the next."""
    todo, times, statuses, lock = iter(bodies), list[float](), list[int](), threading.Lock()

    def client() -> None:
        connection = server.connect()
        while True:
            with lock:
                body = next(todo, None)
            if body is None:
                return
            start = time.perf_counter()
            statuses.append(server.post(connection, body))
            times.append(time.perf_counter() - start)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    milliseconds = np.percentile(np.array(times) * 1000, [50, 99])
    return {
        "clients": clients,
        "requests": len(times),
        "answered": statuses.count(200),
        "per_s": round(len(times) / seconds, 1),
        "p50_ms": round(float(milliseconds[0]), 1),
        "p99_ms": round(float(milliseconds[1]), 1),
    }


def bad_requests(server: Server) -> dict[str, Any]:
    """Statuses of malformed and huge requests, and the time of a good one beside 300 slow connections."""
    good = json.dumps({"text": "Jana Nová bydlí v Brně."}).encode()
    malformed = [b"{", b"[]", b"\xff", b'{"text": "\\ud800"}', b'{"text": 1}', b"[" * 50_000]
    found = {"malformed": sorted({server.post(server.connect(), body) for body in malformed * 20})}
    huge = json.dumps({"text": "a" * 9_000_000}).encode()
    found["huge"] = sorted({server.post(server.connect(), huge) for _ in range(50)})
    many = json.dumps({"text": "Jana " * 40_001}).encode()
    found["too_many_characters"] = sorted({server.post(server.connect(), many) for _ in range(20)})
    slow = [socket.create_connection((server.host, server.port)) for _ in range(300)]
    for connection in slow:
        connection.sendall(b"POST /predict HTTP/1.1\r\n")
    start = time.perf_counter()
    found["good_beside_300_slow"] = [server.post(server.connect(), good)]
    milliseconds = round((time.perf_counter() - start) * 1000, 1)
    for connection in slow:
        connection.close()
    return {"statuses": found, "ms_of_a_good_one_beside_300_slow": milliseconds, "memory_after_MB": server.memory()}


def main() -> None:
    """Measure, print, and write benchmarks/results/serving.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("models/head"))
    parser.add_argument("--sample", type=Path, default=Path("data/sample/raw"))
    parser.add_argument("--sentences", type=int, default=320)
    parser.add_argument("--requests", type=int, default=20_000, help="requests over which memory must stay the same")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    texts = sentences(options.sample, options.sentences)
    bodies = [json.dumps({"text": text}).encode() for text in texts]
    figures: dict[str, Any] = {"threads": options.threads, "characters": sum(map(len, texts))}
    figures["recognize"] = baseline(Recognizer.load(options.model, "cpu", threads=options.threads), texts)
    print(figures)
    server = Server(options.model, options.threads)
    load(server, bodies[:64], 8)
    figures["server"] = []
    for clients in CLIENTS:
        figures["server"].append(load(server, bodies, clients))
        print(figures["server"][-1])
    short = [json.dumps({"text": f"Jana Nová {i}."}).encode() for i in range(options.requests)]
    first = load(server, short[:1000], 32)
    early = server.memory()
    rest = load(server, short[1000:], 32)
    figures["memory"] = {
        "requests": options.requests,
        "answered": first["answered"] + rest["answered"],
        "per_s": rest["per_s"],
        "after_1000_MB": early,
        "at_the_end_MB": server.memory(),
    }
    print(figures["memory"])
    figures["bad"] = bad_requests(server)
    figures["exit_code"] = server.stop()
    print(figures["bad"])
    write_results("serving", figures, ("torch", "fastapi", "uvicorn", "starlette", "h11"))


if __name__ == "__main__":
    main()
