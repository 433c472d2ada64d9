"""The etl worker's settings, from the environment and secret files."""

from pydantic import Field

from workerkit.storage import StorageSettings


class Settings(StorageSettings):
    """What a file may be, and how it is loaded."""

    etl_batch_rows: int = Field(10_000, ge=1, le=100_000, description="rows to commit at a time")
    etl_max_rejected_share: float = Field(0.10, ge=0, le=1, description="above this share of broken rows a job fails")
    etl_max_uncompressed_bytes: int = Field(10 * 2**30, ge=1, description="size of a file when unpacked")
    etl_max_compression_ratio: int = Field(100, ge=1, description="unpacked bytes for each packed one")
    etl_max_line_bytes: int = Field(65_536, ge=100, le=131_072, description="length of a line")


settings = Settings()
