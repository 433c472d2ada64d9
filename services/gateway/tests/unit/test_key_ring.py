"""A key is taken back by removing its line, without a restart."""

import pytest

from app.config import Settings
from app.key_ring import LOOK_SECONDS, KeyRing
from app.keys import new_key


class Clock:
    """Goes when it is told to."""

    def __init__(self):
        self.time = 0.0

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def made(tmp_path, clock):
    """Gives a file with two keys, their secrets, and the ring."""
    file = tmp_path / "keys"
    keys = {key_id: new_key(key_id, ["read"], 1, 1) for key_id in ("one", "two")}
    file.write_text("\n".join(line for _, line in keys.values()))
    settings = Settings(gateway_keys_file=file)
    return file, keys, KeyRing(settings.keys, file, clock)


def test_a_line_that_is_gone_counts_no_more(made, clock):
    file, keys, ring = made
    assert ring.of_secret(keys["one"][0]).id == "one"
    file.write_text(keys["two"][1])
    clock.time += LOOK_SECONDS
    assert ring.of_secret(keys["one"][0]) is None
    assert (ring.of_secret(keys["two"][0]).id, ring.of_id("one")) == ("two", None)


def test_a_broken_file_changes_nothing(made, clock):
    file, keys, ring = made
    for broken in ("{", None):
        file.write_text(broken) if broken else file.unlink()
        clock.time += LOOK_SECONDS
        assert ring.of_secret(keys["one"][0]).id == "one"


def test_it_is_looked_at_once_a_second(made, clock):
    file, keys, ring = made
    file.write_text("")
    assert ring.of_secret(keys["one"][0]).id == "one"
