"""What a person types for the `tasks` command, turned into a payload, a time, a client."""

import json
import os
from collections.abc import Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import Any, NoReturn

from taskclient.client import TaskClient
from taskclient.urls import default_result_url, is_amqp, redis_of, with_password


def open_client(broker: str, results: str | None) -> TaskClient:
    """A client for the two URLs; REDIS_PASSWORD, or RABBITMQ_PASSWORD, goes into those that have no password.

    Raises:
        ValueError: a URL is none of Redis or RabbitMQ.
    """
    password = os.environ.get("REDIS_PASSWORD")
    redis = with_password(redis_of(broker), password)
    broker = with_password(broker, os.environ.get("RABBITMQ_PASSWORD") if is_amqp(broker) else password)
    return TaskClient(broker, with_password(results or default_result_url(redis), password), redis_url=redis)


def full_name(client: TaskClient, name: str) -> str:
    """The name of a task that may be given by its last part alone, as in `nightly`.

    Raises:
        ValueError: no task in the catalog, or more than one, ends so.
        BrokerUnavailable: Redis could not be reached, or refused.
    """
    if "." in name:
        return name
    names = [entry.name for entry in client.catalog()]
    found = [known for known in names if known.rpartition(".")[2] == name.replace("-", "_")]
    if len(found) == 1:
        return found[0]
    if found:
        raise ValueError(f"{name!r} may be any of {', '.join(found)}: write the whole name.")
    near = get_close_matches(name, [known.rpartition(".")[2] for known in names], 3)
    hint = f"did you mean {' or '.join(near)}?" if near else "`tasks list` shows all."
    raise ValueError(f"no worker has published a task {name!r} to this Redis; {hint}")


def parse_payload(fields: Sequence[str], json_payload: str | None) -> dict[str, Any]:
    """One payload from `--json-payload` and `key=value` words; a word outranks the same key in the JSON.

    Raises:
        ValueError: the JSON is no object, or a word is not `key=value`.
    """
    return _json_object(json_payload) | dict(_field(word) for word in fields)


def parse_time(text: str | None) -> datetime | None:
    """A time in ISO 8601, as in `2030-01-01T12:00Z`.

    Raises:
        ValueError: the text has another form.
    """
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError as error:
        raise ValueError(f"{text!r} is not a time in ISO 8601, as in 2030-01-01T12:00Z.") from error


def _json_object(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text, parse_constant=_no_constant) if text else {}
    except ValueError as error:
        raise ValueError(f"--json-payload is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004 - a person's wrong input, not a wrong type in a program
            "--json-payload is JSON, but no object: write '{\"field\": value, ...}'."
        )
    return value


def _field(word: str) -> tuple[str, Any]:
    key, separator, text = word.partition("=")
    if not separator or not key:
        raise ValueError(f"{word!r} is not key=value, as in subject='Hello Ada'.")
    return key, _value(text)


def _value(text: str) -> Any:
    """JSON if it parses, else the text itself."""
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return text


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")  # Python alone would read NaN and Infinity as numbers
