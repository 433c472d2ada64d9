"""Files in a local folder."""

import csv
import gzip
import io
import os
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from workerkit.errors import PermanentError, TransientError
from workerkit.storage import Storage, StoragePath, StoredFile, copy

BAD_PATHS = ["", "/etc/passwd", "..", "../a", "a/../b", "a/./b", "a//b", "a/", ".", "a\nb", "a\0b", "a*", "a\\b", "~/a"]
TEXT = b"one\ntwo\n"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "files"


@pytest.fixture
def storage(folder):
    return Storage(f"file://{folder}")


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_what_was_written_is_read_again_by_its_reference(storage, folder):
    stored = storage.put("reports/2013-01-01.csv", TEXT)
    assert (stored.path, stored.size, len(stored.sha256)) == ("reports/2013-01-01.csv", 8, 64)
    assert storage.read(stored) == storage.read(stored.path) == TEXT
    storage.verify(stored)
    assert StoredFile.model_validate_json(stored.model_dump_json()) == stored
    assert names(folder) == ["reports/2013-01-01.csv"]
    assert storage.url(stored.path) == f"file://{folder}/reports/2013-01-01.csv"


def test_the_reference_has_the_checksum_that_other_programs_find(storage, folder):
    with storage.writer("a") as writer:
        copy(io.BytesIO(b"x" * 3_000_000), writer)
        assert writer.write(b"end") == 3
    printed = subprocess.run(["sha256sum", folder / "a"], capture_output=True, text=True, check=True).stdout
    assert writer.stored == StoredFile(path="a", size=3_000_003, sha256=printed.split()[0])


def test_an_empty_file_is_a_file(storage):
    stored = storage.put("empty", b"")
    assert (storage.read(stored), storage.exists("empty")) == (b"", True)
    storage.verify(stored)


def test_a_replaced_file_is_noticed(storage):
    old = storage.put("a", TEXT)
    storage.put("a", TEXT + b"three\n")
    with pytest.raises(PermanentError, match="has 14 bytes, not 8: it has been replaced"):
        storage.read(old)
    storage.put("a", TEXT.upper())  # of the same size
    with pytest.raises(PermanentError, match="damaged"):
        storage.verify(old)


def test_a_missing_file_is_permanent(storage, folder):
    (folder / "folder").mkdir(parents=True)
    with pytest.raises(PermanentError, match=r"there is no file .*/gone: has it been cleaned up"):
        storage.read("gone")
    assert not storage.exists("gone")
    assert not storage.exists("folder")
    storage.delete("gone")


@pytest.mark.parametrize("path", BAD_PATHS)
def test_a_path_that_leads_elsewhere_is_refused_everywhere(storage, folder, path):
    storage.put("a", TEXT)
    with pytest.raises(ValidationError):
        TypeAdapter(StoragePath).validate_python(path)
    for use in (storage.exists, storage.delete, storage.read, storage.url, lambda p: storage.put(p, b"")):
        with pytest.raises(ValueError, match="must"):
            use(path)
    assert names(folder.parent) == ["files/a"]


def test_a_path_of_any_language_is_fine_and_one_of_601_characters_is_not(storage):
    stored = storage.put("Zürich 東京/a=1/x+y@z,.csv", TEXT)
    assert storage.read(stored) == TEXT
    with pytest.raises(ValueError, match="at most 500"):
        storage.exists("a" * 601)


@pytest.mark.parametrize("error", [KeyError, OSError, SystemExit])
def test_a_writer_that_fails_leaves_nothing_and_the_old_file(storage, folder, error):
    old = storage.put("a", TEXT)

    def write(path):
        with storage.writer(path) as writer:
            writer.write(b"half")
            raise error("of the block")

    for path in ("a", "b"):
        with pytest.raises(error, match="of the block"):
            write(path)
    assert names(folder) == ["a"]
    storage.verify(old)


def test_a_file_is_not_visible_before_it_is_complete(storage):
    with storage.writer("a") as writer:
        writer.write(TEXT)
        assert not storage.exists("a")
    assert storage.exists("a")


def test_an_error_of_the_reading_block_stays_what_it_is(storage):
    storage.put("a", TEXT)
    with pytest.raises(ConnectionRefusedError), storage.open("a"):
        raise ConnectionRefusedError("another server")


def test_content_that_is_not_what_the_reader_expects_is_not_the_storage_s_fault(storage):
    storage.put("a", TEXT)
    with pytest.raises(gzip.BadGzipFile), storage.open("a") as stream:
        gzip.decompress(stream.read())


def test_what_is_opened_is_a_file_for_all_who_read_files(storage):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writing:
        writing.writestr("inside.csv", "number\n" + "\n".join(map(str, range(20_000))))
    storage.put("a.zip", archive.getvalue())
    with storage.open("a.zip") as stream, zipfile.ZipFile(stream) as reading, reading.open("inside.csv") as binary:
        rows = list(csv.DictReader(io.TextIOWrapper(binary)))
    assert (len(rows), rows[-1]) == (20_000, {"number": "19999"})
    with storage.open("a.zip") as stream:
        assert (stream.seek(-2, io.SEEK_END), len(stream.read()), stream.tell()) == (
            archive.tell() - 2,
            2,
            archive.tell(),
        )
        stream.seek(0)
        assert (stream.read(2), stream.readable(), stream.seekable()) == (b"PK", True, True)


def test_a_storage_that_fails_is_transient(folder):
    folder.parent.joinpath("files").write_text("a file where the folder should be")
    broken = Storage(f"file://{folder}")
    with pytest.raises(TransientError, match="writing a/b: the storage answered"):
        broken.put("a/b", TEXT)
    with pytest.raises(TransientError, match="reading a/b: the storage answered NotADirectoryError"):
        broken.read("a/b")


def test_only_what_is_older_is_listed_and_only_below_the_folder(storage, folder):
    for path in ("a/old", "a/new", "ab/old", "old"):
        storage.put(path, TEXT)
    past = datetime.now(UTC) - timedelta(days=2)
    for path in ("a/old", "ab/old", "old"):
        os.utime(folder / path, (past.timestamp(), past.timestamp()))
    yesterday = datetime.now(UTC) - timedelta(days=1)
    assert list(storage.older_than(yesterday)) == ["a/old", "ab/old", "old"]
    assert list(storage.older_than(yesterday, below="a")) == ["a/old"]
    assert list(storage.older_than(yesterday, below="nothing")) == []
    assert list(storage.older_than(past - timedelta(days=1))) == []
