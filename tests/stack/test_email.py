"""The email service end to end: a name and a payload in, a mail at the SMTP server out."""

import time

import pytest
from celery import Celery

from devstack.waiting import wait_for
from taskclient.client import TaskClient
from taskclient.errors import PayloadRefused, TaskFailed, TaskRejected, UnknownTask
from taskclient.urls import default_result_url

SEND = "app.tasks.email.send_email"


def attempts(stack, task_id):
    """The events that the worker logged about one task."""
    records = stack.services["worker-celery-email"].records()
    return [line["event"] for line in records if line.get("task_id") == task_id and line["event"].startswith("task ")]


def test_a_mail_arrives_with_all_its_parts(stack, client):
    payload = {
        "to": "all@example.com",
        "subject": "Grüße",
        "body": "Plain — text",
        "html": "<p>Rich — text</p>",
        "cc": ["copy@example.com"],
        "reply_to": "answers@example.com",
    }
    handle = client.send_payload(SEND, payload)
    receipt = handle.result(60)
    assert receipt["recipients"] == ["all@example.com", "copy@example.com"]
    mail = stack.mailbox.wait("all@example.com")[0]
    assert mail["subject"] == "Grüße"
    assert mail["text"].strip() == "Plain — text"
    assert mail["html"].strip() == "<p>Rich — text</p>"
    assert mail["headers"]["reply-to"] == "answers@example.com"
    assert f"<{mail['messageId']}>" == receipt["message_id"] == f"<{handle.id}@mail.example.com>"


def test_plain_celery_needs_only_the_name(stack):
    with Celery(broker=stack.valkey.url, set_as_current=False) as app:
        kwargs = {"to": "plain@example.com", "subject": "Hi", "body": "From a service that knows a name"}
        app.send_task(SEND, kwargs=kwargs, queue="email")
    assert stack.mailbox.wait("plain@example.com")


def test_welcome_and_notification(stack, client):
    client.send("app.tasks.email.send_welcome_email", user="new@example.com", name="<b>Ada</b>").result(60)
    mail = stack.mailbox.wait("new@example.com")[0]
    assert "<b>Ada</b>" in mail["text"]
    assert "&lt;b&gt;Ada&lt;/b&gt;" in mail["html"]
    client.send("app.tasks.email.send_notification", channel="ops", message="Disk is full").result(60)
    assert "Disk is full" in stack.mailbox.wait("ops@example.com")[-1]["text"]


def test_two_wrong_fields_are_both_told_before_anything_is_sent(client):
    with pytest.raises(PayloadRefused) as refused:
        client.send(SEND, to="nobody", subject="x" * 300, body="x")
    assert {error["field"] for error in refused.value.errors} == {"to", "subject"}
    with pytest.raises(UnknownTask, match=rf"did you mean {SEND}"):
        client.send("app.tasks.email.send_mail", to="ada@example.com", subject="Hi", body="x")


def test_a_worker_tells_both_as_well_and_retries_nothing(stack):
    with TaskClient(stack.valkey.url, check=False) as client:
        handle = client.send(SEND, to="nobody", subject="two\r\nBcc: all@example.com", body="x")
        with pytest.raises(TaskRejected) as caught:
            handle.result(60)
    assert {error["field"] for error in caught.value.errors} == {"to", "subject"}
    wait_for(lambda: attempts(stack, handle.id) == ["task failed"])
    time.sleep(2)
    assert attempts(stack, handle.id) == ["task failed"]


def test_a_refused_recipient_is_one_attempt(stack, client):
    handle = client.send(SEND, to="refused@example.com", subject="Hi", body="x")
    with pytest.raises(TaskFailed, match=r"refused@example\.com \(550\)"):
        handle.result(60)
    time.sleep(2)
    assert attempts(stack, handle.id) == ["task failed"]


def test_a_busy_recipient_is_tried_again(stack, client):
    handle = client.send(SEND, to="busy@example.com", subject="Hi", body="x")
    wait_for(lambda: attempts(stack, handle.id).count("task will be retried") >= 2)
    assert handle.status() == "RETRY"


def test_a_body_of_30_mb_from_a_stock_producer_is_refused_and_the_next_mail_goes_out(stack, client):
    with Celery(broker=stack.valkey.url, backend=default_result_url(stack.valkey.url), set_as_current=False) as app:
        kwargs = {"to": "big@example.com", "subject": "Big", "body": "x" * 30_000_000}
        handle = app.send_task(SEND, kwargs=kwargs, queue="email")
        with pytest.raises(Exception, match="store the document and send a link"):
            handle.get(timeout=30)
    client.send(SEND, to="after-big@example.com", subject="Hi", body="x").result(60)


def test_fifty_mails_survive_a_mail_server_that_is_away_for_20_seconds(stack, client, record_property):
    stack.mail.stop()
    handles = [client.send(SEND, to="outage@example.com", subject=f"Mail {n}", body="x") for n in range(50)]
    time.sleep(20)
    stack.mail.start()
    stack.mail.wait_ready()
    began = time.monotonic()
    stack.mailbox.wait("outage@example.com", count=50, timeout=330)  # one retry may wait up to 300 s
    record_property("seconds until all 50 were there", round(time.monotonic() - began, 1))
    for handle in handles:
        handle.result(60)
    time.sleep(2)
    mails = stack.mailbox.mails("outage@example.com")
    assert len(mails) == 50
    assert {mail["messageId"].partition("@")[0] for mail in mails} == {handle.id for handle in handles}
