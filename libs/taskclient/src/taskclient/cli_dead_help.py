"""The help texts of `tasks dead`; a line with a backspace keeps the lines after it from being joined."""

from taskclient.letters import (
    DELIVERY_LIMIT,
    FAILED,
    REFUSED,
    TIME_LIMIT,
    UNKNOWN_TASK,
    UNREADABLE,
    UNROUTABLE,
    WAITED_TOO_LONG,
)

_REASONS = ", ".join(
    [FAILED, REFUSED, TIME_LIMIT, DELIVERY_LIMIT, UNREADABLE, UNKNOWN_TASK, UNROUTABLE, WAITED_TOO_LONG]
)

DEAD = "Look after dead letters: messages that could not be run, and are kept with the reason."

STATS = """Count the dead letters of each service by reason and task, and what else is held back.

\b
Examples:
  tasks dead stats
  tasks dead stats --service email --json

Parked messages name a task that no worker knows; they come back by themselves when one does. Delayed ones wait for
their time, those in flight are with a worker."""

LIST = f"""List dead letters, the newest first.

\b
Examples:
  tasks dead list
  tasks dead list --service email --reason failed --since 2h
  tasks dead list --task 'app.tasks.etl.*' --error 'connection refused' --limit 100

Reasons: {_REASONS}. Where there are more letters, the last line on stderr says how to go on."""

SHOW = """Show one dead letter: why it died, its message, its traceback.

\b
Examples:
  tasks dead show 0b8e...
  tasks dead show 0b8e... --payload

Texts in the payload are replaced by placeholders, because they may be personal; --payload shows them. The error and the
traceback are shown as they are."""

REPLAY = """Put dead letters back into their queues and print their ids.

\b
Examples:
  tasks dead replay 0b8e...
  tasks dead replay --all --task app.tasks.email.send_email --since 2h --rate 10
  tasks dead replay --all --yes

A task keeps its id and its payload and runs at once, with all its retries. If it dies again, so does the letter come
back, with its history. Mend the cause first. --all asks before it begins; --yes answers."""

DISCARD = """Remove dead letters for good and print their ids.

\b
Examples:
  tasks dead discard 0b8e...
  tasks dead discard --all --reason unreadable --until 7d
  tasks dead discard --parked app.tasks.email.old_name

There is no way back. --all and --parked ask before they begin; --yes answers."""

PARKED = """List parked messages, by the names of their tasks.

\b
Examples:
  tasks dead parked
  tasks dead parked --service email --json

No worker knows these names yet. The messages come back by themselves when one does; after 30 days they become dead
letters with the reason 'unknown task'."""

OFFER = """Put all parked messages of a task back into their queues now.

\b
Examples:
  tasks dead offer app.tasks.email.send_email

Workers that do not know the task park them again."""

TEST = """Write a pytest file that fails as a dead letter did, and passes once the cause is mended.

\b
Examples:
  tasks dead test 0b8e... --output services/worker-celery-email/tests/unit/test_dead_letter.py
  tasks dead test 0b8e... --payload

Texts in the payload are replaced by placeholders of the same shape; the file says which. --payload keeps them."""
