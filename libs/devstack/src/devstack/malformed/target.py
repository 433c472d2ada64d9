"""The worker that malformed messages are sent to: `celery -A devstack.malformed.target worker`.

It leaves one line of JSON in the file that TARGET_RECORD names for each task that starts or is revoked.
"""

import json
import os
import resource
from typing import Any

from celery import signals

from devstack.malformed import target_settings
from devstack.malformed.message import MARK
from workerkit.app import create_app
from workerkit.settings import WorkerSettings

_MEMORY_BYTES = 4 * 1024**3

# A message that fills the memory shall end this worker, and not the machine that tests it.
resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))

app = create_app("target", WorkerSettings(), target_settings, tasks_package="devstack.malformed.tasks")


def _record(what: str, task_id: Any, task: Any, mark: Any, retries: Any = 0) -> None:
    line = {"what": what, "id": str(task_id), "task": str(task), "mark": str(mark), "retries": str(retries)[:40]}
    file = os.open(os.environ["TARGET_RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, json.dumps(line).encode() + b"\n")  # one write, because the pool's processes write as well
    os.close(file)


@signals.task_prerun.connect(weak=False)
def _on_start(task_id: Any, task: Any, **_: Any) -> None:
    request = vars(task.request)  # its methods may be hidden by headers of the same name
    _record("run", task_id, task.name, request.get(MARK), request.get("retries"))


@signals.task_revoked.connect(weak=False)
def _on_revoked(request: Any, **_: Any) -> None:
    headers = vars(request)
    _record("revoked", headers.get("id"), headers.get("task"), headers.get(MARK))
