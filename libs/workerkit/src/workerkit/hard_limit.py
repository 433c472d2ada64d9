"""A prefork pool's process is killed at the moment when its task's hard time limit is over.

billiard first tells of it, which may take as long as Redis does, and sends SIGTERM. Then it waits for a tenth of a
second, in which the worker does nothing else: what it waits for is held by each process that was forked later, too. A
task that catches everything, or is in C code, only ends by the SIGKILL after that.
"""

import os
import signal
from contextlib import suppress
from typing import Any


def kill_at_once(pool: Any) -> None:
    """Have Celery's pool do so, from now on.

    Args:
        pool: of any kind; one that is not made of billiard's processes is left as it is.
    """
    processes: Any = getattr(pool, "_pool", None)
    handler = getattr(processes, "_timeout_handler", None)
    tell = getattr(processes, "on_hard_timeout", None)
    if handler is None or tell is None or handler._trywaitkill is _kill:
        return

    def on_hard_timeout(job: Any) -> None:
        if not job.ready():
            process, _ = handler._process_by_pid(job._worker_pid)
            _kill(process)
            tell(job)

    handler._trywaitkill = _kill  # called by `tell`, in vain
    processes.on_hard_timeout = on_hard_timeout


def _kill(process: Any) -> None:
    if process is not None and process._popen.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
