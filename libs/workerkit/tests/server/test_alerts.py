"""Alerts on a real Valkey, read as the email service reads them."""

import base64
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from celery import Celery
from structlog.testing import capture_logs

from taskclient.urls import default_result_url
from workerkit.alerts import TASK, send_alert
from workerkit.routing import route_by_name
from workerkit.task import WorkerTask

EMAIL = Path(__file__).parents[4] / "services" / "worker-celery-email"
ACCEPT = """
import json, sys
from app.tasks.email import send_notification
for payload in json.load(sys.stdin):
    send_notification.contract.arguments((), payload)
"""


def application(url):
    app = Celery("here", task_cls=WorkerTask, broker=url, backend=default_result_url(url))
    app.conf.task_routes = [route_by_name]
    app.set_current()
    return app


@pytest.fixture
def current(valkey):
    with application(valkey.url) as app:
        yield app


def sent(valkey):
    """The payloads in the queue, oldest first."""
    with valkey.client() as redis:
        messages = [json.loads(message) for message in reversed(redis.lrange("email", 0, -1))]
    assert {message["headers"]["task"] for message in messages} <= {TASK}
    return [json.loads(base64.b64decode(message["body"]))[1] for message in messages]


def test_it_is_one_message_for_the_email_service(current, valkey):
    assert send_alert("Disk is full", "3 MB left on /data") is True
    assert sent(valkey) == [{"channel": "ops", "subject": "Disk is full", "message": "3 MB left on /data"}]
    with valkey.client() as redis:
        assert redis.pubsub_channels() == []
    with valkey.client(1) as results:
        assert results.keys() == []


def test_the_email_service_accepts_whatever_the_text_is(current, valkey):
    texts = ["x", "", " \n ", "Line\r\nBcc: eve@example.com", "ä" * 300, "y" * 20_000, "half \ud800", "\0\x1b[31m"]
    for number, text in enumerate(texts):
        assert send_alert(text, text, key=str(number))
        assert send_alert(text, text, key=str(number)) is False
        assert send_alert(text, text, key=str(number), throttle_seconds=0) is False
    payloads = sent(valkey)
    assert len(payloads) == len(texts)
    program = [sys.executable, "-c", ACCEPT]
    done = subprocess.run(
        program, cwd=EMAIL, input=json.dumps(payloads), capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert payloads[3]["subject"] == "Line Bcc: eve@example.com"
    assert payloads[5]["message"].endswith("yyy\n... (20,000 characters in all)")


def test_of_fifty_at_once_one_is_sent_and_the_next_says_how_many_were_not(current, valkey):
    with ThreadPoolExecutor(50, initializer=current.set_current) as pool:
        outcomes = list(pool.map(lambda n: send_alert("API is away", f"call {n}", throttle_seconds=60), range(50)))
    assert (outcomes.count(True), len(sent(valkey))) == (1, 1)
    with valkey.client() as redis:
        (throttle,) = redis.keys("*API is away")
        assert 50 < redis.ttl(throttle) <= 60
        redis.delete(throttle)  # as if the time were over
    assert send_alert("API is away", "still") is True
    assert sent(valkey)[1]["message"] == "still\n\n(49 more alerts of this kind were held back since the last one.)"
    with valkey.client() as redis:
        redis.delete(throttle)
    assert send_alert("API is away", "still") is True
    assert sent(valkey)[2]["message"] == "still"


def test_the_time_ends(current, valkey):
    assert [send_alert("Slow", "1", throttle_seconds=0.5), send_alert("Slow", "2", throttle_seconds=0.5)] == [
        True,
        False,
    ]
    time.sleep(0.6)
    assert send_alert("Slow", "3")
    assert sent(valkey)[-1]["message"] == "3\n\n(1 more alert of this kind was held back since the last one.)"


def test_without_throttle_each_is_sent(current, valkey):
    for number in range(3):
        assert send_alert("Each", str(number), throttle_seconds=0)
        time.sleep(0.01)
    assert len(sent(valkey)) == 3


def test_alerts_are_told_apart_by_key_channel_and_service(current, valkey):
    assert send_alert("Order 1 failed", "", key="order")
    assert not send_alert("Order 2 failed", "", key="order")
    assert send_alert("Order 2 failed", "", key="order", channel="sales")
    assert send_alert("Order 2 failed", "")
    current.main = "another"
    assert send_alert("Order 2 failed", "", key="order")
    assert [payload["channel"] for payload in sent(valkey)] == ["ops", "sales", "ops", "ops"]


def test_the_note_is_never_cut_off(current, valkey):
    send_alert("Long", "z")
    send_alert("Long", "z")
    with valkey.client() as redis:
        redis.delete(*redis.keys("*:Long"))
    assert send_alert("Long", "z" * 30_000)
    message = sent(valkey)[-1]["message"]
    assert len(message) == 10_000
    assert message.endswith("(1 more alert of this kind was held back since the last one.)")


def test_without_redis_it_is_false_and_logged_with_its_text(current):
    current.conf.broker_url = "redis://127.0.0.1:1/0"
    with capture_logs() as logs:
        assert send_alert("Disk is full", "3 MB left") is False
    (line,) = logs
    assert (line["log_level"], line["subject"], line["message"]) == ("error", "Disk is full", "3 MB left")


def test_an_alert_that_could_not_be_queued_is_not_held_against_the_next(valkey):
    with application(valkey.url) as app:
        app.conf.broker_write_url = "redis://127.0.0.1:1/0"  # the queue is away, the lock is not
        with capture_logs() as logs:
            assert send_alert("Disk is full", "first") is False
    assert [line["event"] for line in logs] == ["alert not sent"]
    with application(valkey.url):
        assert send_alert("Disk is full", "second") is True
    assert sent(valkey)[0]["message"] == "second\n\n(1 more alert of this kind was held back since the last one.)"
