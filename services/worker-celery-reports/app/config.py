"""The reports worker's settings, from the environment and secret files."""

from typing import Annotated

from pydantic import Field

from app.results import Address
from workerkit.storage import StorageSettings


class Settings(StorageSettings):
    """Where reports are kept, and who gets them by mail."""

    report_recipients: Annotated[list[Address], Field(min_length=1, max_length=51)] = Field(
        ["ops@example.com"], description="JSON: who gets a report if the caller names nobody; the first one is its To"
    )


settings = Settings()
