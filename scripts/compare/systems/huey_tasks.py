# mypy: disable-error-code="import-not-found, untyped-decorator"
"""Huey, with Redis."""

from typing import Any

from huey import RedisHuey

from compare.systems.bodies import PLAIN, URL, VARIANT

huey = RedisHuey("bench", url=URL, results=VARIANT == "results")
_tasks = {_body: huey.task(name=_body)(_function) for _body, _function in PLAIN.items()}


def send(body: str, payload: dict[str, Any]) -> None:
    """By calling the task."""
    _tasks[body](**payload)


def send_all(body: str, payloads: list[dict[str, Any]]) -> None:
    """One by one: `map` does the same."""
    for payload in payloads:
        _tasks[body](**payload)
