"""Logging: one JSON object a line in containers, readable on a terminal, each line with its task's id."""

import json
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from celery import signals
from pydantic_core import PydanticSerializationError, to_json

from workerkit.log_context import add_task

# Celery's own lines about tasks repeat ours, one of them with the result's value.
_SILENT = {"celery.app.trace": logging.CRITICAL, "celery.worker.strategy": logging.WARNING}


class _Stderr:
    """Writes a line by one system call: a lock could be taken at the moment when a pool process is forked."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        with suppress(OSError):  # nobody reads any more: no reason to fail a task
            os.write(2, line.encode("utf-8", "replace") + b"\n")

    debug = info = warning = error = critical = msg


def configure(service: str, *, level: str, fmt: str) -> None:
    """Send structlog and the standard library's logging to stderr, both in the same form.

    Args:
        service: the service's name, in every line.
        level: the lowest level to show.
        fmt: "json", "console", or "auto" (console if stderr is a terminal).
    """

    def add_service(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    common: list[Any] = [  # structlog's processors
        structlog.contextvars.merge_contextvars,
        add_task,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
    ]
    _configure_structlog(common, readable=is_readable(fmt), level=level)
    _install_handler(common, readable=is_readable(fmt), level=level)
    signals.setup_logging.connect(_keep_ours, weak=False, dispatch_uid="workerkit.logs")


def is_readable(fmt: str) -> bool:
    """Say whether lines are for people: format "console", or "auto" on a terminal."""
    return fmt == "console" or (fmt == "auto" and sys.stderr.isatty())


def _configure_structlog(common: list[structlog.typing.Processor], *, readable: bool, level: str) -> None:
    # Not by way of the standard library's logging, which costs more than all the rest of a log line.
    structlog.configure(
        processors=[*common, *_render(readable=readable)],
        logger_factory=_Stderr,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )


def _render(*, readable: bool) -> list[structlog.typing.Processor]:
    if readable:
        return [structlog.dev.ConsoleRenderer()]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_as_json, default=str)]


def _as_json(event: Any, *, default: Callable[[Any], str]) -> str:
    try:
        return to_json(event, fallback=default, inf_nan_mode="constants").decode()  # a third of the time of json
    except (PydanticSerializationError, UnicodeDecodeError):  # a text that is no UTF-8, an object that holds itself
        return json.dumps(event, default=default)


def _install_handler(common: list[structlog.typing.Processor], *, readable: bool, level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_render(readable=readable)],
        )
    )
    logging.captureWarnings(capture=True)  # a warning is a line like any other
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name, lowest in _SILENT.items():
        logging.getLogger(name).setLevel(lowest)


def _keep_ours(**_: Any) -> None:
    """Celery leaves logging alone where somebody listens to this signal."""
