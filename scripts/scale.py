"""`make scale service=worker-celery-email workers=3`: sets how many workers of a service docker compose runs.

Idle ones go first. Those that go stop taking messages at once, and are stopped when they have finished what they hold,
or when patience is over: then what they run is put back and runs again elsewhere. The broker is TASK_BROKER_URL, or
that of `docker compose up` on this machine.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kombu.exceptions import OperationalError
from redis.exceptions import RedisError
from scale_in import ScaleIn

from taskclient.urls import is_amqp, with_password, without_password

ROOT = Path(__file__).resolve().parents[1]
_WORKERS = "worker-celery-"
_PATIENCE = 310.0  # seconds; a little more than the hard time limit of a task, so that none is cut short
_HOST_LENGTH = 12  # a container's host name is the beginning of its id


class CannotScale(RuntimeError):
    """Why nothing was done, and what to do."""


@dataclass(frozen=True)
class Container:
    """One container of a service; `host` is what its worker's id in Redis begins with."""

    id: str
    name: str
    running: bool

    @property
    def host(self) -> str:
        """Its host name."""
        return self.id[:_HOST_LENGTH]


def main() -> int:
    """Scale out or in; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("service", help="as in worker-celery-email")
    parser.add_argument("workers", type=int, help="how many there shall be, 0 or more")
    parser.add_argument("--patience", type=float, default=_PATIENCE, metavar="SECONDS", help="default: %(default)g")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: nobody is to be left without messages
    try:
        _scale(given.service, given.workers, given.patience)
    except (CannotScale, RedisError, OperationalError) as error:
        print(f"scale: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"scale: {' '.join(map(str, error.cmd))} failed: {(error.stderr or '').strip()}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("scale: interrupted; those that were still there take messages again", file=sys.stderr)
        return 130
    return 0


def _scale(service: str, wanted: int, patience: float) -> None:
    if not service.startswith(_WORKERS) or wanted < 0:
        raise CannotScale(f"name a worker and how many: scale.py {_WORKERS}email 3, not {service} {wanted}")
    present = _containers(service)
    if len(present) > wanted:
        _scale_in(service, present, wanted, patience)
    else:
        _say(f"{service}: {_number(present)} running, {wanted} wanted")
        words = ("up", "--detach", "--wait", "--no-recreate", "--scale", f"{service}={wanted}", service)
        subprocess.run(["docker", "compose", *words], cwd=ROOT, check=True)
    _say(f"{service}: {_number(_containers(service))} running")


def _scale_in(service: str, present: list[Container], wanted: int, patience: float) -> None:
    names = {container.host: container.name for container in present}

    def tell(host: str, text: str) -> None:
        _say(f"{names[host]}: {text}")

    with ScaleIn(_broker(present), service.removeprefix(_WORKERS), tell) as scale_in:
        held = scale_in.held(container.host for container in present)
        # First what is not running, then who holds least; of equals the one started last, as docker compose has it.
        order = sorted(present, key=lambda container: (container.running, held[container.host] or 0))
        chosen = {container.host: container for container in order[: len(present) - wanted]}
        _say(f"{service}: {_number(present)} running, {wanted} wanted")
        for container in order:
            fate = "goes" if container.host in chosen else "stays"
            _say(f"  {container.name} ({container.host}) holds {held[container.host] or 0}: {fate}")
        for host in [host for host, container in chosen.items() if not container.running]:
            _stop(chosen.pop(host), "it was not running")
        for host in scale_in.leave(list(chosen), patience):
            _stop(chosen.pop(host), "it takes and holds nothing any more")
        for container in chosen.values():
            number = scale_in.held([container.host])[container.host] or 0
            _stop(container, f"patience is over; it holds {number}, and what runs on is put back and runs again")


def _containers(service: str) -> list[Container]:
    """All there are, running or not, the one started last first."""
    printed = _run("docker", "compose", "ps", "--all", "--no-trunc", "--format", "json", service)
    rows = [row for line in printed.splitlines() for row in _rows(json.loads(line))]
    rows.sort(key=lambda row: int(row["Name"].rpartition("-")[2]), reverse=True)
    return [Container(row["ID"], row["Name"], row["State"] in {"running", "restarting", "paused"}) for row in rows]


def _rows(printed: Any) -> list[Any]:
    return printed if isinstance(printed, list) else [printed]  # older versions print one list, newer ones lines


def _broker(present: list[Container]) -> str:
    own = json.loads(_run("docker", "inspect", "--format", "{{json .Config.Env}}", present[0].id))
    theirs = dict(line.partition("=")[::2] for line in own).get("TASK_BROKER_URL", "")
    if is_amqp(theirs):
        raise CannotScale(
            f"{present[0].name} works on {without_password(theirs)}, and only Redis says who holds what. With RabbitMQ "
            "scale in by docker compose; a TASK_DRAIN_SECONDS as long as your longest task lets busy workers finish"
        )
    url = os.environ.get("TASK_BROKER_URL") or f"redis://{_run('docker', 'compose', 'port', 'redis', '6379').strip()}/0"
    password = os.environ.get("REDIS_PASSWORD") or _run(
        "docker", "compose", "exec", "-T", "redis", "printenv", "REDIS_PASSWORD"
    )
    return with_password(url, password.strip())


def _stop(container: Container, why: str) -> None:
    _say(f"{container.name}: {why}; stopping it")
    _run("docker", "stop", container.id)
    # A stopped one would count as the first that docker compose keeps, and a busy one would go in its place.
    _run("docker", "rm", container.id)


def _run(*words: str) -> str:
    return subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def _number(containers: list[Container]) -> int:
    return sum(container.running for container in containers)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
