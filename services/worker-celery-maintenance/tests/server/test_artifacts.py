"""Old files go from a real folder, and the one that a source's latest.json names stays."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.processors.artifacts_processor import ArtifactsProcessor
from workerkit.storage import Storage

NOW = datetime(2013, 7, 1, 2, tzinfo=UTC)


def write(folder: Path, path: str, age_seconds: float, content: str = "x") -> None:
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    written = NOW.timestamp() - age_seconds
    os.utime(file, (written, written))


def left(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_old_files_go_and_the_latest_of_a_source_stays(tmp_path: Path):
    month = timedelta(days=30).total_seconds()
    in_use = "ingestion/flights/2222-flights.csv.zip"
    reference = json.dumps({"path": in_use, "size": 1, "sha256": "0" * 64, "source": "flights"})
    write(tmp_path, "ingestion/flights/latest.json", month + 1, reference)
    write(tmp_path, in_use, month + 1)
    write(tmp_path, "ingestion/flights/1111-flights.csv.zip", month + 1)
    write(tmp_path, "ingestion/flights/.unfinished-0a-flights.csv.zip", month + 1)
    write(tmp_path, "ingestion/flights/.unfinished-0b-flights.csv.zip", 60)
    write(tmp_path, "reports/2013-05/daily.pdf", month + 1)
    write(tmp_path, "reports/2013-06/daily.pdf", month)
    write(tmp_path, "backups/all.zip", 10 * month)
    processor = ArtifactsProcessor(Storage(tmp_path.as_uri()), lambda: NOW)
    assert processor.remove_old(30) == 3
    assert left(tmp_path) == {
        "ingestion/flights/latest.json", in_use, "ingestion/flights/.unfinished-0b-flights.csv.zip",
        "reports/2013-06/daily.pdf", "backups/all.zip",
    }  # fmt: skip
    assert processor.remove_old(30) == 0


def test_an_empty_storage_has_nothing_to_remove(tmp_path: Path):
    assert ArtifactsProcessor(Storage((tmp_path / "new").as_uri()), lambda: NOW).remove_old(1) == 0
