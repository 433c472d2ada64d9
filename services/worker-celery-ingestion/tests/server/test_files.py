"""Files from real servers, good ones and bad ones, into a real storage."""

import hashlib
import os
from contextlib import contextmanager
from datetime import timedelta

import psutil
import pytest

from app.adapters.http import HttpClient
from app.errors import Busy
from app.processors.file_processor import FileProcessor
from devstack.sample_data import SAMPLE_DATA, SAMPLE_FILES
from workerkit.errors import PermanentError, TransientError
from workerkit.storage import Storage, StoredFile

MEBIBYTE = 1024 * 1024


@pytest.fixture
def fetch(http, files):
    def run(url, *, max_bytes=MEBIBYTE, deadline=60.0, report=lambda *_: None, client=http):
        processor = FileProcessor(
            client,
            files,
            sources={"source": url},
            max_bytes=max_bytes,
            deadline_seconds=deadline,
            reuse=timedelta(days=7),
        )
        return processor.fetch("source", report)

    return run


def stored(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", SAMPLE_FILES)
def test_the_sample_data_arrive_whole(fetch, sample_data, folder, name):
    content = (SAMPLE_DATA / name).read_bytes()
    file = fetch(f"{sample_data}/files/{name}", max_bytes=10 * MEBIBYTE)
    digest = hashlib.sha256(content).hexdigest()
    assert (file.size, file.sha256, file.etag) == (len(content), digest, f'"{digest}"')
    assert file.path == f"ingestion/source/{digest[:16]}-{name}"
    assert (folder / file.path).read_bytes() == content
    assert stored(folder) == sorted([f"{digest[:16]}-{name}", "latest.json"])


def test_the_sample_data_do_not_come_twice(fetch, sample_data, folder):
    first = fetch(f"{sample_data}/files/planes.csv")
    again = fetch(f"{sample_data}/files/planes.csv")
    assert again == first.model_copy(update={"unchanged": True})
    (folder / first.path).write_bytes(b"too short")
    assert fetch(f"{sample_data}/files/planes.csv") == first
    assert (folder / first.path).read_bytes() == (SAMPLE_DATA / "planes.csv").read_bytes()


def test_a_new_version_is_fetched_and_the_old_one_stays(fetch, nasty, folder):
    first = fetch(nasty.url("versioned"))
    assert fetch(nasty.url("versioned")).unchanged
    nasty.etag = '"2"'
    second = fetch(nasty.url("versioned"))
    assert (second.unchanged, second.etag) == (False, '"2"')
    assert [(folder / file.path).read_text() for file in (first, second)] == ['"1"', '"2"']


@pytest.mark.parametrize("note", ["", "{}", "no json", '{"file": {"path": "../../etc/passwd"}}'])
def test_a_broken_note_means_that_all_is_fetched(fetch, nasty, folder, note):
    fetch(nasty.url("versioned"))
    (folder / "ingestion/source/latest.json").write_text(note)
    assert not fetch(nasty.url("versioned")).unchanged
    assert fetch(nasty.url("versioned")).unchanged


@pytest.mark.parametrize(("way", "size"), [("good", 4), ("chunked", 5), ("longer_than_said", 5), ("moved/good", 4)])
def test_what_http_allows_is_taken(fetch, nasty, way, size):
    assert fetch(nasty.url(way)).size == size
    assert nasty.asked[0][1]["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("way", "problem"),
    [
        ("status/500", "answered 500"),
        ("status/503", "answered 503"),
        ("status/429", "answered 429"),
        ("status/408", "answered 408"),
        ("hangs", "ReadTimeout"),
        ("stalls", "ReadTimeout"),
        ("truncated", "RemoteProtocolError"),
        ("truncated_chunks", "RemoteProtocolError"),
        ("senseless_length", "RemoteProtocolError"),
        ("damaged", "the checksum is"),
    ],
)
def test_what_may_pass_is_transient_and_nothing_is_kept(fetch, nasty, folder, way, problem):
    with pytest.raises(TransientError, match=problem):
        fetch(nasty.url(way))
    assert stored(folder) == []


@pytest.mark.parametrize(
    ("way", "problem"),
    [
        ("status/404", "answered 404 instead of 200"),
        ("status/403", "answered 403"),
        ("status/206", "answered 206"),
        ("not_modified", "answered 304"),
        ("round_and_round", "nowhere good"),
        ("to_a_file", "nowhere good"),
        ("elsewhere", "'localhost', which is not known.*FETCH_REDIRECT_HOSTS"),
        ("packed", "packed its answer with gzip"),
        ("mebibytes/2", "2,097,152 bytes, over the limit"),
        ("endless", "beyond the limit.*FETCH_MAX_BYTES"),
    ],
)
def test_what_will_not_change_is_permanent_and_nothing_is_kept(fetch, nasty, folder, way, problem):
    with pytest.raises(PermanentError, match=problem):
        fetch(nasty.url(way))
    assert stored(folder) == []


def test_an_endless_answer_is_hung_up_on(fetch, nasty):
    with pytest.raises(PermanentError):
        fetch(nasty.url("endless"))
    assert nasty.hung_up.wait(5)


def test_a_drip_ends_at_the_deadline(fetch, nasty, folder):
    with pytest.raises(TransientError, match="not complete within the deadline"):
        fetch(nasty.url("drips"), deadline=0.4)
    assert stored(folder) == []


def test_nothing_listens(fetch, closed_port):
    with pytest.raises(TransientError, match="is away or broke off: ConnectError"):
        fetch(f"http://127.0.0.1:{closed_port}/a")


@pytest.mark.parametrize(("said", "seconds"), [("7", 7), ("90000", 300)])
def test_a_provider_says_how_long_to_wait(fetch, nasty, said, seconds):
    with pytest.raises(Busy, match="asks for") as caught:
        fetch(nasty.url(f"busy/{said}"))
    assert caught.value.seconds == seconds


@pytest.mark.parametrize("way", ["status/404", "status/500", "hangs", "packed", "truncated", "busy/1"])
def test_errors_show_no_secrets(fetch, nasty, way):
    url = nasty.url(way).replace("http://", "http://ada:password@") + "?key=secret"
    with pytest.raises((PermanentError, TransientError)) as caught:
        fetch(url)
    assert f"127.0.0.1:{nasty.server_port}/{way}" in str(caught.value)
    assert {word for word in ("password", "secret") if word in str(caught.value)} == set()


def test_a_full_storage_is_not_the_providers_fault(fetch, nasty, folder):
    blamed = []

    @contextmanager
    def guard(host):
        try:
            yield
        except TransientError as error:
            blamed.append((host, error))
            raise

    client = HttpClient({"127.0.0.1"}, guard=guard)
    folder.write_text("a file where the folder should be")
    with pytest.raises(TransientError, match="storage"):
        fetch(nasty.url("good"), client=client)
    assert blamed == []
    folder.unlink()
    with pytest.raises(TransientError, match="500"):
        fetch(nasty.url("status/500"), client=client)
    assert [host for host, _ in blamed] == [f"127.0.0.1:{nasty.server_port}"]
    client.close()


def test_a_large_file_takes_no_memory(fetch, nasty, folder, record_property):
    # A window, not the size of the file: what grows with the file would pass it many times over.
    me, most = psutil.Process(os.getpid()), 0
    fetch(nasty.url("mebibytes/20"), max_bytes=1024 * MEBIBYTE)  # so that what is loaded once is loaded
    before = me.memory_info().rss

    def report(*_):
        nonlocal most
        most = max(most, me.memory_info().rss)

    file = fetch(nasty.url("mebibytes/100"), max_bytes=1024 * MEBIBYTE, deadline=120, report=report)
    record_property("MiB more memory for a file of 100 MiB", round((most - before) / MEBIBYTE, 1))
    assert file.size == 100 * MEBIBYTE
    Storage(folder.as_uri()).verify(StoredFile(path=file.path, size=file.size, sha256=file.sha256))
    assert most - before < 30 * MEBIBYTE
