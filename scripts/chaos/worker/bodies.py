"""The tasks of both subjects: the same functions in the template's worker and in plain Celery's."""

import os
import signal
import smtplib
import time
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import psycopg

from chaos.worker.record import note, task_id

_connections: dict[int, psycopg.Connection] = {}


def noop() -> None:
    """Do nothing but the effect."""
    note("start")
    note("effect")
    note("end")


def sleep(seconds: float) -> None:
    """Run for a while; the effect comes last."""
    note("start")
    time.sleep(seconds)
    note("effect")
    note("end")


def kill_own_process() -> None:
    """Be a poison that takes its pool process with it, as a crash in C code does."""
    note("start")
    os.kill(os.getpid(), signal.SIGKILL)


def kill_worker() -> None:
    """Be a poison that takes the worker's main process and with it all that runs beside it."""
    note("start")
    time.sleep(0.5)  # so that its neighbours run
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def use_up_memory() -> None:
    """Take memory until the kernel ends the process, or after 2 GiB do it by hand."""
    note("start")
    taken = []
    for _ in range(256):
        taken.append(bytearray(os.urandom(1) * 2**23))
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGKILL)


def tick() -> None:
    """Be sent by a beat."""
    note("start")
    note("effect")
    note("end")


def insert_plainly(seconds: float) -> None:
    """Work for a while and write one row, on one connection for each process."""
    note("start")
    time.sleep(seconds)
    connection = _connections.get(os.getpid())
    if connection is None or connection.closed:
        url = os.environ["DATABASE_URL"].replace("+psycopg", "", 1)
        connection = _connections[os.getpid()] = psycopg.connect(url, autocommit=True, connect_timeout=5)
    connection.execute("INSERT INTO effect (task_id) VALUES (%s)", [task_id()])
    note("end")


def mail() -> None:
    """Send one mail without any care."""
    note("start")
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "chaos@example.com", "chaos@example.com", task_id()
    message.set_content("x")
    with smtplib.SMTP("127.0.0.1", int(os.environ["SMTP_PORT"]), timeout=5) as server:
        server.send_message(message)
    note("end")


ONCE = ("sleep",)  # these have a second name, under which the template runs them as idempotent tasks


def name_of(body: str) -> str:
    """The task's name."""
    return f"app.tasks.chaos.{body}"


COMMON: dict[str, Callable[..., Any]] = {
    body.__name__: body for body in (noop, sleep, kill_own_process, kill_worker, use_up_memory, tick)
}
