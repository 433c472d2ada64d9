"""A job: one task that was sent, as the gateway's callers see it."""

import hashlib
import json
from typing import Any, Final

from typing_extensions import TypedDict

from taskclient.connection import RedisClient
from taskclient.errors import FieldError, TaskFailed, TaskRejected
from taskclient.outcome import value_of
from taskclient.results import TaskRecord

PROGRESS: Final = "PROGRESS"
_KEY_PREFIX: Final = "gateway:job:"
_KEPT_SECONDS: Final = 86_400  # as long as workers keep results


class JobError(TypedDict, total=False):
    """Why a job failed: the exception's class, what it said, and the wrong fields if it was its payload."""

    type: str
    message: str
    errors: list[FieldError]


class Job(TypedDict):
    """How far a job is: `progress` while it runs and says so, then `result` or `error`."""

    id: str
    name: str | None
    status: str
    progress: Any
    result: Any
    error: JobError | None


class JobNames:
    """Which task a job is of, for jobs that were sent through a gateway; results do not say it.

    Args:
        client: of the Redis that all gateways share.
    """

    def __init__(self, client: RedisClient) -> None:
        self._redis = client

    def put(self, job_id: str, name: str) -> None:
        """Keep a job's name, before the job is sent.

        Raises:
            redis.RedisError: Redis could not be reached, or refused.
        """
        self._redis.set(_KEY_PREFIX + job_id, name, ex=_KEPT_SECONDS)

    def get(self, job_id: str) -> str | None:
        """A job's name; None if no gateway has sent it, or too long ago.

        Raises:
            redis.RedisError: Redis could not be reached, or refused.
        """
        name = self._redis.get(_KEY_PREFIX + job_id)
        return name.decode() if name else None


def job_of(record: TaskRecord, name: str | None) -> Job:
    """What is known of a job."""
    return Job(
        id=record.task_id,
        name=name,
        status=record.status,
        progress=record.result if record.status == PROGRESS else None,
        result=record.result if record.status == "SUCCESS" else None,
        error=_error_of(record) if record.failed else None,
    )


def event_id(record: TaskRecord) -> str:
    """What tells one state of a job from another, for all gateways: a digest of it."""
    state = json.dumps([record.status, record.result, record.traceback], sort_keys=True)
    return hashlib.sha256(state.encode()).hexdigest()[:16]


def _error_of(record: TaskRecord) -> JobError:
    try:
        value_of(record)
    except TaskRejected as error:
        return {"type": error.error_type, "message": error.message, "errors": error.errors}
    except TaskFailed as error:
        return {"type": error.error_type, "message": error.message}
    return {}
