"""The forms of answers that have no type of their own elsewhere, for the OpenAPI document."""

from typing import Any, Literal

from pydantic import BaseModel

from taskclient.letters import Letter
from taskclient.queues import QueueState
from taskclient.schedules import Schedule
from taskclient.workers import Worker


class Sent(BaseModel):
    """A job that is in its queue."""

    id: str
    name: str
    queue: str


class RunningJob(BaseModel):
    """A job that a worker has taken; `seconds` since it was sent or due."""

    service: str
    worker: str
    id: str
    task: str
    seconds: float | None
    progress: Any


class Cancelled(BaseModel):
    """A job that was taken back; `finished` means that it was too late."""

    id: str
    name: str | None
    found: Literal["waiting", "running", "finished"]


class LetterPage(BaseModel):
    """Some dead letters, the newest first, and the `cursor` of the next page."""

    letters: list[Letter]
    next: str | None


class LetterWithMessage(Letter):
    """A dead letter with its message; `problem` says why a part of it cannot be read."""

    args: Any
    payload: Any
    headers: dict[str, Any]
    problem: str | None


class Replayed(BaseModel):
    """A message that is back in its queue."""

    id: str
    name: str | None
    queue: str


class Discarded(BaseModel):
    """A dead letter that is gone."""

    id: str
    name: str | None


class QueueChange(BaseModel):
    """Whether a queue is paused now, and whether it was not before."""

    queue: str
    paused: bool
    changed: bool


class ScheduleChange(BaseModel):
    """Whether a schedule is paused now, and whether it was not before."""

    schedule: str
    paused: bool
    changed: bool


class Ticket(BaseModel):
    """A ticket, and for how many seconds it is good."""

    ticket: str
    expires_in: int


class OwnKey(BaseModel):
    """A key, and for each verb the patterns of the tasks that it is allowed for."""

    id: str
    may: dict[str, list[str]]


class Overview(BaseModel):
    """Everything at one moment, `at` in seconds since 1970; only these two are there before the first reading.

    `problem` says why it is older than some seconds, `note` why there are no queues, `dead` how many dead letters each
    service has, and `point` whether the gateway's history has this moment.
    """

    at: float
    problem: str | None
    point: bool = False
    note: str | None = None
    queues: list[QueueState] = []
    running: list[RunningJob] = []
    workers: list[Worker] = []
    schedules: list[Schedule] = []
    dead: list[dict[str, Any]] = []


class Health(BaseModel):
    """Whether Redis answers."""

    status: str
    redis: bool
