"""The user directory's client against a real HTTP server."""

import asyncio
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest

from app.adapters.users import HttpUserDirectory
from taskclient.client import TaskClient
from taskclient.errors import TaskFailed
from workerkit.errors import PermanentError, TransientError

WELCOME = "app.tasks.email.send_welcome_email"
ANSWERS = {
    "/users/7": (200, json.dumps({"email": "ada@example.com", "name": "Ada"})),
    "/users/10": (200, "<html>"),
    "/users/11": (200, json.dumps({"mail": "ada@example.com"})),
    "/users/12": (200, json.dumps({"email": "nobody"})),
    "/users/13": (200, "[]"),
    "/users/14": (302, ""),
    "/users/15": (401, ""),
    "/users/20": (500, ""),
    "/users/21": (503, ""),
    "/users/22": (429, ""),
}


class Users(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/users/30":
            time.sleep(0.5)
        status, body = ANSWERS.get(self.path, (404, ""))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *args):
        """Says nothing."""


@pytest.fixture(scope="module")
def url():
    with HTTPServer(("127.0.0.1", 0), Users) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/users"
        server.shutdown()
        thread.join()


def ask(url, user_id, **options):
    async def address():
        async with httpx.AsyncClient() as client:
            return await HttpUserDirectory(url, client, **options).address_of(user_id)

    return asyncio.run(address())


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_known_user(url, slash):
    assert ask(url + slash, 7) == "ada@example.com"


def test_an_unknown_user(url):
    with pytest.raises(PermanentError, match="There is no user 8"):
        ask(url, 8)


@pytest.mark.parametrize("user_id", range(10, 16))
def test_an_answer_that_was_not_agreed(url, user_id):
    with pytest.raises(PermanentError, match="check USER_DIRECTORY_URL"):
        ask(url, user_id)


@pytest.mark.parametrize("user_id", range(20, 23))
def test_a_service_in_trouble(url, user_id):
    with pytest.raises(TransientError, match="answered"):
        ask(url, user_id)


def test_a_service_that_takes_too_long(url):
    with pytest.raises(TransientError, match="Timeout"):
        ask(url, 30, timeout_seconds=0.1)


def test_a_service_that_is_down(closed_port):
    with pytest.raises(TransientError, match="is away"):
        ask(f"http://127.0.0.1:{closed_port}", 7)


def test_a_worker_asks_for_all_users_by_one_client(url, start, client: TaskClient):
    start(USER_DIRECTORY_URL=url)
    handles = [client.send(WELCOME, user=user, name="Ada") for user in (7, 8, 7)]
    assert [handles[n].result(60)["recipients"] for n in (0, 2)] == [["ada@example.com"]] * 2
    with pytest.raises(TaskFailed, match="There is no user 8"):
        handles[1].result(60)
