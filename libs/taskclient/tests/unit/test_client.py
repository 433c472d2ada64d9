"""What the client decides before it talks to Redis, and what it does when a reply gets lost."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime

import pytest

from taskclient.client import TaskClient
from taskclient.errors import BrokerUnavailable, InvalidTaskName, PayloadNotSerializable
from taskclient.results import TaskRecord

NOWHERE = "redis://:s3cret@127.0.0.1:1/0"


class ForgetfulRedis:
    """A server that takes a push and hangs up instead of answering."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self.pushes = 0

    def serve(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:  # closed: the test is over
                return
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        while data := connection.recv(65536):
            if b"EVALSHA" in data:
                self.pushes += 1
                return
            commands = sum(line.startswith(b"*") for line in data.split(b"\r\n"))
            connection.sendall(b"+OK\r\n" * commands)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def forgetful_redis() -> Iterator[ForgetfulRedis]:
    with closing(ForgetfulRedis()) as server:
        thread = threading.Thread(target=server.serve)
        thread.start()
        yield server
    thread.join(timeout=5)


def test_a_lost_reply_is_not_sent_again():
    with forgetful_redis() as server, TaskClient(server.url, check=False) as client:
        with pytest.raises(BrokerUnavailable, match="may be in the queue or not") as caught:
            client.send("app.tasks.demo.add", task_id="id-7")

        assert server.pushes == 1
        assert "id-7" in str(caught.value)


@pytest.mark.parametrize("queue", [None, "other"])
def test_wrong_names_are_refused_before_anything_is_sent(queue):
    with TaskClient(NOWHERE) as client, pytest.raises(InvalidTaskName):
        client.send("add", queue=queue)


def test_wrong_payloads_are_refused_before_anything_is_sent():
    with TaskClient(NOWHERE) as client:
        with pytest.raises(PayloadNotSerializable):
            client.send("app.tasks.demo.add", a=object())
        with pytest.raises(ValueError, match="time zone"):
            client.send("app.tasks.demo.add", eta=datetime(2030, 1, 1))  # noqa: DTZ001 - the wrong value itself


def test_a_payload_may_have_a_field_called_name_or_self():
    with TaskClient(NOWHERE) as client, pytest.raises(BrokerUnavailable):
        client.send("app.tasks.demo.add", name="Ada", self="x")


@pytest.mark.parametrize("url", ["unix:///run/redis.sock", "localhost:6379"])
def test_other_brokers_are_refused(url):
    with pytest.raises(ValueError, match="not a Redis URL"):
        TaskClient(url, "redis://host/1")


def test_rabbitmq_needs_a_redis_beside_it():
    with pytest.raises(ValueError, match="TASK_REDIS_URL"):
        TaskClient("amqp://host", "redis://host/1")


def test_a_handle_prints_what_it_is():
    with TaskClient(NOWHERE) as client:
        assert repr(client.handle("id-1")) == "TaskHandle(id='id-1', name=None)"


@pytest.mark.parametrize(
    ("status", "finished"),
    [("PENDING", False), ("STARTED", False), ("RETRY", False), ("SUCCESS", True), ("FAILURE", True), ("REVOKED", True)],
)
def test_finished(status, finished):
    assert TaskRecord("id-1", status).finished is finished


@pytest.mark.parametrize(
    ("act", "argument"), [("queues", "email"), ("pause", "email"), ("resume", "x"), ("cancel", "id")]
)
def test_what_only_redis_can_do_is_refused_with_rabbitmq(act, argument):
    client = TaskClient("amqp://127.0.0.1:1//", redis_url=NOWHERE)
    with client, pytest.raises(ValueError, match="The broker is RabbitMQ: "):
        getattr(client, act)(argument)
