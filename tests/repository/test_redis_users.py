"""The rights of services' Redis users follow from their code."""

from fnmatch import fnmatchcase

import pytest
import redis_users


def service(root, folder, name, config=""):
    app = root / "services" / folder / "app"
    app.mkdir(parents=True)
    (app / "celery_app.py").write_text(f'app = create_app("{name}", settings, celeryconfig)\n')
    (app.parent / "celeryconfig.py").write_text(config)


def test_queues_and_tasks_come_from_the_routes(tmp_path):
    routes = '{"app.tasks.invoices.*": "bills", "app.tasks.dunning.*": {"queue": "slow"}}'
    service(tmp_path, "worker-celery-billing-eu", "billing-eu", f"from celery import x\ntask_routes = {routes}\n")
    words = redis_users.users(tmp_path)["billing-eu"].split()
    for key in ("worker:billing-eu:*", "bills", r"slow\x06\x16*", "workerkit:idempotency:app.tasks.invoices.*"):
        assert f"~{key}" in words
    assert "~billing-eu" not in words


def test_without_routes_the_queue_has_the_service_s_name(tmp_path):
    service(tmp_path, "worker-celery-billing", "billing")
    assert "~billing" in redis_users.users(tmp_path)["billing"].split()


@pytest.mark.parametrize(
    ("folder", "name", "config", "problem"),
    [
        ("worker-celery-x", "default", "", "'default' is taken"),
        ("worker-celery-x", "email", "", "'email' is taken"),
        ("worker-celery-x", "x", "task_routes = dict(a=b)", "plain dictionary"),
        ("worker-celery-x", "x", "task_routes = {'a': {}}", "plain dictionary"),
        ("worker-celery-x", "X y", "", "create_app"),
    ],
)
def test_what_cannot_be_read_is_refused(tmp_path, folder, name, config, problem):
    service(tmp_path, "worker-celery-email", "email")
    service(tmp_path, folder, name, config)
    with pytest.raises(redis_users.UnreadableService, match=problem):
        redis_users.users(tmp_path)


def test_a_stale_file_is_noticed_and_written(tmp_path):
    service(tmp_path, "worker-celery-email", "email")
    (tmp_path / "deploy" / "redis").mkdir(parents=True)
    assert redis_users.write(tmp_path, check=True)
    assert redis_users.write(tmp_path)
    assert not redis_users.write(tmp_path)
    service(tmp_path, "worker-celery-new", "new")
    assert redis_users.write(tmp_path, check=True)


@pytest.mark.parametrize(
    "key", ["email", "w", "worke", "workers", "worker", "workflows", "redbeats", "a:b", "\x06\x163"]
)
def test_every_other_queue_may_be_pushed_to(key):
    assert matches(key)


@pytest.mark.parametrize("key", ["worker:email:dead", "workerkit:catalog", "redbeat::schedule", "worker:"])
def test_no_service_s_own_keys_may_be_pushed_to(key):
    assert not matches(key)


def matches(key):
    # Python writes a class of other characters with `!`.
    patterns = redis_users.outside(("worker:", "workerkit:", "redbeat:"))
    return any(fnmatchcase(key, pattern.replace("[^", "[!")) for pattern in patterns)
