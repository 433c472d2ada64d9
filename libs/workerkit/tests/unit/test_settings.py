"""Settings from the environment and from secret files."""

import pytest

from workerkit.settings import InvalidSettings, WorkerSettings


def test_the_password_goes_into_both_urls(monkeypatch):
    monkeypatch.setenv("TASK_BROKER_URL", "redis://redis:6379/0")
    monkeypatch.setenv("REDIS_PASSWORD", "a/b")
    settings = WorkerSettings()
    assert settings.broker() == "redis://:a%2Fb@redis:6379/0"
    assert settings.results() == "redis://:a%2Fb@redis:6379/1"


def test_the_user_goes_with_the_password_into_the_urls_of_redis_only(monkeypatch):
    monkeypatch.setenv("REDIS_USER", "email")
    monkeypatch.setenv("REDIS_PASSWORD", "a/b")
    monkeypatch.setenv("TASK_BROKER_URL", "redis://redis:6379/0")
    assert WorkerSettings().broker() == "redis://email:a%2Fb@redis:6379/0"
    assert WorkerSettings().results() == "redis://email:a%2Fb@redis:6379/1"
    monkeypatch.setenv("TASK_RESULT_URL", "redis://reader:own@results:6379/3")
    assert WorkerSettings().results() == "redis://reader:own@results:6379/3"
    monkeypatch.setenv("TASK_BROKER_URL", "amqp://worker:secret@rabbitmq:5672//")
    monkeypatch.setenv("TASK_REDIS_URL", "redis://redis:6379/0")
    assert WorkerSettings().broker() == "amqp://worker:secret@rabbitmq:5672//"
    assert WorkerSettings().redis() == "redis://email:a%2Fb@redis:6379/0"


def test_a_secret_file_sets_a_field_and_the_environment_outranks_it(tmp_path, monkeypatch):
    (tmp_path / "redis_password").write_text("from-file\n")
    assert WorkerSettings(_secrets_dir=tmp_path).broker() == "redis://:from-file@localhost:6379/0"
    monkeypatch.setenv("REDIS_PASSWORD", "from-environment")
    assert "from-environment" in WorkerSettings(_secrets_dir=tmp_path).broker()


def test_secrets_do_not_show():
    settings = WorkerSettings(redis_password="hush", task_broker_url="redis://:hush@redis/0")
    assert "hush" not in repr(settings)


@pytest.mark.parametrize("fields", [{"redis_password": "development"}, {"task_broker_url": "redis://:development@r/0"}])
def test_production_refuses_the_development_password(fields):
    WorkerSettings(**fields)
    with pytest.raises(InvalidSettings, match="REDIS_PASSWORD is still the one for development"):
        WorkerSettings(environment="production", **fields)


def test_production_may_have_a_host_with_that_name():
    WorkerSettings(environment="production", task_broker_url="redis://:secret@development.internal/0")


def test_all_wrong_variables_are_listed_by_name(monkeypatch):
    monkeypatch.setenv("LOG_LEVEL", "LOUD")
    monkeypatch.setenv("LOG_ARGUMENTS", "perhaps")
    with pytest.raises(InvalidSettings) as caught:
        WorkerSettings()
    assert "LOG_LEVEL: Input should be" in str(caught.value)
    assert "LOG_ARGUMENTS: Input should be a valid boolean" in str(caught.value)
