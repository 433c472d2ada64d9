"""The asyncio client has every call of the other one, under the same name and with the same parameters."""

import inspect

import pytest

from taskclient.aio import AsyncTaskClient
from taskclient.aio_dead_letters import AsyncDeadLetters
from taskclient.aio_handle import AsyncTaskHandle, AsyncWorkflowHandle
from taskclient.canvas_handle import WorkflowHandle
from taskclient.client import TaskClient
from taskclient.dead_letters import DeadLetters
from taskclient.handle import TaskHandle

PAIRS = [
    (TaskClient, AsyncTaskClient),
    (DeadLetters, AsyncDeadLetters),
    (TaskHandle, AsyncTaskHandle),
    (WorkflowHandle, AsyncWorkflowHandle),
]
HANDLES = (AsyncTaskHandle, AsyncWorkflowHandle)
ASK_NOTHING = {"handle", "dead_letters"}
ITERATE = {"watch", "updates", "discard_all", "replay_all", "parked"}  # for `async for` instead of `await`


def methods(owner):
    return {name for name, _ in inspect.getmembers(owner, callable) if not name.startswith("_")}


def parameters(method):
    return [(one.name, one.kind, one.default) for one in inspect.signature(method).parameters.values()]


CALLS = [(blocking, twin, name) for blocking, twin in PAIRS for name in sorted(methods(blocking))]


@pytest.mark.parametrize(("blocking", "twin"), PAIRS)
def test_neither_has_a_call_that_the_other_has_not(blocking, twin):
    assert methods(blocking) == methods(twin)


@pytest.mark.parametrize(("blocking", "twin", "name"), CALLS)
def test_the_parameters_are_the_same(blocking, twin, name):
    own, other = parameters(getattr(twin, name)), parameters(getattr(blocking, name))
    if twin in HANDLES and name == "result":  # awaiting it waits, the other only looks unless told to wait
        own, other = own[:-1], other[:-1]
    assert own == other


@pytest.mark.parametrize(("blocking", "twin", "name"), CALLS)
def test_none_blocks_and_each_has_its_own_name_and_words(blocking, twin, name):
    method = getattr(twin, name)
    assert method.__name__ == name
    assert method.__doc__
    awaited = inspect.iscoroutinefunction(method)
    assert awaited == (name not in ASK_NOTHING | ITERATE)
