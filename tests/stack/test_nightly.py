"""The nightly workflow through all services, its numbers computed again straight from the files it fetched."""

import asyncio
import csv
import io
import statistics
import zipfile
from collections import Counter, defaultdict

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from psycopg import sql

from devstack.sample_data import SAMPLE_DATA
from devstack.waiting import wait_for
from taskclient.follow import follow

TIMEOUT = 400.0


@pytest.fixture(scope="module")
def night(stack, client):
    """The final state of a run, and what each step returned."""
    return list(follow(client, client.send("app.tasks.workflows.nightly"), TIMEOUT))[-1]


@pytest.fixture(scope="module")
def results(night):
    return {step.key: night.records[step.id].result for step in night.steps}


@pytest.fixture(scope="module")
def flights():
    """All rows of the file, by nothing but the standard library."""
    with zipfile.ZipFile(SAMPLE_DATA / "flights.csv.zip") as archive, archive.open(archive.namelist()[0]) as file:
        return list(csv.DictReader(io.TextIOWrapper(file, "utf-8")))


@pytest.fixture(scope="module")
def database(stack):
    with stack.postgres.database("postgres").connect() as connection:
        yield connection


def test_every_step_succeeds(night):
    assert {step.key: night.records[step.id].status for step in night.steps} == {
        step.key: "SUCCESS" for step in night.steps
    }


@pytest.mark.parametrize("table", ["airlines", "airports", "planes", "weather"])
def test_every_row_of_a_table_is_loaded(table, results, database):
    with (SAMPLE_DATA / f"{table}.csv").open(newline="") as file:
        rows = sum(1 for _ in csv.reader(file)) - 1
    report = results[f"load {table}"]
    assert (report["read"], report["loaded"] + report["rejected"]) == (rows, rows)
    count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    assert database.execute(count).fetchone() == (report["loaded"],)


def test_every_flight_is_loaded_with_its_delays(results, flights, database):
    assert results["load flights"]["loaded"] == len(flights)
    for column in ("dep_delay", "arr_delay", "air_time", "distance"):
        known = [int(float(row[column])) for row in flights if row[column] not in ("", "NA")]
        sums = sql.SQL("SELECT count({0}), sum({0}) FROM flights").format(sql.Identifier(column))
        assert database.execute(sums).fetchone() == (len(known), sum(known))


def test_the_statistics_are_those_of_the_file(flights, database):
    delays, scheduled = defaultdict(list), Counter()
    for row in flights:
        day = f"{row['year']}-{int(row['month']):02}-{int(row['day']):02}"
        for key in ((day, "carrier", row["carrier"]), (day, "route", f"{row['origin']}-{row['dest']}")):
            scheduled[key] += 1
            if row["arr_delay"] not in ("", "NA"):
                delays[key].append(int(float(row["arr_delay"])))
    found = database.execute(
        "SELECT day::text, kind, key, flights, measured, mean_delay FROM daily_statistics WHERE kind <> 'origin'"
    ).fetchall()
    assert {(day, kind, key): (count, measured) for day, kind, key, count, measured, _ in found} == {
        key: (count, len(delays[key])) for key, count in scheduled.items()
    }
    for day, kind, key, _, measured, mean in found:
        if measured:
            assert mean == pytest.approx(statistics.fmean(delays[day, kind, key]))


def test_the_report_is_of_the_last_day_and_is_mailed(stack, results, flights):
    report = results["report"]
    last = [row for row in flights if (row["month"], row["day"]) == ("12", "31")]
    assert (report["day"], report["flights"]) == ("2013-12-31", len(last))
    for kind in ("html", "pdf", "csv"):
        assert (stack.storage / report[kind]["path"]).stat().st_size == report[kind]["size"]
    with (stack.storage / report["csv"]["path"]).open(newline="") as file:
        assert sum(1 for _ in csv.DictReader(file)) == len(last)
    mail = next(mail for mail in stack.mailbox.wait("ops@example.com") if "2013" in mail["subject"])
    assert len(mail["attachments"]) == 2


def test_an_mcp_client_has_a_report_written_and_reads_its_progress_to_the_end(stack, night):
    told = []

    async def progress(*step):
        told.append(step)

    async def run():
        async with (
            httpx2.AsyncClient(headers={"X-API-Key": stack.gateway_key}, timeout=120) as web,
            Client(streamable_http_client(f"{stack.gateway_url}/mcp", http_client=web)) as mcp,
        ):
            tools = {tool.name for tool in (await mcp.list_tools()).tools}
            given = {"day": "2013-12-30", "wait_seconds": 120}
            return tools, await mcp.call_tool("trigger_reports_generate_daily_report", given, None, progress)

    tools, answer = asyncio.run(run())
    assert {"trigger_email_send_email", "trigger_etl_process_data", "analyze_dead_letter_queue"} <= tools
    assert (answer.structured_content["status"], answer.structured_content["result"]["day"]) == (
        "SUCCESS",
        "2013-12-30",
    )
    steps = [current for current, _, _ in told]
    assert (steps == sorted(set(steps)), told[-1][:2]) == (True, (4, 4))


def test_a_failed_step_is_named_in_an_alert_and_the_run_goes_on_from_there(stack, client, night):
    run = client.send("app.tasks.workflows.nightly", day="2014-05-05")  # a day without flights
    end = list(follow(client, run, TIMEOUT))[-1]
    assert [step.key for step in end.failed()] == ["report"]
    alerts = lambda: [m for m in stack.mailbox.mails("ops@example.com") if m["subject"].startswith("Workflow")]  # noqa: E731
    wait_for(lambda: bool(alerts()))
    [alert] = alerts()
    assert alert["subject"] == "Workflow nightly failed: report"
    assert f"tasks run nightly resume={run.id}" in alert["text"]

    resumed = list(follow(client, client.send("app.tasks.workflows.nightly", resume=run.id), TIMEOUT))[-1]
    assert [step.key for step in resumed.failed()] == ["report"]
    same = {old.key for old, new in zip(end.steps, resumed.steps, strict=True) if old.id == new.id}
    assert same == {step.key for step in end.steps} - {"report", "mail", "clean-up"}
