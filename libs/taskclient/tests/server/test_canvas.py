"""Chains, groups and chords by name are, field for field, those of stock Celery, and stock workers run them."""

import base64
import json

import pytest
from celery import Celery, chain, chord
from celery import group as celery_group
from celery.backends.redis import RedisBackend

from taskclient.canvas import canvas, group, immutable, step
from taskclient.client import TaskClient
from taskclient.errors import BatchInterrupted, InvalidTaskName, PayloadTooLarge, TaskFailed, WorkflowRefused

ADD = "app.tasks.compare.add"
A, B, C, D = (step(ADD, a=letter) for letter in "abcd")
SHAPES = {
    "chain": [A, B, immutable(ADD, a="c")],
    "group": [group([A, B])],
    "group of chains": [group([[A, B], C])],
    "chord": [group([A, B]), C],
    "chord, then a step": [group([A, [B, C]]), D, A],
    "chord within a chain": [A, group([B, [C, D]]), A, B],
    "group at the end": [A, group([B, C])],
    "two chords": [group([A, B]), C, group([A, [B, C]]), D],
}


class Backend(RedisBackend):
    """Leaves results alone, which else subscribe, and need the server again when they are collected as garbage."""

    def on_task_call(self, *_):
        return {}

    def remove_pending_result(self, result):
        return result


class App(Celery):
    def _get_backend(self):
        return Backend(app=self, url=self.conf.result_backend)


@pytest.fixture
def celery_app(valkey):
    with App("compare", broker=valkey.url, backend=valkey.url[:-1] + "1", set_as_current=False) as app:
        yield app


def by_celery(app, stages, run_id):
    """The same canvas of Celery's own signatures, with the same ids."""
    placed = canvas(stages, run_id)

    def signature(one):
        options = {"task_id": one.id, "queue": "compare"}
        return app.signature(
            one.step.task, kwargs=dict(one.step.payload), immutable=bool(one.before) and not one.receives, **options
        )

    made = []
    for branches, is_group in zip(placed.stages, placed.groups, strict=True):
        signatures = [[signature(one) for one in branch] for branch in branches]
        joined = [one[0] if len(one) == 1 else chain(*one, app=app) for one in signatures]
        made.append(celery_group(joined, app=app) if is_group else joined[0])
    if len(made) == 2 and placed.groups[0]:
        return chord(made[0], made[1], app=app)
    return made[0] if len(made) == 1 else chain(*made, app=app)


def taken(broker, results):
    raw = broker.lrange("compare", 0, -1)
    sizes = {key: results.get(key) for key in results.keys("celery-taskset-meta-*")}
    broker.delete("compare")
    if sizes:
        results.delete(*sizes)
    return [comparable(json.loads(one)) for one in reversed(raw)], sorted(sizes.values())


def comparable(message):
    """What a worker acts on; new ids of groups by their order."""
    wanted = ("task", "id", "group", "group_index", "root_id", "parent_id", "timelimit", "ignore_result")
    headers = {name: message["headers"][name] for name in wanted}
    return [headers, without_annotations(json.loads(base64.b64decode(message["body"])))]


def without_annotations(value):
    if isinstance(value, list):
        return [without_annotations(one) for one in value]
    if not isinstance(value, dict):
        return value
    left_out = {"reply_to", "root_id", "parent_id"}
    if value.get("task") in {"celery.group", "celery.chord"}:
        left_out |= {"options"}  # only the id of the group
    return {name: without_annotations(one) for name, one in value.items() if name not in left_out}


def named_groups(messages):
    """The same with each group's id replaced by its place among all of them."""
    text = json.dumps(messages)
    found = []
    for message in messages:
        for name in (message[0]["group"], *groups_in(message[1])):
            if name and name not in found:
                found.append(name)
    for number, name in enumerate(found):
        text = text.replace(name, f"group {number}")
    return json.loads(text)


def groups_in(value):
    if isinstance(value, dict):
        yield from [value["group_id"]] if value.get("group_id") else []
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from groups_in(one)


@pytest.mark.parametrize("stages", SHAPES.values(), ids=SHAPES)
def test_the_messages_are_those_of_celerys_own_canvas(celery_app, valkey, broker, stages):
    with TaskClient(valkey.url, check=False) as client, valkey.client(1) as results:
        taken(broker, results)  # what other tests have left
        client.chain(*stages, run_id="run")
        ours, sizes = taken(broker, results)
        by_celery(celery_app, stages, "run").apply_async()
        theirs, counted = taken(broker, results)
    assert named_groups(ours) == named_groups(theirs)
    assert sizes == counted


@pytest.mark.usefixtures("worker")
def test_a_stock_worker_runs_them(client):
    one, more = step("app.tasks.demo.add", a=1, b=1), step("app.tasks.demo.add", b=10)
    assert client.chain(one, more, more).result(60) == 22
    assert client.group([one, [one, more]]).result(60) == [2, 12]
    joined = step("app.tasks.demo.add", b=[0])
    assert client.chord([one, [one, more]], joined).result(60) == [2, 12, 0]
    assert client.chain(one, group([more, more]), joined).result(60) == [12, 12, 0]
    failing = client.chain(step("app.tasks.demo.fail", text="no"), more, more)
    with pytest.raises(TaskFailed, match="no, 7"):
        failing.result(60)


def test_the_same_run_has_the_same_ids(client, broker):
    ids = [[task.id for task in client.chain(A, B, run_id=run).steps] for run in ("one", "one", "two")]
    assert ids[0] == ids[1] != ids[2]
    broker.delete("compare")


def test_what_cannot_be_put_together_is_refused(client, broker):
    with pytest.raises(ValueError, match="Stages 1 and 2 are groups"):
        client.chain(group([A]), group([B]))
    with pytest.raises(ValueError, match="needs a step"):
        client.chain()
    for branches in ([], [[]]):
        with pytest.raises(ValueError, match="needs a branch"):
            client.group(branches)
    with pytest.raises(WorkflowRefused, match="2 add: 'add' is not a task's name"):
        client.chain(A, step("add"))
    with pytest.raises(InvalidTaskName):
        client.send("add")
    with pytest.raises(WorkflowRefused, match=r"2 app\.tasks\.compare\.add: a: has no JSON form"):
        client.chain(A, step(ADD, a=object()))
    large = step(ADD, a="x" * 200_000)
    with pytest.raises(PayloadTooLarge, match="What follows 1 app"):
        client.chain(A, large, large)
    assert not broker.exists("compare")


def test_what_was_sent_of_a_group_is_said(valkey, broker):
    with TaskClient(valkey.url, max_backlog=2) as client, pytest.raises(BatchInterrupted) as interrupted:
        client.group([A, B, step("app.tasks.other.add"), C])
    assert (len(interrupted.value.sent), len(interrupted.value.unsent)) == (0, 4)
    broker.delete("compare", "other")
