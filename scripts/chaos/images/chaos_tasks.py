"""Mounted into the email worker's image by `make chaos-compose`: the service as it is, with two tasks more."""

import asyncio
import os
from pathlib import Path
from typing import Any

from app.celery_app import app  # type: ignore[import-not-found]  # there in the image only
from app.messages import Address, EmailReceipt, OutgoingEmail  # type: ignore[import-not-found]
from app.tasks.email import email_processor  # type: ignore[import-not-found]
from workerkit.idempotency import call_key

_STEP = 2**22  # bytes


@app.task(bind=True, name="app.tasks.email.send_slowly", idempotent=True)  # type: ignore[untyped-decorator]
async def send_slowly(self: Any, to: Address, seconds: float) -> EmailReceipt:
    """Work for some time, then send a mail as the other tasks do."""
    await asyncio.sleep(seconds)
    return await email_processor().send(OutgoingEmail(to=to, subject="slow", body="x"), key=call_key(self))


@app.task(name="app.tasks.email.use_up_memory")  # type: ignore[untyped-decorator]
async def use_up_memory(whole_container: bool) -> int:
    """Take memory until the kernel kills something: the largest process, or the container's main process."""
    if whole_container:  # as with memory.oom.group of Kubernetes; anybody may offer a process of his own to the kernel
        Path(f"/proc/{os.getppid()}/oom_score_adj").write_text("1000")
    hoard: list[bytes] = []
    while True:
        hoard.append(b"x" * (_STEP + len(hoard)))
