"""Settings that every service has, from the environment and from secret files."""

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from taskclient.urls import default_result_url, with_password

# What docker-compose.yml uses where nothing else is set; refused in production.
DEVELOPMENT_PASSWORD = "development"  # noqa: S105  - this is the one that is refused
_SECRETS = Path("/run/secrets")


class InvalidSettings(ValueError):
    """Some settings are missing or wrong; the message lists all of them by their variables' names."""


class WorkerSettings(BaseSettings):
    """Typed settings of a service; each field is read from the environment variable of the same name.

    A file `/run/secrets/<field>` sets a field as well (Docker and Kubernetes secrets); the environment outranks it.
    Services subclass it and add their own fields.

    Raises:
        InvalidSettings: at the service's start, with all wrong and missing variables.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        secrets_dir=_SECRETS if _SECRETS.is_dir() else None,
        env_ignore_empty=True,
    )

    environment: Literal["development", "production"] = Field(
        "development", description="production refuses development passwords"
    )
    task_broker_url: SecretStr = Field(SecretStr("redis://localhost:6379/0"), description="where the queues are")
    task_result_url: SecretStr | None = Field(None, description="where results are; default: the next database")
    redis_password: SecretStr | None = Field(None, description="put into the URLs that have no password")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal, else json")
    log_arguments: bool = Field(False, description="log the values of task arguments; they may be personal data")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InvalidSettings(_problems(error)) from None

    @model_validator(mode="after")
    def _no_development_password_in_production(self) -> Self:
        if self.environment == "production" and DEVELOPMENT_PASSWORD in self.broker().rpartition("@")[0]:
            raise ValueError("REDIS_PASSWORD is still the one for development: set a secret one")
        return self

    def broker(self) -> str:
        """The broker's URL with its password."""
        return with_password(self.task_broker_url.get_secret_value(), self._password())

    def results(self) -> str:
        """The result backend's URL with its password."""
        if self.task_result_url is None:
            return default_result_url(self.broker())
        return with_password(self.task_result_url.get_secret_value(), self._password())

    def _password(self) -> str | None:
        return self.redis_password.get_secret_value() if self.redis_password else None


def _problems(error: ValidationError) -> str:
    lines = [
        f"{'.'.join(map(str, found['loc'])).upper() or 'settings'}: {found['msg'].removeprefix('Value error, ')}"
        for found in error.errors(include_url=False, include_input=False)
    ]
    return "\n".join(["wrong or missing settings (environment variables or files in /run/secrets)", *lines])
