"""The help texts of the `tasks` command; a line with a backspace keeps the lines after it from being joined."""

from taskclient.cli_errors import EXIT_CODES

APP = """Send any task by name, follow it, read its result; look after queues, workers and schedules.

\b
Examples:
  tasks list
  tasks show send_email
  tasks send app.tasks.email.send_email to=ada@example.com subject=Hello body=Hi --wait 20
  tasks queues --watch

`tasks COMMAND --help` has examples of each. `tasks --install-completion` has the shell complete names."""

EPILOG = f"{EXIT_CODES} The password for Redis may stand in the URLs or in REDIS_PASSWORD."

SEND = """Send a task. Prints its id, or with --wait its result as JSON.

\b
Examples:
  tasks send app.tasks.email.send_email to=ada@example.com subject='Hello Ada' body=Hi
  tasks send app.tasks.reports.build --json-payload '{"year": 2025, "parts": ["a"]}' --wait 60
  tasks send app.tasks.etl.load day='"2025"' --countdown 30

A value that is JSON is sent as JSON (3, true, null, [1, 2]), anything else as text; '"3"' is the text 3.
A KEY=VALUE outranks the same key in --json-payload."""

RUN = """Send a task and show its progress until it has finished; of a workflow, all its steps.

\b
Examples:
  tasks run nightly
  tasks run nightly day=2013-07-04
  tasks run nightly resume=0b8e...
  tasks run app.tasks.maintenance.prune_logs days=30

Prints the result as JSON; of a workflow its id, or with --json the state and result of each step. What runs is shown on
stderr. Ctrl-C ends the watching, not the task."""

STATUS = """Print the status of a task, and its result as JSON once it has one.

\b
Examples:
  tasks status 0b8e...
  tasks status 0b8e... --watch --timeout 60

PENDING means that nothing is known: the task waits, or the id is wrong, or the result has expired."""

LIST = """List all tasks that workers have published, with queue, service and parameters.

\b
Examples:
  tasks list
  tasks list --json"""

SHOW = """Show a task's contract, and how it is called.

\b
Examples:
  tasks show app.tasks.email.send_email
  tasks show send_email --json

Its description, queue, limits and retries, the JSON Schema of each parameter and of the result, and an example that
has the required fields. With --json all that the catalog says, and the example as `example`."""

WATCH = """Show the progress of a task until it has finished, and then its result as JSON.

\b
Examples:
  tasks watch 0b8e...
  tasks watch 0b8e... --timeout 60
  tasks watch 0b8e... --json

Of a task that has started a workflow all steps. The progress is on stderr. With --json each change is one line on
stdout. Ctrl-C ends the watching, not the task."""

CANCEL = """Take tasks back: one that waits is not run, one that runs is ended. Their results become REVOKED.

\b
Examples:
  tasks cancel 0b8e...
  tasks cancel 0b8e... 77aa... --json

Prints what was known of each: `waiting` (or never sent), `running`, or `finished`, which changes nothing. Holds for 30
days, also for workers that start later. With Redis as broker."""

QUEUES = """Show how full the queues are, and which are paused; or pause or resume one.

\b
Examples:
  tasks queues
  tasks queues --watch
  tasks queues --service email --json
  tasks queues pause email
  tasks queues resume email

Waiting: messages that no worker has taken, and since when the one in front waits. In flight: those that workers have
taken. Delayed: those that wait for their time. Parked: those whose task no worker knows. With Redis as broker."""

PAUSE = """Have no worker take messages from a queue any more, until it is resumed.

\b
Examples:
  tasks queues pause email

Holds for all its workers, also for those that start later. What they have taken is finished; messages may still be
sent, and wait."""

RESUME = """Have workers take messages from a queue again, at once.

\b
Examples:
  tasks queues resume email"""

SCHEDULES = """Show what beat sends and when; or pause, resume or run an entry.

\b
Examples:
  tasks schedules
  tasks schedules --service maintenance --json
  tasks schedules pause maintenance:nightly
  tasks schedules resume maintenance:nightly
  tasks schedules run maintenance:nightly

The entries are those that workers have published; their times are UTC."""

PAUSE_SCHEDULE = """Have beat leave an entry out until it is resumed, whatever restarts meanwhile.

\b
Examples:
  tasks schedules pause maintenance:nightly"""

RESUME_SCHEDULE = """Have beat send an entry again; if it was due in the pause, once within seconds.

\b
Examples:
  tasks schedules resume maintenance:nightly"""

RUN_SCHEDULE = """Send an entry's task now, paused or not. Prints the task's id.

\b
Examples:
  tasks schedules run maintenance:nightly
  tasks watch $(tasks schedules run maintenance:nightly)

When beat sends it next does not change."""

WORKERS = """List the workers at work, those that hold the fewest messages first.

\b
Examples:
  tasks workers
  tasks workers --service email --json

One line for each worker process on Redis: its host (in a container the beginning of its id, in Kubernetes the pod's
name) and how many messages it has taken and not finished. One that holds none is idle."""

CAN_DEPLOY = """Say whether a new version of a service would understand every message that waits for it.

\b
Examples:
  tasks can-deploy email
  tasks can-deploy email --contract services/worker-celery-email/contract.json --json

Looks at what waits in the service's queues, is delayed, is in flight and is parked, in batches and without changing
anything, and names each message whose task the new contract does not have, or whose payload it does not accept, with
its wrong fields. Exit code 0 if there is none, 1 if there is. FILE may be a folder of services; default: services/."""

STUBS = """Print a Python module with a typed function for each task, for callers that check their types.

\b
Examples:
  tasks stubs > task_stubs.py
  tasks stubs --contract services/ > task_stubs.py

By default of all tasks in the catalog. app.tasks.email.send_email becomes email_send_email(client, to="...", ...). With
--json the text is in `module`."""

PRODUCERS = """Print a module with a typed function for each task, for callers in another language.

\b
Examples:
  tasks producers > tasks.ts
  tasks producers --language typescript --contract services/ > tasks.ts

By default of all tasks in the catalog. app.tasks.email.send_email becomes emailSendEmail(client, {to: "...", ...})."""

FORGET = """Take the tasks of a service that is gone for good out of the catalog.

\b
Examples:
  tasks forget billing

They would leave by themselves when no worker of the service has been seen for TASK_CATALOG_DAYS, 30 by default. Callers
then refuse its names. Messages, dead letters and results stay. A service that still has workers is refused."""

ADOPT = """Put back what workers of plain Celery had taken from Redis and not finished.

\b
Examples:
  tasks adopt-unacked --dry-run
  tasks adopt-unacked --queue celery --queue mails

For the move from plain Celery to this transport, which does not look into the keys `unacked` and `unacked_index`. Stop
all plain workers first: what they still run would run twice. Messages go to the front of their queues, byte for byte;
what cannot be read or has no queue stays where it is. The command may be repeated. It asks before it begins; --yes
answers."""
