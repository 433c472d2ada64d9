"""API keys: who may do what to which tasks. `python -m app.keys new --id ci --scope send` makes one.

A key is a long random text that only its owner has; here is its SHA-256, one JSON object a line:

    {"id": "ci", "sha256": "5e88...", "scopes": ["send:app.tasks.email.*", "read"], "per_second": 20, "burst": 40}

A scope is a verb and, after a colon, the tasks it is for; without one it is for all.
"""

import argparse
import hashlib
import hmac
import json
import secrets
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

Verb = Literal["send", "read", "cancel", "replay", "discard", "operate"]
VERBS: Final = get_args(Verb)
EVERYTHING: Final = "*"
DEVELOPMENT: Final = "development"  # the id of the key that needs no line
_PREFIX: Final = "wk_"  # so that scanners for secrets can recognize one


def _scope(text: str) -> str:
    verb, _, pattern = text.partition(":")
    if verb not in (*VERBS, EVERYTHING) or (":" in text and not pattern):
        known = ", ".join(VERBS)
        raise ValueError(f"{text!r} is no scope: write one of {known}, alone or as in send:app.tasks.email.*")
    return text


Scope = Annotated[str, AfterValidator(_scope)]


class ApiKey(BaseModel):
    """One key, without the secret itself.

    Args:
        id: what it is called in the audit log and in metrics.
        sha256: of the secret, as hexadecimal digits.
        scopes: what it may do: `<verb>` or `<verb>:<pattern of task names>`; `*` is every verb.
        per_second: requests a second in the long run.
        burst: requests that it may make at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    scopes: tuple[Scope, ...] = Field(min_length=1)
    per_second: float = Field(50.0, gt=0)
    burst: int = Field(100, ge=1)

    def may(self, verb: Verb, task: str | None = None) -> bool:
        """Whether a scope allows the verb for a task; None means for all tasks there are."""
        return any(_covers(pattern, task) for pattern in self.patterns(verb))

    def may_any(self, verb: Verb) -> bool:
        """Whether there may be a task that the verb is allowed for."""
        return bool(self.patterns(verb))

    def patterns(self, verb: Verb) -> list[str]:
        """The patterns of the tasks that the verb is allowed for."""
        scopes = (scope.partition(":") for scope in self.scopes)
        return [pattern or EVERYTHING for own, _, pattern in scopes if own in (verb, EVERYTHING)]


class Keys:
    """All keys of a gateway.

    Args:
        keys: these.

    Raises:
        ValueError: two have one id.
    """

    def __init__(self, keys: Sequence[ApiKey]) -> None:
        self._by_id = {key.id: key for key in keys}
        if len(self._by_id) < len(keys):
            raise ValueError("two API keys have the same id: give each its own")

    def __len__(self) -> int:
        return len(self._by_id)

    def of_secret(self, secret: str) -> ApiKey | None:
        """The key of a secret; it takes as long for a wrong one as for a right one."""
        presented, found = digest(secret), None
        for key in self._by_id.values():
            if hmac.compare_digest(presented, key.sha256):
                found = key
        return found

    def of_id(self, key_id: str) -> ApiKey | None:
        """The key of an id."""
        return self._by_id.get(key_id)


def digest(secret: str) -> str:
    """The SHA-256 of a secret. It is random and long, so it needs no slow hash as a password does."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def parse_keys(lines: str) -> list[ApiKey]:
    """The keys of some lines; empty ones and those that begin with # count nothing.

    Raises:
        ValueError: a line is no key; says which and why, without its content.
    """
    texts = [(number, line.strip()) for number, line in enumerate(lines.splitlines(), start=1)]
    return [_parse(number, text) for number, text in texts if text and not text.startswith("#")]


def development_key(secret: str) -> ApiKey:
    """A key with every right and no limit that anybody would notice."""
    return ApiKey(id=DEVELOPMENT, sha256=digest(secret), scopes=(EVERYTHING,), per_second=10_000, burst=10_000)


def new_key(key_id: str, scopes: Sequence[str], per_second: float, burst: int) -> tuple[str, str]:
    """A new secret, and the line that makes it a key.

    Raises:
        pydantic.ValidationError: the id, a scope or a number is none.
    """
    secret = _PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(id=key_id, sha256=digest(secret), scopes=tuple(scopes), per_second=per_second, burst=burst)
    return secret, json.dumps(key.model_dump(mode="json"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a key; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m app.keys", description="Makes API keys for the gateway.")
    new = parser.add_subparsers(required=True).add_parser("new", help="print a new key once, and the line for the file")
    new.add_argument("--id", required=True, help="what it is called in logs and metrics, as in ci")
    new.add_argument("--scope", action="append", required=True, help="as in read or send:app.tasks.email.*; repeatable")
    new.add_argument("--per-second", type=float, default=50.0, help="requests a second in the long run (50)")
    new.add_argument("--burst", type=int, default=100, help="requests at once (100)")
    given = parser.parse_args(arguments)
    try:
        secret, line = new_key(given.id, given.scope, given.per_second, given.burst)
    except ValidationError as error:
        parser.error(_problems(error))
    sys.stderr.write("The key; it is shown only now:\n")
    sys.stdout.write(f"{secret}\n")
    sys.stderr.write("The line for GATEWAY_KEYS (or the secret file gateway_keys):\n")
    sys.stdout.write(f"{line}\n")
    return 0


def _parse(number: int, text: str) -> ApiKey:
    try:
        return ApiKey.model_validate_json(text)
    except ValidationError as error:
        raise ValueError(f"line {number} of the API keys is no key: {_problems(error)}") from None


def _problems(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc'])) or 'line'}: {one['msg']}" for one in found)


def _covers(pattern: str, task: str | None) -> bool:
    return pattern == EVERYTHING if task is None else fnmatchcase(task, pattern)


if __name__ == "__main__":
    sys.exit(main())
