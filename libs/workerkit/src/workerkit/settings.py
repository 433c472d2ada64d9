"""Settings that every service has, from the environment and from secret files."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from taskclient.urls import default_result_url, is_amqp, with_password
from workerkit.defaults import DRAIN_SECONDS

# What docker-compose.yml uses where nothing else is set; refused in production.
DEVELOPMENT_PASSWORD = "development"  # noqa: S105  - this is the one that is refused
_SECRETS = Path("/run/secrets")


StartupCheck = Literal[
    "unrouted-task", "time-limits", "root", "database", "eviction", "append-only-file", "redis-version"
]


def _names(value: object) -> object:
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


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
    task_broker_url: SecretStr = Field(
        SecretStr("redis://localhost:6379/0"), description="where the queues are: redis:// or amqp:// (RabbitMQ)"
    )
    task_redis_url: SecretStr | None = Field(
        None, description="locks, catalog, dead letters; needed with RabbitMQ, else they are where the queues are"
    )
    task_result_url: SecretStr | None = Field(None, description="where results are; default: the next database")
    redis_user: str | None = Field(None, description="put into the Redis URLs together with the password")
    redis_password: SecretStr | None = Field(None, description="put into the Redis URLs that have no password")
    rabbitmq_password: SecretStr | None = Field(None, description="put into an amqp URL that has no password")
    task_lease_seconds: float = Field(15.0, ge=1, le=600, description="a silent worker's tasks go back after so long")
    task_delivery_limit: int = Field(3, ge=2, le=100, description="deliveries after which a message is a dead letter")
    version: str = Field("dev", description="the image's version, for dead letters and logs")
    service_owner: str = Field("", description="who answers for the service, in the catalog: a team, an address")
    service_major: int = Field(1, ge=1, description="raised in the service's code when its contracts break callers")
    task_catalog_days: float = Field(
        30.0, ge=0, description="the service's tasks leave the catalog so long after its last worker; 0: never"
    )
    task_drain_seconds: float = Field(
        DRAIN_SECONDS, ge=0, le=3600, description="so long a stopping worker lets tasks run on before it puts them back"
    )
    skip_startup_checks: Annotated[tuple[StartupCheck, ...], NoDecode, BeforeValidator(_names)] = Field(
        (), description="names of start-up checks, with commas between, that only warn"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["auto", "json", "console"] = Field("auto", description="auto: console on a terminal, else json")
    log_sample: float = Field(1.0, ge=0, le=1, description="share of the lines `task succeeded` that are written")
    log_arguments: bool = Field(False, description="log the values of task arguments; they may be personal data")

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise InvalidSettings(_problems(error)) from None

    @model_validator(mode="after")
    def _no_development_password_in_production(self) -> Self:
        urls = {"RABBITMQ_PASSWORD" if is_amqp(self.broker()) else "REDIS_PASSWORD": self.broker()}
        urls.setdefault("REDIS_PASSWORD", self.redis())
        for variable, url in urls.items():
            if self.environment == "production" and DEVELOPMENT_PASSWORD in url.rpartition("@")[0]:
                raise ValueError(f"{variable} is still the one for development: set a secret one")
        return self

    def broker(self) -> str:
        """The broker's URL with its password."""
        url = self.task_broker_url.get_secret_value()
        return with_password(url, _text(self.rabbitmq_password)) if is_amqp(url) else self._of_redis(url)

    def redis(self) -> str:
        """The URL, with its password, of the Redis for all that is no queue: locks, catalog, dead letters, schedule.

        Raises:
            ValueError: the broker is RabbitMQ, and no Redis is named.
        """
        if not is_amqp(self.broker()):
            return self.broker()
        if self.task_redis_url is None:
            raise ValueError(
                "TASK_REDIS_URL is missing: with RabbitMQ as broker, name a Redis, as in redis://redis:6379/0"
            )
        return self._of_redis(self.task_redis_url.get_secret_value())

    def results(self) -> str:
        """The result backend's URL with its password."""
        if self.task_result_url is None:
            return default_result_url(self.redis())
        return self._of_redis(self.task_result_url.get_secret_value())

    def _of_redis(self, url: str) -> str:
        return with_password(url, _text(self.redis_password), self.redis_user)


def _text(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


def _problems(error: ValidationError) -> str:
    lines = [
        f"{'.'.join(map(str, found['loc'])).upper() or 'settings'}: {found['msg'].removeprefix('Value error, ')}"
        for found in error.errors(include_url=False, include_input=False)
    ]
    return "\n".join(["wrong or missing settings (environment variables or files in /run/secrets)", *lines])
