"""Files in S3, on a real server that speaks its protocol, and processes that die while they write."""

import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devstack.ports import free_port
from devstack.process import ManagedProcess
from workerkit.errors import PermanentError, TransientError
from workerkit.storage import _S3, Storage, StoredFile

URL = "s3://bucket/shared"
LARGE = 60_000_000  # bytes; more than s3fs sends in one piece
PATIENCE = 60  # seconds


def s3(folder):
    """A server and its address."""
    port = free_port()
    argv = [str(Path(sys.executable).parent / "moto_server"), "-p", str(port)]

    def answers():
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    return ManagedProcess("moto", argv, log=folder / "moto.log", ready=answers), f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    process, url = s3(tmp_path_factory.mktemp("moto"))
    with process:
        yield url


@pytest.fixture
def endpoint(monkeypatch):
    """Says by the environment, as in production, where S3 is."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    def use(url):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        return Storage(URL, skip_instance_cache=True)

    return use


@pytest.fixture
def storage(server, endpoint):
    made = endpoint(server)
    if not made._fs.exists("bucket"):
        made._fs.mkdir("bucket")
    for path in list(made.older_than(datetime.now(UTC) + timedelta(days=1))):
        made.delete(path)
    return made


def listed(storage, **options):
    return list(storage.older_than(datetime.now(UTC) + timedelta(days=1), **options))


def test_what_was_written_is_read_again_by_its_reference(storage, endpoint, server):
    stored = storage.put("Zürich/2013-01-01 a.csv", b"one\ntwo\n")
    assert endpoint(server).read(stored) == b"one\ntwo\n"
    storage.verify(stored)
    assert storage.exists(stored.path)
    assert not storage.exists("Zürich")
    assert storage.url(stored.path) == "s3://bucket/shared/Zürich/2013-01-01 a.csv"
    storage.delete(stored.path)
    storage.delete(stored.path)
    assert not storage.exists(stored.path)


@pytest.mark.parametrize("size", [0, 1, LARGE])
def test_files_of_any_size_fit_their_checksum(storage, size):
    with storage.writer("a") as writer:
        for start in range(0, size, 1_000_000):
            writer.write(bytes(min(1_000_000, size - start)))
        assert not storage.exists("a")
    assert writer.stored.size == size
    storage.verify(writer.stored)
    with storage.open(writer.stored) as stream:
        assert stream.seek(0, 2) == size
    assert storage._fs.list_multipart_uploads("bucket") == []


def test_a_replaced_or_missing_file_is_noticed_though_another_process_did_it(storage, endpoint, server):
    other = endpoint(server)
    old = storage.put("a/b", b"one\n")
    assert listed(storage) == ["a/b"]  # a listing must not be taken for the truth later
    other.put("a/b", b"three\n")
    with pytest.raises(PermanentError, match="has 6 bytes, not 4: it has been replaced"):
        storage.read(old)
    other.put("a/b", b"two\n")
    with pytest.raises(PermanentError, match="damaged"):
        storage.verify(old)
    other.delete("a/b")
    with pytest.raises(PermanentError, match="there is no file s3://bucket/shared/a/b"):
        storage.read(old)
    assert listed(storage) == []


@pytest.mark.parametrize("size", [10, LARGE])
@pytest.mark.parametrize("error", [KeyError, OSError, SystemExit])
def test_a_writer_that_fails_leaves_nothing_and_the_old_file(storage, error, size):
    old = storage.put("a", b"one\n")

    def write(path):
        with storage.writer(path) as writer:
            writer.write(bytes(size))
            raise error("of the block")

    for path in ("a", "b"):
        with pytest.raises(error, match="of the block"):
            write(path)
    assert listed(storage) == ["a"]
    storage.verify(old)
    assert storage._fs.list_multipart_uploads("bucket") == []


def test_an_error_of_the_reading_block_stays_what_it_is(storage):
    storage.put("a", b"one\n")
    with pytest.raises(ConnectionRefusedError), storage.open("a"):
        raise ConnectionRefusedError("another server")


def test_files_are_listed_by_age_and_folder(storage):
    for path in ("a/1", "a/2", "ab/1"):
        storage.put(path, b"")
    assert listed(storage) == ["a/1", "a/2", "ab/1"]
    assert listed(storage, below="a") == ["a/1", "a/2"]
    assert list(storage.older_than(datetime.now(UTC) - timedelta(days=1))) == []


def test_paths_stay_below_the_prefix(storage):
    for path in ("../a", "/a", "a/../../b", "a*"):
        with pytest.raises(ValueError, match="must"):
            storage.put(path, b"")


def uses(storage):
    reference = StoredFile(path="a", size=1, sha256="0" * 64)
    return {
        "put": lambda: storage.put("a", b"x"),
        "read": lambda: storage.read(reference),
        "exists": lambda: storage.exists("a"),
        "delete": lambda: storage.delete("a"),
        "list": lambda: listed(storage),
    }


@pytest.mark.parametrize("use", ["put", "read", "exists", "delete", "list"])
def test_while_s3_is_away_everything_is_transient(endpoint, use):
    away = endpoint(f"http://127.0.0.1:{free_port()}")
    began = time.monotonic()
    with pytest.raises(TransientError, match="the storage answered"):
        uses(away)[use]()
    assert time.monotonic() - began < PATIENCE


def test_an_s3_that_accepts_connections_and_never_answers_is_given_up_after_two_attempts(endpoint):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint(f"http://127.0.0.1:{silent.getsockname()[1]}")
        impatient = _S3["config_kwargs"] | {"read_timeout": 1}
        with pytest.raises(TransientError, match="reading a: the storage answered ReadTimeoutError"):
            Storage(URL, skip_instance_cache=True, config_kwargs=impatient).read("a")
        silent.settimeout(1)
        for _ in range(2):
            silent.accept()[0].close()
        with pytest.raises(TimeoutError):
            silent.accept()


def test_s3_that_dies_while_a_file_is_read_is_transient(endpoint, tmp_path):
    process, url = s3(tmp_path)
    with process:
        storage = endpoint(url)
        storage._fs.mkdir("bucket")
        storage.put("a", bytes(LARGE))
        with storage.open("a") as stream:
            assert len(stream.read(1000)) == 1000
            process.kill()
            with pytest.raises(TransientError, match="reading a: the storage answered"):
                stream.read()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "files"


def names(folder):
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_a_full_disk_is_transient_and_leaves_nothing(folder):
    program = f"""
import resource, signal
from workerkit.errors import TransientError
from workerkit.storage import Storage
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    Storage("file://{folder}").put("a", b"x" * 5000)
except TransientError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("writing a: the storage answered OSError")
    assert names(folder) == []


def test_what_a_killed_process_left_unfinished_is_listed_and_can_be_deleted(folder):
    program = f"""
import os, signal
from workerkit.storage import Storage
with Storage("file://{folder}").writer("a/b.csv") as writer:
    writer.write(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -9
    storage = Storage(f"file://{folder}")
    assert not storage.exists("a/b.csv")
    (left,) = storage.older_than(datetime.now(UTC) + timedelta(minutes=1))
    assert left.startswith("a/.unfinished-")
    storage.delete(left)
    assert names(folder) == []
