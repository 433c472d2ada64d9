"""The analytics worker's settings, from the environment and secret files."""

from pydantic import Field

from workerkit.settings import WorkerSettings


class Settings(WorkerSettings):
    """What the analytics worker needs to know; where the database is, `datastore.address` reads."""

    database_statement_seconds: float = Field(
        120.0, gt=0, description="PostgreSQL ends a statement after this many seconds"
    )


settings = Settings()
