"""The gateway does not start without a key outside development."""

import pytest

from app.config import Settings
from app.keys import new_key
from workerkit.settings import InvalidSettings

REDIS = {"task_broker_url": "redis://:secret@redis:6379/0"}


def test_development_has_a_key_of_its_own():
    assert Settings().keys().of_secret("development").may("operate")
    assert Settings(gateway_key="mine").keys().of_secret("development") is None


def test_production_needs_a_key():
    with pytest.raises(InvalidSettings, match="GATEWAY_KEYS is missing"):
        Settings(environment="production", gateway_key="mine", **REDIS)


def test_keys_come_from_a_variable_and_a_file(tmp_path):
    secrets = {name: new_key(name, ["read"], 1, 1) for name in ("variable", "file")}
    file = tmp_path / "keys"
    file.write_text(secrets["file"][1])
    settings = Settings(environment="production", gateway_keys=secrets["variable"][1], gateway_keys_file=file, **REDIS)
    assert [settings.keys().of_secret(secret).id for secret, _ in secrets.values()] == ["variable", "file"]
    assert settings.keys().of_secret("development") is None


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"gateway_keys": "wk_123"}, "line 1 of the API keys"),
        ({"gateway_keys_file": "/nowhere"}, "GATEWAY_KEYS_FILE /nowhere: No such file"),
        ({"gateway_port": 0}, "GATEWAY_PORT"),
    ],
)
def test_what_is_wrong_is_named(wrong, problem):
    with pytest.raises(InvalidSettings, match=problem):
        Settings(**wrong)
