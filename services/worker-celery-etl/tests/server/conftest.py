"""A migrated database, a storage, and the processor as the task has it, with small batches."""

import csv
import io
import zipfile
from functools import partial

import pytest
from sqlalchemy import make_url

from app.adapters.jobs import job_of
from app.adapters.sources import Limits, open_source
from app.messages import Reference
from app.processors.etl_processor import EtlProcessor
from datastore.migrator import Migrator
from devstack.sample_data import SAMPLE_DATA
from workerkit.database import configure, dispose
from workerkit.storage import Storage

LIMITS = Limits(uncompressed_bytes=2**30, ratio=100, line_bytes=65_536)


@pytest.fixture(scope="session")
def flights_file():
    """The whole file of flights, zipped, as it was published."""
    return (SAMPLE_DATA / "flights.csv.zip").read_bytes()


@pytest.fixture(scope="session")
def all_flights(flights_file):
    """All flights as dicts of text, straight from the file."""
    with zipfile.ZipFile(io.BytesIO(flights_file)) as archive:
        return list(csv.DictReader(io.StringIO(archive.read("flights.csv").decode())))


@pytest.fixture(scope="session")
def some_flights(all_flights):
    """Two thousand of them, some cancelled."""
    return all_flights[700:2700]


@pytest.fixture
def storage(tmp_path):
    return Storage(f"file://{tmp_path}/storage")


@pytest.fixture
def database(postgres):
    """A connection of our own to a database with empty tables; `get_sync_db` has others."""
    Migrator(make_url(postgres.url)).upgrade()
    configure(postgres.url, application_name="etl-test")
    with postgres.connect() as connection:
        yield connection
    dispose()


@pytest.fixture
def put(storage):
    """Stores a file; returns the reference to it."""

    def put_file(name, content, source="flights"):
        return Reference(**storage.put(f"ingestion/{name}", content).model_dump(), source=source)

    return put_file


@pytest.fixture
def processor(storage, database):
    """Makes a processor; `after(position)` is called after each batch, and may raise."""

    def make(**options):
        options = {"batch_rows": 300, "max_rejected_share": 0.10} | options
        return EtlProcessor(partial(open_source, storage, limits=LIMITS), job_of, **options)

    return make


@pytest.fixture
def load(processor):
    """Loads a file; `report` may raise in the middle of it."""
    return lambda reference, report=lambda *_: None, **options: processor(**options).process(reference, report)
