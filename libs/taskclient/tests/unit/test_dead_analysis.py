"""Dead letters of one cause become one group, whatever differs in their errors, with what to do about it."""

import pytest

from taskclient.catalog import CatalogEntry
from taskclient.dead_analysis import EXAMPLES, STEPS, error_pattern, group_letters
from taskclient.letters import FAILED, REFUSED, UNKNOWN_TASK, Letter

TASK = "app.tasks.email.send_email"


def letter(number, **fields):
    given = {
        "reason": FAILED,
        "task": TASK,
        "service": "email",
        "error": f"KeyError: 'user-{number}'",
        "version": "1.0",
    }
    return Letter(**{**given, "id": str(number), "first": number, "last": number + 100.0, **fields})


def entries(version="1.0"):
    entry = CatalogEntry(
        name=TASK, queue="email", service="email", description="", parameters={}, result={}, version=version
    )
    return {TASK: entry}


def test_letters_of_one_cause_are_one_group_and_the_largest_comes_first():
    found = group_letters([letter(0, reason=REFUSED), *map(letter, range(1, 6))], entries())
    assert [(group.reason, group.count, group.error) for group in found] == [
        (FAILED, 5, "KeyError: …"),
        (REFUSED, 1, "KeyError: …"),
    ]
    group = found[0]
    assert (group.first, group.last, group.services, group.versions) == (1, 105.0, ("email",), ("1.0",))
    assert [one.id for one in group.examples] == ["5", "4", "3"][:EXAMPLES]


@pytest.mark.parametrize("fields", [{"task": "app.tasks.email.other"}, {"task": None}, {"error": "ValueError: '1'"}])
def test_another_task_or_error_is_another_group(fields):
    assert len(group_letters([letter(1), letter(2, **fields)], entries())) == 2


@pytest.mark.parametrize(
    ("error", "pattern"),
    [
        ("no job 5f0c4a1e-9a53-4c1f-8a5e-3f1d0a1c77b2 at 0xff", "no job … at …"),
        ("can't reach 10.0.0.1:587 for <ada@example.com>, don't know why", "can't reach …:… for <…>, don't know why"),
        ("""it's "Ada's" 'a \\' b' 1.5""", "it's … … …"),
    ],
)
def test_what_differs_each_time_does_not_count(error, pattern):
    assert error_pattern(error) == pattern


def test_a_long_error_is_cut_and_takes_no_time():
    assert len(error_pattern("'" + "a@\\'" * 100_000)) < 1000


@pytest.mark.parametrize("reason", STEPS)
def test_each_reason_has_its_next_step(reason):
    assert STEPS[reason] in group_letters([letter(1, reason=reason)], {})[0].next_step


def test_a_reason_that_nobody_knows_has_one_too():
    assert "worker's log" in group_letters([letter(1, reason="new")], {})[0].next_step


def test_a_new_version_is_worth_a_replay():
    assert group_letters([letter(1)], entries("1.0"))[0].next_step == STEPS[FAILED]
    step = group_letters([letter(1)], entries("1.1"))[0].next_step
    assert step.startswith("email has been deployed since, as 1.1: replay one")


def test_an_unknown_task_says_what_was_meant_or_that_it_is_there_now():
    lost = letter(1, reason=UNKNOWN_TASK, task="app.tasks.email.send_mail")
    assert f"did you mean {TASK}?" in group_letters([lost], entries())[0].next_step
    found = letter(1, reason=UNKNOWN_TASK)
    assert group_letters([found], entries())[0].next_step == "The service email has the task now: replay."
