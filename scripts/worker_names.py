"""The spellings of a worker's purpose: `billing-eu`, `billing_eu`, `BillingEu`, `BILLING_EU`."""

import keyword
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[1]
COMPOSE = ROOT / "docker-compose.yml"
_EXAMPLE = ROOT / "scripts" / "example_worker"
_FORM = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MAX_LENGTH = 30  # longer names do not fit host names, image tags and lines of code any more


class BadPurpose(ValueError):
    """The purpose cannot be a worker's name; the message says why and what could."""


@dataclass(frozen=True)
class Purpose:
    """What a worker is for.

    Args:
        hyphen: lower case with hyphens, as in folders, images and services.
    """

    hyphen: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Check a purpose.

        Raises:
            BadPurpose: it has another form, is too long, or could not be imported as `app.tasks.<purpose>`.
        """
        if not _FORM.fullmatch(text):
            raise BadPurpose(
                f"{text!r}: lower-case letters, digits and hyphens, a letter first, as in billing or pdf-2024"
            )
        if len(text) > _MAX_LENGTH:
            raise BadPurpose(f"{text!r} has {len(text)} characters, {_MAX_LENGTH} is the most")
        if keyword.iskeyword(text):
            raise BadPurpose(f"{text!r} is a Python keyword: app.tasks.{text} could not be imported; try {text}-jobs")
        return cls(text)

    @property
    def snake(self) -> str:
        """As in modules, task names and the queue."""
        return self.hyphen.replace("-", "_")

    @property
    def camel(self) -> str:
        """As in classes."""
        return "".join(part.capitalize() for part in self.hyphen.split("-"))

    @property
    def service(self) -> str:
        """The folder, the image and the compose service."""
        return f"worker-celery-{self.hyphen}"

    @property
    def redis_password(self) -> str:
        """The variable with the password of the service's Redis user."""
        return f"REDIS_PASSWORD_{self.snake.upper()}"

    @property
    def compose_entry(self) -> str:
        """The service's lines in docker-compose.yml."""
        return (
            f"\n  {self.service}:\n"
            "    extends: { file: services/compose.base.yml, service: worker }\n"
            f"    image: {self.service}:${{VERSION:-dev}}\n"
            f"    build: {{ context: ., dockerfile: services/{self.service}/Dockerfile, args: *build-args }}\n"
            "    environment:\n"
            f"      REDIS_USER: {self.hyphen}\n"
            f"      REDIS_PASSWORD: ${{{self.redis_password}:-${{REDIS_PASSWORD:-development}}}}\n"
        )

    @property
    def compose_password(self) -> str:
        """The line of Redis in docker-compose.yml that brings it the password of the service's user."""
        return f"      {self.redis_password}: ${{{self.redis_password}:-}}\n"

    def spell(self, text: str) -> str:
        """Write this purpose wherever the text says `example`, each time in the spelling that belongs there."""
        for pattern, replacement in (
            (r"worker-celery-example", self.service),
            (r'create_app\("example"', f'create_app("{self.hyphen}"'),
            (r'"service": "example"', f'"service": "{self.hyphen}"'),
            (r"\b([Tt]he) example\b", rf"\1 {self.hyphen}"),
            (r"Example", self.camel),
            (r"EXAMPLE", self.snake.upper()),
            (r"example", self.snake),
        ):
            text = re.sub(pattern, replacement, text)
        return text


def rendered(purpose: Purpose) -> dict[Path, str]:
    """All files of a new worker, by their paths within its folder."""
    files = [path for path in sorted(_EXAMPLE.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]
    return {Path(purpose.spell(str(path.relative_to(_EXAMPLE)))): purpose.spell(path.read_text()) for path in files}
