"""`make new-worker purpose=billing`: a new service from the example worker, with its tests and its compose entry."""

import argparse
import re
import subprocess
import sys

import redis_users
from worker_names import COMPOSE, ROOT, BadPurpose, Purpose, rendered


def main() -> int:
    """Make the worker, run its tests, say what comes next; 0 if all went well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("purpose", help="what it is for, such as billing: the folder is services/worker-celery-billing")
    try:
        purpose = Purpose.parse(parser.parse_args().purpose)
        _refuse_taken(purpose)
    except BadPurpose as error:
        print(f"new-worker: {error}", file=sys.stderr)
        return 2
    folder = ROOT / "services" / purpose.service
    for path, text in rendered(purpose).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    COMPOSE.write_text(_with_entry(COMPOSE.read_text(), purpose))
    for command in _finishing(purpose):
        subprocess.run(command, cwd=ROOT, check=True)
    _say_what_comes_next(purpose)
    return 0


def _refuse_taken(purpose: Purpose) -> None:
    if (ROOT / "services" / purpose.service).exists():
        raise BadPurpose(f"services/{purpose.service} exists; nothing was changed")
    if f"\n  {purpose.service}:\n" in COMPOSE.read_text():
        raise BadPurpose(f"docker-compose.yml has a service {purpose.service} already; nothing was changed")
    if purpose.hyphen in {redis_users.OPERATORS, *redis_users.users(ROOT)}:
        raise BadPurpose(f"a Redis user has the name {purpose.hyphen} already; nothing was changed")
    for config in ROOT.glob("services/*/celeryconfig.py"):
        if f"app.tasks.{purpose.snake}.*" in config.read_text():
            raise BadPurpose(f"the queue {purpose.snake} belongs to {config.parent.name}; nothing was changed")


def _with_entry(compose: str, purpose: Purpose) -> str:
    services, volumes = compose.split("\nvolumes:\n")
    last = list(re.finditer(r"^      REDIS_PASSWORD_\w+: .*:-}\n", services, re.MULTILINE))[-1].end()
    services = f"{services[:last]}{purpose.compose_password}{services[last:]}"
    return f"{services}{purpose.compose_entry}\nvolumes:\n{volumes}"


def _finishing(purpose: Purpose) -> list[list[str]]:
    python, folder = sys.executable, f"services/{purpose.service}"
    return [
        # The spelling can change the order of imports and the length of lines.
        [python, "-m", "ruff", "check", "--quiet", "--fix", folder],
        [python, "-m", "ruff", "format", "--quiet", folder],
        [python, "scripts/service_table.py"],
        [python, "scripts/redis_users.py"],
        ["scripts/test", "service", purpose.service],
    ]


def _say_what_comes_next(purpose: Purpose) -> None:
    folder = f"services/{purpose.service}"
    print(f"""
{folder} is there, its entry in docker-compose.yml too. Next:

  1. Write what it does: {folder}/app/processors/{purpose.snake}_processor.py and its test,
     then the task's signature in {folder}/app/tasks/{purpose.snake}.py.
  2. Try it: make dev, and in a second terminal, with the line that starts with export
     .venv/bin/tasks send app.tasks.{purpose.snake}.process numbers='[1, 2, 3]' --wait 20
  3. Run it as an image: docker compose up -d --build --wait {purpose.service}
""")


if __name__ == "__main__":
    sys.exit(main())
