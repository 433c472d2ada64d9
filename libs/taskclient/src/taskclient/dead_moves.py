"""Takes a dead letter away, back into its queue or for good, each in one script so that nothing is lost in between."""

import hashlib
import time
from typing import Final
from uuid import uuid4

from taskclient.connection import RedisClient
from taskclient.letters import BURY_LUA, dead_key

HISTORY_SECONDS: Final = 30 * 86_400  # how long a replayed letter is remembered, should it die again

GONE, MOVED, CHANGED = 0, 1, -1

# LPUSH comes first: it is the only write that Redis can refuse, and scripts are not rolled back. The record of the
# replayed letter also holds a mark of the call: redis-py asks again when a reply is lost, and must not be told "gone".
_REPLAY_LUA = (
    BURY_LUA
    + """
local key, list = KEYS[1], KEYS[2]
local id, digest, message, now, seconds, mark, attempts = unpack(ARGV)
local raw, past = redis.call('HGET', key .. ':raw', id), key .. ':replayed:' .. id
if not raw then
  local known = redis.call('GET', past)
  return known and cjson.decode(known).mark == mark and 1 or 0
end
if redis.sha1hex(raw) ~= digest then return -1 end
if list then redis.call('LPUSH', list, message) end
local fine, letter = pcall(cjson.decode, redis.call('HGET', key .. ':letters', id) or '')
if not fine or type(letter) ~= 'table' then letter = {} end
local history = {first = letter.first, attempts = letter.attempts, replayed = tonumber(now), mark = mark}
redis.call('SET', past, cjson.encode(history), 'EX', seconds)
redis.call('HDEL', attempts, digest, redis.sha1hex(message))
forget(key, id)
return 1
"""
)

_DISCARD_LUA = (
    BURY_LUA
    + """
local key, id = KEYS[1], ARGV[1]
if redis.call('HEXISTS', key .. ':raw', id) == 0 and not redis.call('ZSCORE', key, id) then return 0 end
forget(key, id)
return 1
"""
)


def put_back(client: RedisClient, service: str, letter_id: str, raw: bytes, message: bytes, to: str | None) -> int:
    """Push a letter's message to a list and remove the letter, in one step.

    The message goes to the back of the queue, where new ones go as well: it has failed once, so it must not hold up
    those that have not. Its count of deliveries begins anew.

    Args:
        client: of the broker's database.
        service: whose letter.
        letter_id: its id.
        raw: its message as it was read; nothing is done if it is another one by now.
        message: what is pushed.
        to: the Redis list; None if the message has been sent to another broker already.

    Returns:
        MOVED, GONE if there is no such letter any more, or CHANGED if its message is another one by now.

    Raises:
        redis.RedisError: Redis could not be reached, or refused: is full, or `to` is no list. Nothing was done then.
    """
    digest = hashlib.sha1(raw, usedforsecurity=False).hexdigest()
    script = client.register_script(_REPLAY_LUA)
    args = [letter_id, digest, message, time.time(), HISTORY_SECONDS, uuid4().hex, f"worker:{service}:attempts"]
    keys = [dead_key(service)] if to is None else [dead_key(service), to]
    return int(script(keys=keys, args=args))


def discard(client: RedisClient, service: str, letter_id: str) -> bool:
    """Remove a letter and its message for good.

    Returns:
        Whether there was one.

    Raises:
        redis.RedisError: Redis could not be reached, or refused.
    """
    return bool(client.register_script(_DISCARD_LUA)(keys=[dead_key(service)], args=[letter_id]))
