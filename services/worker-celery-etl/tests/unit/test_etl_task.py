"""The tasks' contracts, without a server."""

import pytest

from app.messages import Reference
from app.processors.etl_processor import job_id_of
from app.tasks.etl import process_batch, process_data, run_etl_job, save_results
from workerkit.errors import InvalidPayload

FETCHED = {"path": "ingestion/flights/a.csv", "size": 1, "sha256": "0" * 64, "source": "flights", "etag": None}


def fields(failure):
    return {error["field"] for error in failure.value.errors}


def test_the_result_of_a_fetch_is_a_reference_whatever_else_it_holds():
    (reference,) = process_data.contract.arguments((FETCHED | {"unchanged": True},), {}).values()
    assert (reference.path, reference.source) == ("ingestion/flights/a.csv", "flights")


@pytest.mark.parametrize(
    ("task", "payload", "wrong"),
    [
        (process_data, {"reference": FETCHED | {"source": "users"}}, {"reference.source"}),
        (process_data, {"reference": FETCHED | {"path": "../secret"}}, {"reference.path"}),
        (run_etl_job, {"job_id": "one", "source": FETCHED}, {"job_id"}),
        (process_batch, {"dataset": "flights", "rows": [{}] * 5_001}, {"rows"}),
        (save_results, {"dataset": "flights", "destination": "/etc/passwd"}, {"destination"}),
    ],
)
def test_a_wrong_payload_names_its_fields(task, payload, wrong):
    with pytest.raises(InvalidPayload) as refusal:
        task(**payload)
    assert fields(refusal) == wrong


def test_the_same_content_of_the_same_dataset_is_the_same_job():
    one, moved = Reference(**FETCHED), Reference(**FETCHED | {"path": "elsewhere.csv"})
    other = [Reference(**FETCHED | {"source": "weather"}), Reference(**FETCHED | {"sha256": "1" * 64})]
    assert job_id_of(one) == job_id_of(moved)
    assert len({job_id_of(reference) for reference in [one, *other]}) == 3


def test_long_loads_have_time_and_are_over_before_their_message_is_delivered_again():
    assert process_data.soft_time_limit < process_data.time_limit < 3600
    assert run_etl_job.time_limit == save_results.time_limit == process_data.time_limit
