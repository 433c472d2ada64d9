"""Where the database is: its URL from the environment or from secret files."""

import os
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

_SECRETS = Path("/run/secrets")
_DEVELOPMENT_PASSWORD = "development"  # noqa: S105  - docker-compose.yml's default, refused in production
_FORM = "postgresql://user@host:5432/name"


class InvalidAddress(ValueError):
    """The database's URL is missing or wrong; the message names the variable and its form, not the value."""


def database_url(environment: Mapping[str, str] = os.environ, secrets: Path = _SECRETS) -> URL:
    """The URL of the database, with its password.

    Args:
        environment: `DATABASE_URL`, and `DATABASE_PASSWORD`, which is put into a URL that has none.
        secrets: folder with files `database_url` and `database_password`, for what the environment does not have.

    Returns:
        The URL for SQLAlchemy with the driver psycopg, whether the variable names a driver or not.

    Raises:
        InvalidAddress: there is no URL, or it is not one of a PostgreSQL database, or ENVIRONMENT is `production` and
            the password is the one for development.
    """
    text = _setting("DATABASE_URL", environment, secrets)
    if not text:
        raise InvalidAddress(f"DATABASE_URL is not set; set it to where PostgreSQL is, as in {_FORM}")
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # ValueError: the port is not a number
        raise InvalidAddress(f"DATABASE_URL is not a URL; its form is {_FORM}") from None
    if url.drivername not in {"postgres", "postgresql", "postgresql+psycopg"} or not url.database:
        raise InvalidAddress(f"DATABASE_URL does not name a PostgreSQL database; its form is {_FORM}")
    password = url.password or _setting("DATABASE_PASSWORD", environment, secrets)
    if password == _DEVELOPMENT_PASSWORD and environment.get("ENVIRONMENT") == "production":
        raise InvalidAddress("DATABASE_PASSWORD is still the one for development: set a secret one")
    return url.set(drivername="postgresql+psycopg", password=password)


def _setting(name: str, environment: Mapping[str, str], secrets: Path) -> str | None:
    file = secrets / name.lower()
    return environment.get(name) or (file.read_text().strip() if file.is_file() else None)
