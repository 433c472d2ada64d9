"""The example worker's settings, from the environment and secret files."""

from pydantic import Field

from workerkit.settings import WorkerSettings


class Settings(WorkerSettings):
    """What the example worker needs to know."""

    example_limit: int = Field(1000, description="the largest number that is taken")


settings = Settings()
