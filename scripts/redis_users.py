"""Writes deploy/redis/users.acl: a Redis user for each service, which reaches what is its own and what all share."""

import argparse
import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE = Path("deploy", "redis", "users.acl")
OPERATORS = "default"  # the user that start.sh makes beside those of the file
_GATEWAY = "gateway"  # it has no Celery application to be found by
_HEAD = """\
# A line for each service: its name, and what its Redis user may do. Written by scripts/redis_users.py from the
# services' routes; start.sh reads it and adds the passwords. docs/explanation/isolation.md says what is isolated.
"""
_SEPARATOR = r"\x06\x16"  # kombu's, between a queue and a priority; start.sh writes the two bytes
_PROTECTED = ("worker:", "workerkit:", "redbeat:")  # nobody pushes there: no queue's name has a colon

# By kinds of data, so that what modules and newer servers add is not allowed by itself.
_DATA = "+@keyspace +@string +@hash +@list +@set +@sortedset +@bitmap +@hyperloglog +@geo +@stream"
_COMMANDS = (
    f"{_DATA} +@transaction +@connection +@pubsub -@admin -@dangerous -publish -spublish "
    "+eval +evalsha +script|load +script|exists +time +info"
)
_REMOTE = "/0.celery.pidbox"  # whoever publishes there tells workers to stop, to cancel, to forget
_HEARD = ("/0.celeryev/*", "/0.celeryev/worker.*", "celery-task-meta-*", "progress:*", "__redis__:invalidate")
_SAID = ("/0.celeryev/*", "celery-task-meta-*", "progress:*")
_RESULTS = ("celery-task-meta-*", "celery-taskset-meta-*")
_BINDINGS = "_kombu.binding*"
_MAILBOXES = ("*@*.celery.pidbox*", "celeryev.*")  # kombu deletes these when it closes; they never hold anything
_CATALOG = ("workerkit:catalog", "workerkit:catalog:until")
_SHARED = (*_CATALOG, "workerkit:services", "workerkit:breaker:*", "redbeat::schedule")


class UnreadableService(ValueError):
    """A service's name or routes cannot be read from its code."""


def users(root: Path) -> dict[str, str]:
    """What each service's user may do, as rules of a Redis ACL without a password; sorted by name.

    Raises:
        UnreadableService: a name or routes cannot be read, or a name is taken.
    """
    found: dict[str, str] = {}
    for app in sorted(root.glob("services/*/app/celery_app.py")):
        name, rules = _user(app.parents[1])
        if name in found or name == OPERATORS:
            raise UnreadableService(f"{app}: the name {name!r} is taken by another Redis user")
        found[name] = rules
    if (root / "services" / _GATEWAY / "app" / "main.py").is_file():
        found[_GATEWAY] = _gateway()
    return dict(sorted(found.items()))


def text(root: Path) -> str:
    """The whole file."""
    return _HEAD + "".join(f"{name} {rules}\n" for name, rules in users(root).items())


def write(root: Path, *, check: bool = False) -> bool:
    """Bring the file up to date, or only look with `check`; whether it had to be changed."""
    file, after = root / FILE, text(root)
    stale = not file.exists() or file.read_text() != after
    if stale and not check:
        file.write_text(after)
    return stale


def main() -> int:
    """Write the file, or with --check only say whether it is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help=f"write nothing; exit 1 if {FILE} is not up to date")
    check = parser.parse_args().check
    stale = write(ROOT, check=check)
    if stale:
        problem = "is not up to date: run python scripts/redis_users.py" if check else "is new; restart Redis to use it"
        print(f"{FILE} {problem}", file=sys.stderr)
    return int(check and stale)


def _user(folder: Path) -> tuple[str, str]:
    name = _name(folder / "app" / "celery_app.py")
    if folder.name == "beat":
        return name, _beat()
    if folder.name == "flower":
        return name, _flower()
    routes = _routes(folder / "celeryconfig.py")
    queues = dict.fromkeys(routes.values()) or {name: None}
    return name, _worker(name, list(queues), list(routes))


def _worker(name: str, queues: list[str], routes: list[str]) -> str:
    tasks = dict.fromkeys([*(route.rstrip("*") for route in routes), *(f"app.tasks.{queue}." for queue in queues)])
    own = [
        f"worker:{name}:*",
        f"{name}:*",
        *(key for queue in queues for key in (queue, f"{queue}{_SEPARATOR}*")),
        *(f"workerkit:{kind}:{name}:*" for kind in ("lock", "alert")),
        *(f"workerkit:{kind}:{task}*" for kind in ("idempotency", "rate") for task in tasks),
        f"workerkit:schedule:{name}",
        f"redbeat:{name}:*",
    ]
    keys = _all("~", [*own, *_SHARED, *_RESULTS, _BINDINGS, *_MAILBOXES])
    return f"{_COMMANDS} {keys} {_all('&', [_REMOTE, *_HEARD])} {_push()} {_publish(_SAID)}"


def _beat() -> str:
    keys = _all("~", ["beat:*", "redbeat:*", *_RESULTS, _BINDINGS])
    return f"{_COMMANDS} {keys} {_all('&', ['celery-task-meta-*'])} {_push()} {_publish(_SAID)}"


def _flower() -> str:
    keys = _all("~", ["flower:*", _BINDINGS, "*.reply.celery.pidbox*", *_MAILBOXES])
    results = _all("%R~", _RESULTS)
    look = f"(+llen +exists {_all('%R~', outside(_PROTECTED))})"
    return f"{_COMMANDS} {keys} {results} {_all('&', [_REMOTE, *_HEARD])} {look} {_publish([_REMOTE])}"


def _gateway() -> str:
    """For each caller it does what the caller's API key allows, in any service's keys; never an operator's commands."""
    return f"{_COMMANDS} ~* {_all('&', [_REMOTE, *_HEARD])} {_publish([_REMOTE])}"


def _push() -> str:
    """To send to any queue: taskclient's script asks how long it is, and pushes."""
    return f"(+lpush +llen +eval +evalsha {_all('~', outside(_PROTECTED))})"


def _publish(channels: Iterable[str]) -> str:
    return f"(+publish {_all('&', channels)})"


def _all(sign: str, patterns: Iterable[str]) -> str:
    return " ".join(f"{sign}{pattern}" for pattern in patterns)


def outside(prefixes: Iterable[str]) -> Iterator[str]:
    """Patterns that together match every key without one of these prefixes; Redis has no pattern for `not`."""
    beginnings = {prefix[:length] for prefix in prefixes for length in range(len(prefix))}
    for start in sorted(beginnings):
        goes_on = sorted({prefix[len(start)] for prefix in prefixes if prefix.startswith(start)})
        if start:
            yield start
        yield f"{start}[^{''.join(goes_on)}]*"


def _name(module: Path) -> str:
    found = re.search(r'create_app\("([a-z0-9-]+)"', module.read_text())
    if found is None:
        raise UnreadableService(f'{module}: no create_app("name", ...) with a plain name to name its Redis user by')
    return found[1]


def _routes(config: Path) -> dict[str, str]:
    """Queue by pattern of task names; read without importing, which would need the service's packages."""
    for node in ast.parse(config.read_text()).body:
        if isinstance(node, ast.Assign) and "task_routes" in map(ast.unparse, node.targets):
            return _literal(node.value, config)
    return {}


def _literal(value: ast.expr, config: Path) -> dict[str, str]:
    try:
        routes = ast.literal_eval(value)
        return {pattern: route if isinstance(route, str) else route["queue"] for pattern, route in routes.items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise UnreadableService(
            f'{config}: write task_routes as a plain dictionary, as in {{"app.tasks.email.*": "email"}}; the rights of '
            "the service's Redis user are made from it"
        ) from None


if __name__ == "__main__":
    sys.exit(main())
