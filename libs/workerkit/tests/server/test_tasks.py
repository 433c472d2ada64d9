"""Tasks on a real worker: contracts over the wire, what is retried, what the log says."""

from contextlib import suppress
from pathlib import Path

import pytest
from celery import Celery

from devstack.lines import whole_lines
from devstack.waiting import wait_for
from devstack.worker import WorkerProcess
from taskclient.client import TaskClient
from taskclient.errors import TaskFailed, TaskRejected

CORRELATION = "request-42"


@pytest.fixture(scope="module")
def worker(module_valkey, tmp_path_factory):
    folder = tmp_path_factory.mktemp("worker")
    with WorkerProcess(module_valkey, Path(__file__).parent / "demo", "demo_app", folder=folder) as process:
        yield process


@pytest.fixture(scope="module")
def client(module_valkey):
    # What the client would refuse is sent as well, to see what the worker does.
    with TaskClient(module_valkey.url, check=False) as connected:
        yield connected


@pytest.fixture(scope="module")
def plain(module_valkey):
    """What a service has that knows nothing of this repository."""
    url = module_valkey.url
    with Celery(broker=url, backend=url.replace("/0", "/1"), set_as_current=False) as app:
        yield app


def test_a_model_and_plain_parameters_make_the_round_trip(worker, client):
    handle = client.send("app.tasks.demo.place", order={"number": 7, "tags": ["a"]}, day="Monday", count=2)
    assert handle.result(60) == {"number": 9, "tags": ["a", "Monday"]}


def test_plain_celery_calls_by_name(worker, plain):
    handle = plain.send_task("app.tasks.demo.place", kwargs={"order": {"number": 1}, "day": "x"}, queue="demo")
    assert handle.get(timeout=10) == {"number": 2, "tags": ["x"]}


def test_events_are_made_for_those_who_listen(worker, client, plain):
    """While nobody does, they are left out; who comes gets them from the worker's next heartbeat on."""
    assert client.send("app.tasks.demo.place", order={"number": 1}, day="x").result(60)
    seen = []
    with plain.connection_for_read() as connection:
        receiver = plain.events.Receiver(connection, handlers={"*": lambda event: seen.append(event["type"])})
        with receiver.consumer_context() as (listening, _, _):

            def heard():
                client.send("app.tasks.demo.place", order={"number": 1}, day="x").result(60)
                with suppress(TimeoutError):
                    listening.drain_events(timeout=0.5)
                return {"worker-heartbeat", "task-received", "task-started", "task-succeeded"} <= set(seen)

            wait_for(heard)


def test_a_bad_payload_names_every_field_and_is_not_retried(worker, client):
    handle = client.send("app.tasks.demo.place", order={"number": -1}, count=0, day="x", colour="red")
    with pytest.raises(TaskRejected) as caught:
        handle.result(60)
    assert {e["field"] for e in caught.value.errors} == {"order.number", "count", "colour"}
    assert [line["event"] for line in worker.records_of(handle.id)] == ["task failed"]


@pytest.mark.parametrize("args", [["just text"], [[1, 2]], [{"number": 1}, "x", 1, "too many"]])
def test_positional_nonsense_is_refused_too(worker, plain, args):
    handle = plain.send_task("app.tasks.demo.place", args=args, queue="demo")
    with pytest.raises(Exception, match="refused its payload"):
        handle.get(timeout=10)


def test_a_permanent_error_runs_once(worker, client):
    with pytest.raises(TaskFailed, match="permanent failure") as caught:
        client.send("app.tasks.demo.fail", name="once", kind="permanent").result(60)
    assert caught.value.error_type == "PermanentError"
    assert worker.trace("once") == ["run"]


def test_a_transient_error_is_retried(worker, client):
    handle = client.send("app.tasks.demo.fail", name="again", kind="transient")
    wait_for(lambda: len(worker.trace("again")) >= 3)
    assert handle.status() == "RETRY"


def test_a_bug_is_retried_a_few_times_and_then_fails(worker, client):
    with pytest.raises(TaskFailed, match="bug failure"):
        client.send("app.tasks.demo.fail", name="bug", kind="bug").result(60)
    assert worker.trace("bug") == ["run"] * 4


def test_a_large_result_fails_with_the_way_out_and_the_task_ran_once(worker, client):
    with pytest.raises(TaskFailed, match="store it and return a reference") as caught:
        client.send("app.tasks.demo.big", size=100_000).result(60)
    assert caught.value.error_type == "PermanentError"


def test_log_lines_carry_the_task_and_the_callers_correlation_id_to_the_next_task(worker, client):
    handle = client.send_payload("app.tasks.demo.chatter", {"secret": "hunter2"}, correlation_id=CORRELATION)
    wait_for(lambda: sum(line.get("correlation_id") == CORRELATION for line in worker.records()) == 3)
    lines = [line for line in worker.records() if line.get("correlation_id") == CORRELATION]
    assert {(line["service"], line["attempt"]) for line in lines} == {("demo", 1)}
    assert {line["task"] for line in lines} == {"app.tasks.demo.chatter", "app.tasks.demo.mark"}
    chatting = next(line for line in lines if line["event"] == "chatting")
    assert (chatting["task_id"], chatting["task"]) == (handle.id, "app.tasks.demo.chatter")


def test_argument_values_stay_out_of_the_log(worker, client):
    worker.records_of(client.send("app.tasks.demo.chatter", secret="hunter3").id, least=2)
    wait_for(lambda: worker.trace("hunter3") == ["run"])
    assert "hunter3" not in worker.log.read_text()


def test_argument_values_are_logged_if_asked_for(valkey, start_demo):
    loud = start_demo(valkey, LOG_ARGUMENTS="true")
    with TaskClient(valkey.url) as client:
        client.send("app.tasks.demo.mark", name="hunter4").wait(60)
    assert "hunter4" in loud.log.read_text()


def test_lines_of_success_can_be_left_out_and_those_of_failure_not(valkey, start_demo):
    quiet = start_demo(valkey, LOG_SAMPLE="0")
    with TaskClient(valkey.url) as client:
        client.send("app.tasks.demo.mark", name="hunter5").result(60)
        failing = client.send("app.tasks.demo.big", size=100_000)
        failing.wait(60)
    assert "task failed" in [line["event"] for line in quiet.records_of(failing.id)]
    assert "task succeeded" not in quiet.log.read_text()


def test_every_line_of_the_log_is_json(worker, client):
    worker.records_of(client.send("app.tasks.demo.mark", name="x").id)
    assert [record["service"] for record in worker.records()] == ["demo"] * len(whole_lines(worker.log))


def test_the_catalog_has_the_contracts(worker, client):
    entries = {entry.name: entry for entry in client.catalog()}
    place = entries["app.tasks.demo.place"]
    assert (place.queue, place.service) == ("demo", "demo")
    assert place.description == "Take a model and plain parameters, give back a model."
    assert place.parameters["required"] == ["order", "day"]
