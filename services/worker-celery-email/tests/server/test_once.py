"""A mail is sent once, by a real worker: whoever calls again, whatever is delivered again, and where that ends."""

import asyncio
import json
import os
import signal
import threading
from collections import Counter
from email import message_from_bytes
from typing import Any

import psutil

from devstack.valkey import Valkey
from devstack.waiting import wait_for
from taskclient.client import TaskClient

SEND, WELCOME = "app.tasks.email.send_email", "app.tasks.email.send_welcome_email"
MAIL = {"to": "ada@example.com", "subject": "Hello", "body": "x"}


def message_ids(mailbox: Any) -> list[str]:
    return [message_from_bytes(envelope.content)["Message-ID"] for envelope in mailbox.mails]


def test_a_repeated_call_gets_the_first_receipt(start, client: TaskClient, mailbox: Any):
    start()
    receipts = [client.send_payload(SEND, MAIL, idempotency_key="order-42").result(60) for _ in range(3)]
    assert receipts[0] == receipts[1] == receipts[2]
    assert message_ids(mailbox) == [receipts[0]["message_id"]]
    # The same key of another task is another mail, which no receiver may take for a copy.
    client.send(WELCOME, user="ada@example.com", name="Ada", idempotency_key="order-42").result(60)
    assert len(set(message_ids(mailbox))) == 2


def test_a_mail_whose_acknowledgement_got_lost_is_not_sent_again(
    start, client: TaskClient, mailbox: Any, valkey: Valkey
):
    client.send_payload(SEND, MAIL, task_id="lost-ack")
    with valkey.client() as redis:
        message: Any = redis.lrange("email", 0, 0)[0]
    start()
    first = client.handle("lost-ack").result(60)
    with valkey.client() as redis:
        redis.rpush("email", message)  # as the transport does
    assert client.send_payload(SEND, MAIL, task_id="after").result(60)["message_id"] == "<after@mail.example.com>"
    assert client.handle("lost-ack").result(0) == first
    assert sorted(message_ids(mailbox)) == ["<after@mail.example.com>", "<lost-ack@mail.example.com>"]


def test_a_worker_killed_after_the_server_took_the_mail_sends_a_copy_with_the_same_id(
    start, client: TaskClient, mailbox: Any
):
    worker = start()
    taken, kill = threading.Event(), mailbox.handle_DATA

    async def take_and_kill(*arguments: Any) -> str:
        answer = await kill(*arguments)
        if not taken.is_set():  # the mail is kept, and nobody will hear of it
            taken.set()
            for child in psutil.Process(worker.pid).children(recursive=True):
                os.kill(child.pid, signal.SIGKILL)
        return str(answer)

    mailbox.handle_DATA = take_and_kill
    receipt = client.send_payload(SEND, MAIL, idempotency_key="crash").result(90)
    assert message_ids(mailbox) == [receipt["message_id"]] * 2
    assert client.send_payload(SEND, MAIL, idempotency_key="crash").result(60) == receipt
    assert len(mailbox.mails) == 2


def test_of_fifty_equal_calls_at_once_one_sends(start, client: TaskClient, mailbox: Any):
    start()
    handles = [client.send_payload(SEND, MAIL, idempotency_key="fifty") for _ in range(50)]
    assert len({json.dumps(handle.result(60)) for handle in handles}) == 1
    wait_for(lambda: len(mailbox.mails) == 1)


def test_fifty_mails_to_a_slow_server_go_side_by_side_over_as_many_connections_as_allowed(
    start, client: TaskClient, mailbox: Any
):
    mailbox.data_seconds = 0.5
    start(SMTP_CONNECTIONS="7")
    for handle in client.send_many(SEND, [MAIL] * 50):
        handle.result(60)
    assert len(mailbox.mails) == 50
    assert 1 < mailbox.most_open <= 7


def test_a_worker_killed_in_the_middle_of_fifty_mails_loses_none(start, client: TaskClient, mailbox: Any):
    worker = start(TASK_LEASE_SECONDS="3")
    killed, keep = threading.Event(), mailbox.handle_DATA

    async def keep_and_kill(*arguments: Any) -> str:
        answer = await keep(*arguments)
        if len(mailbox.mails) >= 20 and not killed.is_set():
            killed.set()
            parent = psutil.Process(worker.pid)
            for process in (*parent.children(recursive=True), parent):
                process.kill()
        return str(answer)

    mailbox.handle_DATA = keep_and_kill
    handles = client.send_many(SEND, [MAIL] * 50)
    assert killed.wait(60)
    assert len(mailbox.mails) < 50
    start()
    receipts = [handle.result(90)["message_id"] for handle in handles]
    copies = Counter(message_ids(mailbox))
    assert copies.keys() == set(receipts)
    assert len(copies) == 50
    assert max(copies.values()) <= 2  # and only of those that it had in hand
    assert copies.total() <= 50 + 20


def test_at_its_soft_limit_a_task_ends_the_conversation_and_the_retry_sends_the_mail(
    start, client: TaskClient, mailbox: Any
):
    slow, accept = [2.0], mailbox.handle_RCPT

    async def accept_slowly_once(*arguments: Any) -> str:
        await asyncio.sleep(slow.pop() if slow else 0)
        return str(await accept(*arguments))

    mailbox.handle_RCPT = accept_slowly_once
    start(CELERYCONFIG_TASK_SOFT_TIME_LIMIT="1")
    receipt = client.send_payload(SEND, MAIL).result(60)
    assert message_ids(mailbox) == [receipt["message_id"]]
    wait_for(lambda: mailbox.quits >= 2)  # one for each attempt
