"""Takes back the failures that a replay makes untrue: of the task itself, and of what waits for it in its chain."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from taskclient.connection import RedisClient
from taskclient.dead_message import DecodedMessage

# A failure is known by its digest, so that the next one of the same task, which may come at any moment, is kept.
_READ_LUA: Final = """
local found = {}
for place, key in ipairs(KEYS) do
  local stored = redis.call('GET', key)
  local readable, record = pcall(cjson.decode, stored or '')
  local failed = readable and type(record) == 'table' and record.status == 'FAILURE'
  found[place] = failed and redis.sha1hex(stored) or ''
end
return found
"""
_FORGET_LUA: Final = """
for place, key in ipairs(KEYS) do
  local stored = redis.call('GET', key)
  if stored and redis.sha1hex(stored) == ARGV[place] then redis.call('DEL', key) end
end
"""


def failed_with(message: DecodedMessage) -> list[str]:
    """The ids of the tasks whose failures came from one: it, and the later steps of its chain, with a chord's body.

    The steps of a branch of a chord are left out: Celery reads from the stored failure of the last one that the chord
    has counted it.
    """
    own, chain = message.headers.get("id"), message.embed.get("chain")
    options = list(_options(chain if isinstance(chain, list) else []))
    later = [] if any("chord" in one for one in options) else [one.get("task_id") for one in options]
    return [task_id for task_id in (own, *later) if isinstance(task_id, str)]


def stored_failures(client: RedisClient, keys: Sequence[str]) -> dict[str, str]:
    """The digests of the failures that are stored, by key; what is no failure is left out.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    found = client.register_script(_READ_LUA)(keys=keys) if keys else []
    return {key: digest.decode() for key, digest in zip(keys, found, strict=True) if digest}


def forget_failures(client: RedisClient, failures: Mapping[str, str]) -> None:
    """Delete failures, but for those that have been replaced since `stored_failures` read them.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    if failures:
        client.register_script(_FORGET_LUA)(keys=[*failures], args=[*failures.values()])


def _options(signatures: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """The options of a chain's steps; a chord's result is that of its body, at which Celery stores the failure too."""
    for signature in signatures:
        match signature:
            case {"options": dict(options), **more}:
                yield options
                match more:
                    case {"subtask_type": "chord", "kwargs": {"body": body}}:
                        yield from _options([body])
