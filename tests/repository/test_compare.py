"""What `make bench` makes of its measurements."""

import dataclasses
import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime

import pytest
from compare import costs, kill, page, plot, tables
from compare.figures import Figures, Killed, Summary, percentile
from compare.records import Records, Stalled
from compare.subjects import SUBJECTS
from compare.surroundings import Surroundings
from compare.workloads import WORKLOADS, Extent

from devstack.services import ROOT

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
KILLED = Killed(sent=10, run=10, begun_twice=2, run_twice=0, kept=0, lost=0, back=1.0)


@pytest.fixture
def figures():
    """Every measure that a subject has: 10, 20 and 60 for the first one, 5 for the others."""
    made = Figures()
    for workload in WORKLOADS:
        for subject in having(workload):
            for value in (10.0, 20.0, 60.0) if subject is SUBJECTS[0] else (5.0,):
                names = [measure.name for measure in tables.MEASURES.get(workload.kind, ())]
                made.add(workload.name, subject.name, dict.fromkeys(names, value))
    made.killed = {subject.name: KILLED for subject in having(WORKLOADS[-1])}
    return made


def having(workload):
    return [subject for subject in SUBJECTS if subject.has(workload, first_round=True)]


def test_rounds_are_summed_up_by_their_median(figures):
    assert figures.summary("noop", SUBJECTS[0].name, "rate") == Summary(median=20.0, lowest=10.0, highest=60.0)
    assert figures.ratio("noop", SUBJECTS[0].name, "rate", "celery") == 4.0
    assert figures.summary("noop", "nobody", "rate") is None
    assert figures.ratio("noop", "nobody", "rate", "celery") is None


def test_a_percentile_is_one_of_the_values():
    values = [float(number) for number in range(100, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([7.0], 0.99)) == (51.0, 100.0, 7.0)


@pytest.mark.parametrize(
    ("changed", "guarantee"),
    [
        ({}, "at least once"),
        ({"run": 9, "lost": 1}, "tasks are lost"),
        ({"run": 9, "kept": 1}, "none is lost, some did not come back"),
    ],
)
def test_the_kill_test_says_what_it_shows(changed, guarantee):
    assert dataclasses.replace(KILLED, **changed).guarantee == guarantee


def test_notes_of_a_process_are_read(tmp_path):
    records = Records(tmp_path / "records")
    code = "from compare.systems import record as r; r.start(0); r.end(0); r.end(3); r.end(3); r.start(5)"
    subprocess.run([sys.executable, "-c", code], env={**ENVIRONMENT, "BENCH_RECORD": str(records.path)}, check=True)
    assert (records.count(), records.starts(), records.ends()) == (5, Counter([0, 5]), Counter({0: 1, 3: 2}))
    times = [at for _, at in records.read()]
    assert times == sorted(times)
    with records.path.open("ab") as file:
        file.write(b"cut")
    assert len(records.read()) == 5
    records.clear()
    assert records.read() == []


def test_a_worker_that_ended_is_not_waited_for(tmp_path):
    records = Records(tmp_path / "records")
    with pytest.raises(Stalled, match="the worker ended, after 0 of 1 tasks"):
        records.wait(1, lambda: False)
    with pytest.raises(Stalled, match="nothing happened for 0 s, after 0 of 1 tasks"):
        records.wait(1, lambda: True, stall=0.05)


def test_a_message_is_found_wherever_it_lies(valkey):
    with valkey.client() as client, valkey.client(1) as results:
        client.set("string", "x mark-1. y")
        client.lpush("list", b"\x80mark-2.")
        client.hset("hash", "mark-3.", "mark-4.")
        client.sadd("set", "mark-5.")
        client.zadd("zset", {"mark-6.": 1})
        client.xadd("stream", {"data": "mark-7."})
        client.set("arq:job:mark-8.", "x")
        results.set("result", "mark-9.")
    assert kill.left(valkey) == set(range(1, 10))


def test_the_page_has_a_row_for_each_subject_and_workload(figures):
    figures.problems["rq"].append("the worker ended\nits log")
    surroundings = Surroundings(datetime(2027, 1, 15, tzinfo=UTC), 0.5, 0.0, "Valkey 9", ["celery 5"])
    text = page.text(WORKLOADS, SUBJECTS, figures, Extent(tasks=7000, rounds=3), surroundings)
    firsts = Counter(line.split("|")[1].strip(" *") for line in text.splitlines() if line.startswith("| "))
    expected = Counter(subject.name for workload in WORKLOADS for subject in having(workload))
    assert {each.name: firsts[each.name] for each in SUBJECTS} == {
        each.name: expected[each.name] + 1 for each in SUBJECTS
    }
    for workload in WORKLOADS:
        assert workload.note in text
    assert "rq could not be measured in full: the worker ended" in text
    assert "| 20.0 | 10.0 - 60.0 | 4.00 |" in text
    assert "Up to 7,000 tasks" in text
    for line in text.splitlines():
        assert "{" not in line, line


def test_the_picture_names_the_subjects_and_is_the_same_for_the_same_figures(figures, tmp_path):
    for name in ("one.svg", "two.svg"):
        plot.draw(SUBJECTS, figures, tmp_path / name)
    picture = (tmp_path / "one.svg").read_text()
    assert picture == (tmp_path / "two.svg").read_text()
    for subject in SUBJECTS:
        assert (f">{subject.name}</text>" in picture) == (not subject.workloads)


def by_name(all_of_them, name):
    return next(each for each in all_of_them if each.name == name)


def test_a_workload_is_left_to_the_subjects_that_it_is_for():
    database = {each.name for each in having(by_name(WORKLOADS, "database"))}
    assert database == {"template-prefork", "template-short", "template-async", "celery", "celery-engine"}
    assert "celery-engine" not in {each.name for each in having(by_name(WORKLOADS, "noop"))}


@pytest.mark.parametrize(
    ("subject", "workload", "again"),
    [("celery", "six", True), ("rq", "six", False), ("rq", "noop", True), ("template-short", "kill", False)],
)
def test_later_rounds_leave_out_what_one_round_shows(subject, workload, again):
    subject, workload = by_name(SUBJECTS, subject), by_name(WORKLOADS, workload)
    assert subject.has(workload, first_round=True)
    assert subject.has(workload, first_round=False) == again


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
def test_a_command_says_how_many_processes_and_which_worker(subject):
    assert "{" not in " ".join(subject.argv(3))
    if subject.name not in {"template-threads", "arq"}:  # the one has threads, the other one process
        assert subject.argv().count("2") == subject.with_processes(1).argv().count("1") == 1
    if {"celery", "workerkit"} & set(subject.command) and not subject.workloads:
        assert subject.argv(3) == [*subject.argv(), "--hostname=3@%h"]


def test_the_difference_to_the_worker_as_it_is_is_the_cost():
    made = Figures()
    changed = {"prefork": (1.0, 2.0, 3.0), "prefork-log": (0.9, 1.6, 2.8), "prefork-key": (1.5, 3.0, 5.0)}
    for name, values in changed.items():
        for value in values:
            made.add("noop", name, {"cpu": value, "server_cpu": value / 10, "rate": 100 / value})
    cases = [by_name(costs.CASES, name) for name in ("log", "key", "wait")]
    assert costs.rows_of(cases, made) == [
        ("prefork", "a task that does nothing, all of it", "200", "100 - 300", "100", "20", "50.0 /s"),
        ("prefork", cases[0].title, "20", "10 - 40", "10", "2", "1.25"),
        ("prefork", cases[1].title, "100", "50 - 200", "50", "10", "0.67"),
        ("prefork", cases[2].title, "not measured", "", "", "", ""),
    ]
    text = costs.page(costs.rows_of(cases, made), 3, "2 cores")
    first, second = text.split("## Only if a service wants it")
    assert cases[0].title in first
    assert cases[1].title in second


def test_each_part_is_left_out_of_the_worker_that_is_measured():
    for pool in costs.POOLS:
        base, *others = costs.subjects_of(pool, costs.CASES)
        assert [each.command for each in others] == [base.command] * len(costs.CASES)
        for other, case in zip(others, costs.CASES, strict=True):
            assert dict(other.variables) == {**base.variables, **case.variables}
            assert other.heard is case.heard
            assert case.variables or case.heard


SWITCHES = ("contract", "context", "health", "results", "key", "wait", "rate")
SWITCHED = """
from celery import signals
from compare.systems.template_costs_tasks import Unchecked, app
from workerkit.health_file import Health
task = app.tasks["app.tasks.bench.noop"]
bound = "workerkit.bind" in [key for (key, _sender), _receiver in signals.task_prerun.receivers]
print(isinstance(task, Unchecked), not bound, Health.start is Health.tick, not task.ignore_result, task.idempotent,
      task.max_queue_wait is not None, task.global_rate_limit is not None)
"""


@pytest.mark.parametrize("switch", ["", *SWITCHES])
def test_a_switch_of_the_bench_changes_one_thing(switch):
    env = ENVIRONMENT | {"BENCH_COST": switch}
    done = subprocess.run([sys.executable, "-c", SWITCHED], env=env, check=True, capture_output=True, text=True)
    assert done.stdout.split() == [str(switch == name) for name in SWITCHES]


def bench(*arguments):
    argv = [sys.executable, "-m", "compare", *arguments]
    return subprocess.run(argv, check=False, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)


def test_names_are_listed_and_wrong_ones_refused():
    assert {line.split()[0] for line in bench("--list").stdout.splitlines()} == {
        each.name for each in (*SUBJECTS, *WORKLOADS)
    }
    refused = bench("--only", "noop", "--only", "nonsense")
    assert refused.returncode == 2
    assert "neither a subject nor a workload: nonsense; --list shows them" in refused.stderr


def test_a_workload_that_no_chosen_subject_has_is_refused():
    refused = bench("--only", "noop", "--only", "celery-engine")
    assert refused.returncode == 2
    assert "none of these subjects has one of these workloads" in refused.stderr
