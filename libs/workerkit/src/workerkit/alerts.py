"""Tells people that something is wrong, by the notification task of the email service, and not too often."""

import re
from typing import Any

import redis
import structlog
from celery import current_app
from kombu.exceptions import OperationalError

from taskclient.names import queue_of
from workerkit.broker import broker_client

log = structlog.get_logger("task")
TASK = "app.tasks.email.send_notification"
_MAX_SUBJECT, _MAX_MESSAGE = 255, 10_000  # characters that the task accepts
_PREFIX = "workerkit:alert:"
_KEPT_SECONDS = 7 * 86_400  # how long it is remembered that alerts were held back
_BREAKS = re.compile(r"[\x00-\x20\x7f-\x9f\u2028\u2029]+")
# One step: the first call takes the key and gets the number of those held back; all others are counted and get -1.
_TAKE = """
if redis.call('set', KEYS[1], 1, 'NX', 'PX', ARGV[1]) then return tonumber(redis.call('getdel', KEYS[2]) or 0) end
redis.call('incr', KEYS[2])
redis.call('expire', KEYS[2], ARGV[2])
return -1
"""
_GIVE_BACK = """
redis.call('del', KEYS[1])
redis.call('incrby', KEYS[2], ARGV[1])
redis.call('expire', KEYS[2], ARGV[2])
"""
_PUBLISHING = {"max_retries": 2, "interval_start": 0.1, "interval_step": 0.2, "interval_max": 0.5}


def send_alert(
    subject: str, message: str, *, key: str | None = None, channel: str = "ops", throttle_seconds: float = 900
) -> bool:
    """Notify a channel by mail, at most once in `throttle_seconds` for all alerts of one key.

    The next alert that goes out says how many were held back. It never fails the task: while Redis is away the alert
    is only logged.

    Args:
        subject: one line; cut to 255 characters.
        message: plain text; cut to 10,000 characters.
        key: what counts as the same alert, within this service and channel; default: the subject. Give one if the
            subject holds a number or a name.
        channel: a name of the email service's setting NOTIFICATION_CHANNELS.
        throttle_seconds: 0 sends each alert.

    Returns:
        Whether it was handed to the email service.
    """
    try:
        held_back = _take(_keys(key or subject, channel), throttle_seconds)
    except redis.RedisError as error:
        log.error("alert not sent, Redis is away", subject=subject, message=message, error=str(error))  # noqa: TRY400
        return False
    if held_back < 0:
        log.info("alert held back", subject=subject, channel=channel)
        return False
    try:
        _send({"channel": channel, "subject": _one_line(subject), "message": _text(message or subject, held_back)})
    except (OperationalError, redis.RedisError) as error:
        log.error("alert not sent", subject=subject, message=message, error=str(error))  # noqa: TRY400
        _give_back(_keys(key or subject, channel), held_back)
        return False
    return True


def _send(payload: dict[str, str]) -> None:
    # Its result is not wanted: Celery would subscribe to it on another connection.
    options: dict[str, Any] = {"queue": queue_of(TASK), "ignore_result": True, "retry_policy": _PUBLISHING}
    current_app.send_task(TASK, kwargs=payload, **options)


def _keys(key: str, channel: str) -> tuple[str, str]:
    name = f"{_PREFIX}{current_app.main}:{channel}:{_one_line(key)}"
    return name, f"{name}:held-back"


def _take(keys: tuple[str, str], seconds: float) -> int:
    client: Any = broker_client()
    return int(client.eval(_TAKE, 2, *keys, max(int(seconds * 1000), 1), _KEPT_SECONDS + int(seconds)))


def _give_back(keys: tuple[str, str], held_back: int) -> None:
    client: Any = broker_client()
    try:
        client.eval(_GIVE_BACK, 2, *keys, held_back + 1, _KEPT_SECONDS)
    except redis.RedisError as error:
        log.warning("alerts of this key are held back although none was sent", key=keys[0], error=str(error))


def _one_line(text: str) -> str:
    return _valid(_BREAKS.sub(" ", text))[:_MAX_SUBJECT].strip() or "Alert"


def _text(message: str, held_back: int) -> str:
    plural = "alert of this kind was" if held_back == 1 else "alerts of this kind were"
    note = f"\n\n({held_back:,} more {plural} held back since the last one.)" if held_back else ""
    text, room = _valid(message).strip() or "(no message)", _MAX_MESSAGE - len(note)
    if len(text) > room:
        cut = f"\n... ({len(text):,} characters in all)"
        text = text[: room - len(cut)] + cut
    return text + note


def _valid(text: str) -> str:
    """Without halves of characters, which no message can carry."""
    return text.encode(errors="replace").decode()
