"""This template: an application as any of the services makes it, and its client."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from celery import Celery

from compare.systems import template_settings
from compare.systems.bodies import URL
from taskclient.client import TaskClient
from workerkit.app import create_app
from workerkit.settings import WorkerSettings


def _name(body: str) -> str:
    return f"app.tasks.bench.{body}"


def new_app(bodies: Mapping[str, Callable[..., Any]], **options: Any) -> "Celery[Any]":
    """The application of a worker whose tasks have these bodies, and these options beside the bench's own."""
    app = create_app("bench", WorkerSettings(), template_settings, tasks_package="")
    task: Any = app.task
    for body, function in bodies.items():
        task(name=_name(body), **{"ignore_result": body != "answer", **options})(function)
    return app


@cache
def _client() -> TaskClient:
    return TaskClient(URL)


def send(body: str, payload: dict[str, Any]) -> None:
    """By `TaskClient.send_payload`, which `send` calls."""
    _client().send_payload(_name(body), payload)


def send_all(body: str, payloads: list[dict[str, Any]]) -> None:
    """By `TaskClient.send_many`."""
    ids = [payload["mark"] for payload in payloads] if body == "work" else None
    _client().send_many(_name(body), payloads, task_ids=ids)
