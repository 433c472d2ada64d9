"""Real providers on this machine: the sample data as a process, and a server that does everything wrong."""

import os
import socket
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.adapters.files import SourceFiles
from app.adapters.http import HttpClient
from devstack.ports import free_port
from devstack.process import ManagedProcess
from devstack.sample_data import SAMPLE_DATA
from devstack.services import ROOT
from workerkit.storage import Storage

MEBIBYTE = 1024 * 1024


class Nasty(BaseHTTPRequestHandler):
    """Answers `/<way>[/...]` in the way of that name."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers)))
        way, _, rest = self.path.strip("/").partition("/")
        try:
            getattr(self, way)(rest)
        except ConnectionError:
            self.server.hung_up.set()

    def answer(self, status=200, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Connection": "close", "Content_Length": len(body), **headers}.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def good(self, _):
        self.answer(body=b"good")

    def status(self, status):
        self.answer(int(status), b"<html>")

    def busy(self, seconds):
        self.answer(429, Retry_After=seconds)

    def once_busy(self, seconds):
        later = sum(path == self.path for path, _ in self.server.asked) > 1
        self.answer(body=b"late") if later else self.answer(503, Retry_After=seconds)

    def once_broken(self, _):
        later = sum(path == self.path for path, _ in self.server.asked) > 1
        self.answer(body=b"repaired") if later else self.answer(500)

    def hangs(self, _):
        self.server.end.wait()

    def drips(self, _):
        self.answer(Content_Length=1000)
        while not self.server.end.wait(0.05):
            self.wfile.write(b"x")
            self.wfile.flush()

    def stalls(self, _):
        self.answer(body=b"half", Content_Length=8)
        self.server.end.wait()

    def truncated(self, _):
        self.answer(body=b"half", Content_Length=8)

    def truncated_chunks(self, _):
        self.answer(Transfer_Encoding="chunked", Content_Length=None)
        self.wfile.write(b"4\r\nhalf\r\n")

    def chunked(self, _):
        self.answer(Transfer_Encoding="chunked", Content_Length=None)
        self.wfile.write(b"5\r\nwhole\r\n0\r\n\r\n")

    def longer_than_said(self, _):
        self.answer(body=b"whole and more", Content_Length=5)

    def senseless_length(self, _):
        self.answer(body=b"whole", Content_Length="many")

    def damaged(self, _):
        self.answer(body=b"whole", Repr_Digest=f"sha-256=:{'A' * 43}=:")

    def packed(self, _):
        self.answer(body=b"\x1f\x8b", Content_Encoding="gzip")

    def endless(self, _):
        self.answer(Transfer_Encoding="chunked", Content_Length=None)
        while not self.server.end.is_set():
            self.wfile.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")

    def mebibytes(self, number):
        self.answer(Content_Length=int(number) * MEBIBYTE)
        for _ in range(int(number)):
            self.wfile.write(b"x" * MEBIBYTE)

    def round_and_round(self, _):
        self.answer(302, Location="/round_and_round")

    def moved(self, target):
        self.answer(302, Location=f"/{target}")

    def elsewhere(self, _):
        self.answer(302, Location=f"http://localhost:{self.server.server_port}/good")

    def to_a_file(self, _):
        self.answer(302, Location="file:///etc/passwd")

    def not_modified(self, _):
        self.answer(304, Content_Length=None)

    def versioned(self, _):
        etag = self.server.etag
        if etag in (self.headers["If-None-Match"] or ""):
            self.answer(304, Content_Length=None, ETag=etag)
        else:
            self.answer(body=etag.encode(), ETag=etag)

    def airport(self, code):
        self.server.arrivals.append(time.monotonic())
        self.answer(body=b'{"faa": "%s"}' % code.encode())

    def log_message(self, *args):
        """Says nothing."""


@pytest.fixture
def nasty():
    """The nasty server; `asked` are the requests so far, and `url(way)` is where it answers in that way."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Nasty) as server:
        server.asked, server.arrivals, server.etag = [], [], '"1"'
        server.end, server.hung_up = threading.Event(), threading.Event()
        server.url = lambda way: f"http://127.0.0.1:{server.server_port}/{way}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.end.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def closed_port():
    """A port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def http():
    """A client that waits for two seconds at most."""
    client = HttpClient({"127.0.0.1"}, connect_seconds=2, read_seconds=2)
    yield client
    client.close()


@pytest.fixture
def folder(tmp_path):
    """Where the storage is."""
    return tmp_path / "storage"


@pytest.fixture
def files(folder):
    """The sources' files in that storage."""
    return SourceFiles(Storage(folder.as_uri()))


@pytest.fixture(scope="session")
def sample_data(tmp_path_factory):
    """The URL of the real service sample-data."""
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    settings = {"SAMPLE_DATA_FOLDER": str(SAMPLE_DATA), "SAMPLE_DATA_ADDRESS": "127.0.0.1", "SAMPLE_DATA_PORT": port}
    service = ManagedProcess(
        "sample-data",
        [sys.executable, "-m", "app.main"],
        log=tmp_path_factory.mktemp("sample-data") / "log",
        cwd=Path(ROOT, "services", "sample-data"),
        env={**os.environ, **settings},
        ready=lambda: _answers(f"{url}/healthz"),
    )
    with service:
        yield url


def _answers(url):
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except OSError:
        return False
    return True
