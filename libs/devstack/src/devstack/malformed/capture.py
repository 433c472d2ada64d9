"""Real messages of every kind, taken from the queue to which Celery and the task client have sent them.

`python -m devstack.malformed.capture FOLDER` writes them as JSON, in base64; in a process of its own, because the
application of the worker under test limits the memory of its process.
"""

import base64
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from celery import chain, chord, group

from devstack.malformed.ledger import queues
from devstack.malformed.message import MARK, NOTE, QUEUE
from devstack.malformed.target import app
from devstack.malformed.tasks import target
from devstack.valkey import Valkey
from taskclient.client import TaskClient


def capture(server: Valkey) -> dict[str, bytes]:
    """Send one message of each kind to a server without worker, and take them from there.

    Args:
        server: an empty server; it is emptied again after each kind.

    Returns:
        Raw messages by what they are. A chain, group or chord may give more than one.
    """
    found: dict[str, bytes] = {}
    with server.client() as client, _celery_on(server), TaskClient(server.url) as tasks:
        for kind, send in _kinds(tasks).items():
            send()
            raws = [raw for key in queues() for raw in client.lrange(key, 0, -1)]
            client.flushall()
            if not raws:
                raise RuntimeError(f"nothing was sent for {kind!r}")
            found.update({f"{kind} {number}": raw for number, raw in enumerate(raws)})
        found["broadcast"] = _broadcast(client)
    return found


@contextmanager
def _celery_on(server: Valkey) -> Iterator[None]:
    app.conf.update(broker_url=server.url, result_backend=server.url.removesuffix("/0") + "/1")
    with app.pool.acquire(block=False):
        pass
    try:
        yield
    finally:
        app.close()


def _kinds(tasks: TaskClient) -> dict[str, Callable[[], Any]]:
    token: dict[str, Any] = {"token": str(uuid4())}
    order = {"order": {"number": 7, "tags": ["a", "b"]}, "day": "Monday", "count": 2}
    note, place, total, pause = target.note, target.place, target.total, target.pause
    marked: Callable[[], dict[str, Any]] = lambda: {"headers": {MARK: str(uuid4())}}  # noqa: E731
    return {
        "client": lambda: tasks.send(NOTE, **token),
        "client with times": lambda: tasks.send(NOTE, countdown=600, expires=3_600, **token),
        "plain": lambda: note.apply_async(kwargs=token, **marked()),
        "positional": lambda: note.apply_async(args=[token["token"]], **marked()),
        "typed": lambda: place.apply_async(kwargs=order, **marked()),
        "pause": lambda: pause.apply_async(args=[0.05], **marked()),
        "failing": lambda: target.refuse.apply_async(kwargs=token, **marked()),
        "bug": lambda: target.bug.apply_async(kwargs=token, **marked()),
        "retried": lambda: target.again.apply_async(kwargs=token, **marked()),
        "retry": _retry,
        "countdown": lambda: note.apply_async(kwargs=token, countdown=3, **marked()),
        "expires": lambda: note.apply_async(kwargs=token, expires=3_600, **marked()),
        "options": lambda: note.apply_async(
            kwargs=token, priority=6, time_limit=9, soft_time_limit=8, shadow="other", ignore_result=False, **marked()
        ),
        "compressed": lambda: note.apply_async(kwargs=token, compression="gzip", **marked()),
        "stamped": lambda: note.s(**token).stamp(tenant="a").apply_async(**marked()),
        "linked": lambda: note.apply_async(kwargs=token, link=note.si("next"), link_error=note.si("sorry"), **marked()),
        "chain": lambda: chain(note.si("1"), note.s(), place.si({"number": 1}, "x")).apply_async(**marked()),
        "group": lambda: group(note.si("1"), pause.si(0.01)).apply_async(),
        "chord": lambda: chord([note.si("1"), note.si("2")], total.s()).apply_async(),
        "chain of a group": lambda: chain(note.si("1"), group(note.si("2"), note.si("3")), total.s()).apply_async(),
        "protocol 1": _protocol_1,
    }


def _retry() -> None:
    target.again.push_request(
        id=str(uuid4()), retries=1, called_directly=False, args=["x"], kwargs={}, delivery_info={}
    )
    try:
        target.again.retry(args=["x"], kwargs={}, countdown=2, throw=False)
    finally:
        target.again.pop_request()


def _protocol_1() -> None:
    message = app.amqp.as_task_v1(str(uuid4()), NOTE, args=("x",), kwargs={})
    with app.producer_or_acquire() as producer:
        producer.publish(message.body, exchange="", routing_key=QUEUE, serializer="json", **message.properties)


def _broadcast(client: Any) -> bytes:
    """A message of `celery inspect`, which is sent on a channel and not to a queue."""
    with client.pubsub() as listener:
        listener.psubscribe("*pidbox*")
        listener.get_message(timeout=2)
        app.control.broadcast("ping", reply=False)
        for _ in range(20):
            found = listener.get_message(timeout=1)
            if found and found["type"] == "pmessage":
                return bytes(found["data"])
    raise RuntimeError("no broadcast was heard")


if __name__ == "__main__":
    with Valkey(Path(sys.argv[1])) as own_server:
        captured = {kind: base64.b64encode(raw).decode() for kind, raw in capture(own_server).items()}
    sys.stdout.write(json.dumps(captured))
