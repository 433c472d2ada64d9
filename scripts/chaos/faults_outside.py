"""Faults of what tasks work with: PostgreSQL restarts, the mail server is away."""

import contextlib
import sys
import time
import urllib.error
from pathlib import Path
from uuid import uuid4

from chaos.database import Effects
from chaos.scenario import scenario
from chaos.subjects import Side
from devstack.mailbox import Mailbox
from devstack.ports import free_port
from devstack.process import ManagedProcess
from devstack.services import ROOT
from taskclient.client import TaskClient
from workerkit.health import check


@scenario("postgres-restart", "PostgreSQL: kill -9, 3 s away; 100 tasks that write one row each", seconds=75)
def postgres_restart(side: Side) -> None:
    """The template's task writes its row together with a key, see `workerkit.once`."""
    side.recovery_counts = False
    effects = Effects(side)
    side.worker(env=effects.env)
    ids = side.send("insert", 100, seconds=0.05)
    side.wait(lambda: len(side.ledger.ends) >= len(ids) // 4)
    side.fault()
    effects.server.kill()
    side.pause(3)
    effects.server.start()
    effects.server.wait_ready()
    side.heal()
    side.settle(side.left() - 5)
    rows = effects.count()
    side.notes.append(f"{rows} of {len(ids)} tasks have a row in the table")
    if rows != len(ids):
        side.problems.append(f"{len(ids) - rows} rows missing")


@scenario("smtp-down", "the mail server is away for 10 s; 30 mails by the email service", seconds=90)
def smtp_down(side: Side) -> None:
    """The template's own email service beside a task that uses smtplib; mails are counted at the mail server."""
    smtp, http = free_port(), free_port()
    mailbox = Mailbox(f"http://127.0.0.1:{http}")
    catcher = _catcher(side.folder, smtp, http)
    side.own(catcher)
    if side.is_template:
        side.own(_email_service(side, smtp))
    else:
        side.worker(env={"SMTP_PORT": str(smtp)})
    catcher.stop()
    send = _send_by_name if side.is_template else _send_plainly
    send(side, 30)
    side.pause(10)
    catcher.start()
    catcher.wait_ready()
    side.fault()
    side.wait(lambda: len(mailbox.mails()) >= len(side.sent), side.left() - 8)
    last = time.monotonic() - side.faulted
    side.pause(5)  # for a mail that comes twice
    for mail in mailbox.mails():
        for kind in ("start", "effect", "end"):
            side.ledger.add(kind, mail["subject"], time.monotonic())
    side.recovery = last if len(side.ledger.ends) >= len(side.sent) else None


def _send_by_name(side: Side, count: int) -> None:
    with TaskClient(side.server.url) as client:
        for _ in range(count):
            task_id = str(uuid4())
            payload = {"to": "chaos@example.com", "subject": task_id, "body": "x"}
            client.send_payload("app.tasks.email.send_email", payload, task_id=task_id)
            side.sent.append(task_id)


def _send_plainly(side: Side, count: int) -> None:
    side.send("mail", count)


def _catcher(folder: Path, smtp: int, http: int) -> ManagedProcess:
    def ready() -> bool:
        with contextlib.suppress(urllib.error.URLError, OSError):
            return Mailbox(f"http://127.0.0.1:{http}").mails() is not None
        return False

    argv = [sys.executable, "-m", "devstack.mailcatcher", "--smtp-port", str(smtp), "--http-port", str(http)]
    return ManagedProcess("mail", argv, log=folder / "mail.log", ready=ready)


def _email_service(side: Side, smtp: int) -> ManagedProcess:
    health = side.folder / "email.health"
    env = {
        **side.environment(),
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(smtp),
        "SMTP_STARTTLS": "false",
        "STORAGE_URL": (side.folder / "storage").as_uri(),
        "HEALTH_FILE": str(health),
    }
    argv = [sys.executable, "-m", "celery", "-A", "app.celery_app", "worker"]
    folder = ROOT / "services/worker-celery-email"
    log = side.folder / "email.log"
    return ManagedProcess("email", argv, log=log, cwd=folder, env=env, ready=lambda: check("ready", health) is None)
