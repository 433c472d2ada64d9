"""The maintenance worker's settings, from the environment and secret files."""

from typing import Annotated

from pydantic import Field

from workerkit.storage import StorageSettings

Days = Annotated[int, Field(ge=1, le=36_500)]


class Settings(StorageSettings):
    """After how many days `cleanup` takes what for old; where the database is, `datastore.address` reads."""

    log_retention_days: Days = Field(30, description="log entries in the database")
    user_inactive_days: Days = Field(365, description="users who were not seen are deactivated")
    artifact_retention_days: Days = Field(30, description="fetched files and reports in storage")
    result_retention_days: Days = Field(8, description="task results; above the week that failures are kept")
    job_retention_days: Days = Field(90, description="finished jobs, with the rows they rejected")
    staging_retention_days: Days = Field(1, description="staging tables of jobs that nobody has gone on with")
    effect_retention_days: Days = Field(90, description="keys of effects that happen once, see workerkit.once")
    nightly_sources: list[str] = Field(
        ["airlines", "airports", "planes", "weather", "flights"], description="what the nightly workflow fetches"
    )
    database_statement_seconds: float = Field(
        300.0, gt=0, description="PostgreSQL ends a statement after this many seconds"
    )


settings = Settings()
