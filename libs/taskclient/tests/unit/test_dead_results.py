"""Which stored failures a replayed message makes untrue."""

import pytest

from taskclient.dead_message import DecodedMessage
from taskclient.dead_results import failed_with


def step(task_id, **options):
    return {"task": "app.tasks.demo.add", "options": {"task_id": task_id, **options}, "subtask_type": None}


def chord(task_id, body):
    options = {"task_id": task_id}
    return {"task": "celery.chord", "options": options, "subtask_type": "chord", "kwargs": {"header": {}, "body": body}}


@pytest.mark.parametrize(
    ("chain", "later"),
    [
        (None, []),
        ([step("c"), step("b")], ["c", "b"]),
        ([step("d"), chord("c", step("b"))], ["d", "c", "b"]),
        ([step("c", chord={}), step("b")], []),  # a branch of a chord
        (["?", None, {"options": []}, {"options": {}}, step(7), step("b")], ["b"]),
        ("no list", []),
    ],
)
def test_the_task_and_what_comes_after_it_in_its_chain(chain, later):
    assert failed_with(DecodedMessage(headers={"id": "a"}, embed={"chain": chain})) == ["a", *later]


@pytest.mark.parametrize("task_id", [None, 7, ["a"]])
def test_a_message_that_names_no_task(task_id):
    assert failed_with(DecodedMessage(headers={"id": task_id})) == []
