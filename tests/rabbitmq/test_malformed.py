"""No message can hurt a worker on RabbitMQ: each is kept, parked or run."""

import json
import shutil
from uuid import uuid4

import pytest
from amqp import Message

from devstack.waiting import wait_for
from taskclient.amqp import declare_queue
from taskclient.errors import TaskFailed

SLEEP, MARK = "app.tasks.demo.sleep", "app.tasks.demo.mark"
EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def headers(**changed):
    return {"task": MARK, "id": str(uuid4()), "lang": "py", "retries": 0, **changed}


def body(args=(), kwargs=None, embed=EMBED):
    return json.dumps([list(args), {"name": "x"} if kwargs is None else kwargs, embed])


JSON = {"content_type": "application/json", "content_encoding": "utf-8"}
NO_ID = {"task": MARK}
MALFORMED = {
    "nothing": Message(b""),
    "bytes": Message(b"\xff\xfe\x00", **JSON),
    "no headers": Message(body(), **JSON),
    "no id": Message(body(), **JSON, application_headers=NO_ID),
    "not JSON": Message("{", **JSON, application_headers=headers()),
    "a list of two": Message("[[], {}]", **JSON, application_headers=headers()),
    "kwargs is a list": Message(body(kwargs=[1]), **JSON, application_headers=headers()),
    "nested": Message("[" * 50_000, **JSON, application_headers=headers()),
    "pickle": Message(b"\x80\x04.", content_type="application/x-python-serialize", application_headers=headers()),
    "yaml": Message("a: 1", content_type="application/x-yaml", application_headers=headers()),
    "no content type": Message(body(), application_headers=headers()),
    "encoding": Message(body().encode(), content_type="application/json", content_encoding="x", application_headers={}),
    "gzip": Message(b"junk", **JSON, application_headers=headers(compression="application/x-gzip")),
    "unknown compression": Message(b"junk", **JSON, application_headers=headers(compression="zip-bomb")),
    "eta": Message(body(), **JSON, application_headers=headers(eta="soon")),
    "expires": Message(body(), **JSON, application_headers=headers(expires="never")),
    "time limit": Message(body(), **JSON, application_headers=headers(timelimit="long")),
    "retries": Message(body(), **JSON, application_headers=headers(retries="many")),
    "id is a number": Message(body(), **JSON, application_headers=headers(id=7)),
    "task is a list": Message(body(), **JSON, application_headers=headers(task=["a"])),
    "chord": Message(body(embed={"chord": 3}), **JSON, application_headers=headers()),
    "a header that hides a method": Message(body(), **JSON, application_headers=headers(update="x")),
}


@pytest.fixture
def publish(stage, raw_channel):
    declare_queue(raw_channel, "demo")
    return lambda message: raw_channel.basic_publish(message, exchange="", routing_key="demo")


def test_every_malformed_message_becomes_a_dead_letter_and_the_worker_goes_on(stage, client, publish):
    worker = stage.start()
    pid = worker.pid
    for message in MALFORMED.values():
        publish(message)
    assert client.send(SLEEP, name="next", seconds=0).result(60) == "next"
    wait_for(lambda: stage.queues() == {"demo": 0, "demo.dead": 0}, 20)
    letters = client.dead_letters().list().letters
    assert {letter.reason for letter in letters} == {"unreadable"}
    assert len(letters) == len(MALFORMED), sorted(letter.error for letter in letters)
    assert stage.queues() == {"demo": 0, "demo.dead": 0}
    assert (worker.pid, worker.alive(), worker.is_ready()) == (pid, True, True)
    assert "Trying to re-establish" not in worker.log.read_text()


def test_text_that_is_not_utf_8_does_not_end_the_worker(stage, client, publish):
    worker = stage.start()
    bad = b"\xff\xfe"
    places = ["correlation_id", "reply_to", "message_id", "type", "content_encoding", "header"]
    for place in places:
        extra = {"application_headers": {**headers(), bad: "x"}} if place == "header" else {place: bad}
        text = body(kwargs={"name": place}).encode()
        publish(Message(text, **{**JSON, "application_headers": headers(), **extra}))
    assert client.send(SLEEP, name="next", seconds=0).result(60) == "next"
    wait_for(lambda: stage.queues() == {"demo": 0, "demo.dead": 0}, 20)
    assert worker.alive()
    ran = [place for place in places if worker.trace(place) == ["run"]]
    assert client.dead_letters().count() + len(ran) == len(places)


def test_a_payload_that_does_not_fit_is_a_dead_letter(worker, client):
    sent = client.send(MARK, nome="x")
    with pytest.raises(TaskFailed):
        sent.result(60)
    wait_for(lambda: client.dead_letters().count() == 1)
    assert client.dead_letters().show(sent.id).letter.reason == "refused"


def test_an_unknown_task_is_parked_until_a_worker_knows_it(stage, client, source, tmp_path):
    old = stage.start()
    client.send("app.tasks.demo.brand_new", name="parked")
    wait_for(lambda: stage.valkey.client().llen("worker:demo:parked:app.tasks.demo.brand_new") == 1)
    assert stage.queues() == {"demo": 0, "demo.dead": 0}
    old.kill()
    worker = stage.start(source=_with_a_new_task(source, tmp_path))
    wait_for(lambda: worker.trace("parked") == ["run"], 30)
    assert stage.valkey.client().exists("worker:demo:parked", "worker:demo:parked:app.tasks.demo.brand_new") == 0


def test_a_message_that_nobody_knew_for_a_month_becomes_a_dead_letter(stage, worker, client):
    parked = "worker:demo:parked:app.tasks.demo.gone"
    client.send("app.tasks.demo.gone", task_id="old")
    with stage.valkey.client() as redis:
        wait_for(lambda: redis.llen(parked) == 1)
        head, _, raw = redis.lpop(parked).partition(b"\n")
        queue, _, since = head.partition(b"\t")
        month_ago = int(since) - 31 * 86_400_000
        redis.lpush(parked, b"%s\t%d\n%s" % (queue, month_ago, raw))
        redis.sadd("worker:demo:parked", "app.tasks.demo.gone")
        wait_for(lambda: redis.zscore("worker:demo:dead", "old") is not None, 30)
        wait_for(lambda: not redis.exists(parked))  # it is kept there before it is taken away here
    assert client.dead_letters("demo").show("old").letter.reason == "unknown task"


def test_parked_messages_are_offered_and_parked_again(stage, worker, client):
    client.send("app.tasks.demo.brand_new", name="parked")
    wait_for(lambda: stage.valkey.client().llen("worker:demo:parked:app.tasks.demo.brand_new") == 1)
    assert client.dead_letters().offer("app.tasks.demo.brand_new") == 1
    wait_for(lambda: stage.valkey.client().llen("worker:demo:parked:app.tasks.demo.brand_new") == 1)


def _with_a_new_task(source, tmp_path):
    folder = tmp_path / "new"
    shutil.copytree(source, folder)
    code = folder / "demo_tasks/demo.py"
    code.write_text(
        code.read_text()
        + '''

@app.task(name="app.tasks.demo.brand_new")
def brand_new(name: str) -> None:
    """Leave a trace."""
    _trace(name, "run")
'''
    )
    return folder
