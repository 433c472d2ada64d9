"""Fixtures for tests on real servers; pytest finds them by this library's entry point."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.valkey import Valkey


@pytest.fixture(scope="session")
def _shared_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()


@pytest.fixture
def valkey(_shared_valkey: Valkey) -> Valkey:
    """A real, empty Valkey server, shared by the tests of a session."""
    with _shared_valkey.client() as client:
        client.flushall()
    return _shared_valkey


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A real Valkey server of this test alone, which may stop, kill and restart it."""
    server = Valkey(tmp_path / "own-valkey")
    server.start()
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()
