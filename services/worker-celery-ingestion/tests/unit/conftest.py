"""Fakes that a test can read: providers that answer as they are told, files in a dictionary, turns on a list."""

import hashlib
from contextlib import contextmanager

import pytest

from app.messages import Answer
from workerkit.storage import StoredFile


class FakeHttp:
    """Gives the next answer of `answers`, and keeps what was asked."""

    def __init__(self):
        self.asked = []
        self.answers = []

    @contextmanager
    def get(self, url, conditions, deadline_seconds):
        assert deadline_seconds > 0
        self.asked.append((url, conditions))
        yield self.answers.pop(0)

    def will_answer(self, *chunks, **more):
        fields = {"unchanged": False, "etag": None, "last_modified": None, "length": None, "sha256": None} | more
        self.answers.append(Answer(chunks=iter(chunks), **fields))


class FakeFiles:
    """Keeps files and notes in dictionaries; `seen` are the files that were received, kept or not."""

    def __init__(self):
        self.kept, self.notes, self.seen = {}, {}, []

    def latest(self, source):
        note = self.notes.get(source)
        return note if note and note.file.path in self.kept else None

    def remember(self, source, latest):
        self.notes[source] = latest

    @contextmanager
    def received(self, source, chunks):
        self._content = b"".join(chunks)
        self.seen.append(self._content)
        yield self._stored(f"ingestion/{source}/incoming")

    def keep(self, received, path):
        assert received.size == len(self._content)
        self.kept[path] = self._content
        return self._stored(path)

    def _stored(self, path):
        return StoredFile(path=path, size=len(self._content), sha256=hashlib.sha256(self._content).hexdigest())


@pytest.fixture
def http():
    return FakeHttp()


@pytest.fixture
def files():
    return FakeFiles()
