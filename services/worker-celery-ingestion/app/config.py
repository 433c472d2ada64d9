"""The ingestion worker's settings, from the environment and secret files."""

from pydantic import Field

from app.messages import ApiTemplate, SourceName, SourceUrl
from workerkit.storage import StorageSettings


class Settings(StorageSettings):
    """What may be fetched, and within which limits."""

    sources: dict[SourceName, SourceUrl] = Field({}, description='JSON: URLs by name, {"flights": "https://..."}')
    apis: dict[SourceName, ApiTemplate] = Field(
        {}, description='JSON: URLs by name, {"airports": "https://.../airports/{record}"}'
    )
    fetch_redirect_hosts: list[str] = Field([], description="JSON: other hosts that a source may redirect to")
    fetch_max_bytes: int = Field(1024**3, gt=0, description="the largest file that is taken")
    fetch_connect_seconds: float = Field(5.0, gt=0, description="to connect")
    fetch_read_seconds: float = Field(30.0, gt=0, description="for every wait for data")
    # The task's time limits follow from it.
    fetch_deadline_seconds: float = Field(1800.0, gt=0, le=3000, description="for a whole file")
    fetch_reuse_days: float = Field(7.0, ge=0, description="a file that is older is fetched again, changed or not")
    fetch_rate_per_second: float = Field(10.0, gt=0, description="records from each API, all workers together")


settings = Settings()
