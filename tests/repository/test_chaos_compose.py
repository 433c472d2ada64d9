"""What `make chaos-compose` reads from logs and says at the end."""

import json

from chaos.compose_logs import Line, Logs, parse_line
from chaos.compose_report import summary
from chaos.counts import Counts
from chaos.ledger import Events

AT = 1_800_000_000.25
STAMP = "2027-01-15T08:00:00.250000000Z"


def line(event, task_id="a"):
    return f"{STAMP} {json.dumps({'event': event, 'task_id': task_id})}"


def counts(**changed):
    numbers = dict.fromkeys(
        ("sent", "starts", "run", "dead", "stuck", "lost", "run_twice", "effects_twice", "exits"), 0
    )
    return Counts(scenario="s", kind="template", recovery=None, recovery_counts=False, **{**numbers, **changed})


def test_a_line_says_which_task_began_when():
    assert parse_line(line("task started")) == Line("start", "a", AT)


def test_other_lines_say_nothing():
    for text in ("", STAMP, f"{STAMP} no JSON", f"{STAMP} 7", f"{STAMP} {{}}", line("something else"), line(None)):
        assert parse_line(text) is None


def test_a_stamp_without_a_fraction_is_read():
    assert parse_line(line("task started").replace(".250000000Z", "Z")) == Line("start", "a", AT - 0.25)


def test_a_delivery_that_got_the_first_result_is_no_second_run():
    events = Events()
    logs = Logs(events)
    said = ["task started", "task succeeded", "task started", "the result of the first call is returned"]
    for event in [*said, "task succeeded"]:
        logs.take("container", line(event))
    assert (len(events.starts["a"]), len(events.ends["a"]), logs.finished["a"]) == (2, 1, 2)


def test_the_summary_adds_up_and_names_what_was_broken():
    text = summary([counts(sent=2, run=1, lost=1, problems=["1 lost"]), counts(sent=3, run=2, dead=1)])
    assert "5 messages were sent: 3 ran, 1 ended as dead letters, 1 were lost" in text
    assert "1 lost in s" in text
    assert "No promise was broken" in summary([counts(sent=1, run=1)])
