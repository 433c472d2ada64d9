"""The limits that a producer accepts."""

import pytest

from taskclient.client import TaskClient
from taskclient.errors import BrokerUnavailable

NOWHERE = "redis://127.0.0.1:1/0"


@pytest.mark.parametrize("text", ["many", "-1", "1.5"])
def test_a_wrong_limit_in_the_environment_names_the_variable(monkeypatch, text):
    monkeypatch.setenv("TASK_MAX_BACKLOG", text)
    with pytest.raises(ValueError, match="TASK_MAX_BACKLOG is"):
        TaskClient(NOWHERE)


@pytest.mark.parametrize("limits", [{"max_backlog": -1}, {"max_memory": 80}, {"max_memory": -0.1}])
def test_wrong_limits_are_refused(limits):
    with pytest.raises(ValueError, match="must not be negative"):
        TaskClient(NOWHERE, **limits)


def test_an_unreachable_redis_is_no_full_one():
    with TaskClient(NOWHERE, max_backlog=1) as client, pytest.raises(BrokerUnavailable, match="Check that it runs"):
        client.send("app.tasks.demo.add")
