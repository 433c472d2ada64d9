"""The gateway's settings, from the environment and secret files."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from app.keys import DEVELOPMENT, Keys, development_key, parse_keys
from workerkit.settings import DEVELOPMENT_PASSWORD, WorkerSettings


class Settings(WorkerSettings):
    """Where to listen, who may come in, and how much one caller may ask for."""

    gateway_address: str = Field("0.0.0.0", description="address to listen on")  # noqa: S104 - inside the container
    gateway_port: int = Field(8080, ge=1, le=65535, description="port to listen on")
    gateway_keys: SecretStr | None = Field(None, description="the API keys, one line each, as `app.keys new` prints")
    gateway_keys_file: Path | None = Field(None, description="a file with more such lines")
    gateway_key: SecretStr = Field(
        SecretStr(DEVELOPMENT_PASSWORD),
        description="a key with every right, if there is no other; development only",
    )
    gateway_mcp_key: SecretStr | None = Field(
        None, description="the key of `python -m app.mcp`, by default that of GATEWAY_KEY"
    )
    gateway_body_bytes: int = Field(1024 * 1024, ge=1024, description="a request whose body is larger is refused")
    gateway_viewers: int = Field(10_000, ge=1, description="most event streams that are open at a time")

    @model_validator(mode="after")
    def _has_keys(self) -> Self:
        if not len(self.keys()):
            raise ValueError(
                "GATEWAY_KEYS is missing: outside development the gateway needs at least one key; "
                f"`python -m app.keys new` makes one, and GATEWAY_KEY ({DEVELOPMENT}) does not count"
            )
        return self

    def keys(self) -> Keys:
        """All keys; in development, where there are none, the one of GATEWAY_KEY.

        Raises:
            ValueError: a line is no key, or the file cannot be read.
        """
        lines = self.gateway_keys.get_secret_value() if self.gateway_keys else ""
        if self.gateway_keys_file:
            try:
                lines += "\n" + self.gateway_keys_file.read_text()
            except OSError as error:
                raise ValueError(f"GATEWAY_KEYS_FILE {self.gateway_keys_file}: {error.strerror}") from error
        found = parse_keys(lines)
        if not found and self.environment == "development":
            found = [development_key(self.gateway_key.get_secret_value())]
        return Keys(found)

    def mcp_secret(self) -> str:
        """The secret of whoever uses the MCP server by stdio."""
        return (self.gateway_mcp_key or self.gateway_key).get_secret_value()
