"""Flower's settings, from the environment and secret files."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from workerkit.settings import DEVELOPMENT_PASSWORD, WorkerSettings


class Settings(WorkerSettings):
    """Who may look, and where the page is."""

    flower_user: str = Field("admin", description="name for the login")
    flower_password: SecretStr = Field(description="password for the login; Flower does not start without")
    flower_address: str = Field("0.0.0.0", description="address to listen on")  # noqa: S104 - inside the container
    flower_port: int = 5555
    flower_db: Path = Field(Path("/data/flower.db"), description="keeps what was seen over a restart")

    @model_validator(mode="after")
    def _own_password_in_production(self) -> Self:
        if self.environment == "production" and self.flower_password.get_secret_value() == DEVELOPMENT_PASSWORD:
            raise ValueError("FLOWER_PASSWORD is still the one for development: set a secret one")
        return self


settings = Settings()
