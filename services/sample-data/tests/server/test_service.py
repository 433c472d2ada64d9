"""The service as a process, with the real tables."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from devstack.ports import free_port
from devstack.process import ManagedProcess
from devstack.sample_data import SAMPLE_DATA

SERVICE = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def environment():
    settings = {"SAMPLE_DATA_FOLDER": str(SAMPLE_DATA), "SAMPLE_DATA_ADDRESS": "127.0.0.1"}
    return {**os.environ, **settings, "SAMPLE_DATA_PORT": str(free_port())}


def probe(environment):
    program = [sys.executable, "-m", "app.health"]
    return subprocess.run(program, cwd=SERVICE, env=environment, check=False, capture_output=True, text=True)


@pytest.fixture(scope="module")
def service(environment, tmp_path_factory):
    log = tmp_path_factory.mktemp("service") / "log"
    program = [sys.executable, "-m", "app.main"]
    is_ready = lambda: probe(environment).returncode == 0  # noqa: E731
    process = ManagedProcess("sample-data", program, log=log, cwd=SERVICE, env=environment, ready=is_ready)
    with process, httpx.Client(base_url=f"http://127.0.0.1:{environment['SAMPLE_DATA_PORT']}") as client:
        yield client


@pytest.mark.parametrize("name", ["airlines.csv", "airports.csv", "planes.csv", "weather.csv", "flights.csv.zip"])
def test_a_file_arrives_whole_and_once(service, name):
    content = (SAMPLE_DATA / name).read_bytes()
    answer = service.get(f"/files/{name}")
    assert answer.status_code == 200
    assert answer.content == content
    assert answer.headers["content-length"] == str(len(content))
    assert answer.headers["etag"] == f'"{hashlib.sha256(content).hexdigest()}"'
    assert len(answer.headers.get_list("last-modified")) == len(answer.headers.get_list("etag")) == 1


@pytest.mark.parametrize("form", ["{}", 'W/{}, "other"', '"other", {}', "*"])
def test_who_has_the_content_gets_none(service, form):
    etag = service.head("/files/airlines.csv").headers["etag"]
    answer = service.get("/files/airlines.csv", headers={"If-None-Match": form.format(etag)})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)


def test_who_has_another_content_gets_this_one(service):
    answer = service.get("/files/airlines.csv", headers={"If-None-Match": '"other"'})
    assert (answer.status_code, len(answer.content)) == (200, 386)


def test_records(service):
    assert service.get("/api/airlines/9E").json() == {"carrier": "9E", "name": "Endeavor Air Inc."}
    airport = service.get("/api/airports/JFK").json()
    assert airport["name"] == "John F Kennedy Intl"
    assert (airport["lat"], airport["alt"], airport["tz"]) == (40.639751, 13, -5)


@pytest.mark.parametrize(
    "path", ["/files/none.csv", "/files/..%2F__init__.py", "/api/airports/XXX", "/api/planes/N10156", "/none"]
)
def test_what_is_not_there_is_404_with_json(service, path):
    answer = service.get(path)
    assert answer.status_code == 404
    assert list(answer.json()) == ["error"]


def test_what_is_not_allowed_is_405_with_json(service):
    answer = service.post("/files/airlines.csv")
    assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})
    assert answer.json() == {"error": "Method Not Allowed"}


def test_the_probe_says_no_when_nothing_listens(environment):
    done = probe({**environment, "SAMPLE_DATA_PORT": str(free_port())})
    assert done.returncode == 1
    assert "/healthz" in done.stderr
