"""One dictionary of settings: later layers outrank earlier ones, unknown names are refused."""

from types import ModuleType

import pytest

from workerkit import celery_settings
from workerkit.celery_settings import UnknownSetting
from workerkit.defaults import DEFAULTS


def test_later_layers_outrank_earlier_ones():
    merged = celery_settings.merge(
        ("defaults", {"task_time_limit": 1, "result_expires": 1, "worker_concurrency": 1}),
        ("service", {"result_expires": 2, "worker_concurrency": 2}),
        ("environment", {"worker_concurrency": 3}),
    )
    assert merged == {"task_time_limit": 1, "result_expires": 2, "worker_concurrency": 3}


def test_one_transport_option_can_be_changed_alone():
    merged = celery_settings.merge(
        ("defaults", DEFAULTS), ("service", {"broker_transport_options": {"visibility_timeout": 60}})
    )
    assert merged["broker_transport_options"]["visibility_timeout"] == 60
    assert merged["broker_transport_options"]["socket_timeout"] == 5


def test_an_unknown_setting_is_refused_with_the_nearest_names():
    with pytest.raises(UnknownSetting, match=r"celeryconfig: 'task_ack_late'.*did you mean task_acks_late"):
        celery_settings.merge(("celeryconfig", {"task_ack_late": True}))


def test_every_default_is_a_setting_that_celery_knows():
    assert celery_settings.merge(("defaults", DEFAULTS)) == DEFAULTS


def test_a_module_gives_its_own_names_but_not_its_imports():
    module = ModuleType("celeryconfig")
    exec("from celery.schedules import crontab\nimport os\nresult_expires = 5\n_private = 1", vars(module))  # noqa: S102
    assert celery_settings.from_module(module) == {"result_expires": 5}


@pytest.mark.parametrize(("text", "value"), [("4", 4), ("true", True), ('{"a": 1}', {"a": 1}), ("auto", "auto")])
def test_the_environment_gives_json_or_text(text, value):
    found = celery_settings.from_environment({"CELERYCONFIG_WORKER_CONCURRENCY": text, "PATH": "/bin"})
    assert found == {"worker_concurrency": value}


def test_the_time_budget_is_in_order():
    assert DEFAULTS["task_soft_time_limit"] < DEFAULTS["task_time_limit"]
