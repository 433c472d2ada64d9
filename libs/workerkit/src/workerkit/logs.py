"""Logging: one JSON object a line in containers, readable on a terminal, each line with its task's id."""

import logging
import sys
from typing import Any

import structlog
from celery import signals

# Celery's own lines about tasks repeat ours, one of them with the result's value.
_SILENT = {"celery.app.trace": logging.CRITICAL, "celery.worker.strategy": logging.WARNING}


def configure(service: str, *, level: str, fmt: str) -> None:
    """Send structlog and the standard library's logging through one handler on stderr.

    Args:
        service: the service's name, in every line.
        level: the lowest level to show.
        fmt: "json", "console", or "auto" (console if stderr is a terminal).
    """

    def add_service(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    common: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *common,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    _install_handler(common, readable=is_readable(fmt), level=level)
    signals.setup_logging.connect(_keep_ours, weak=False, dispatch_uid="workerkit.logs")


def is_readable(fmt: str) -> bool:
    """Say whether lines are for people: format "console", or "auto" on a terminal."""
    return fmt == "console" or (fmt == "auto" and sys.stderr.isatty())


def _install_handler(common: list[structlog.typing.Processor], *, readable: bool, level: str) -> None:
    render: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if readable
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=common,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
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
