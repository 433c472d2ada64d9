"""`python -m workerkit -A app.celery_app worker`: the commands `worker` and `beat` of `celery`, for images.

They are Celery's own, with all their options. The command `celery` also loads an interactive shell, and each plugin
that is installed, before it looks at what it was asked for: that is a fifth of a worker's start, and memory that it
keeps for as long as it runs.
"""

import click
from celery.app.utils import find_app
from celery.bin.base import CLIContext
from celery.bin.beat import beat
from celery.bin.worker import worker


@click.group(context_settings={"auto_envvar_prefix": "CELERY"})
@click.option("-A", "--app", "name", required=True, help="The module of the application.")
@click.option("-C", "--no-color", is_flag=True, help="Write plain text.")
@click.option("-q", "--quiet", is_flag=True, help="Write no banner.")
@click.pass_context
def main(context: click.Context, name: str, *, no_color: bool, quiet: bool) -> None:
    """Start a worker or beat; all other commands, and all other options here, are those of `celery`."""
    context.obj = CLIContext(app=find_app(name), no_color=no_color, workdir=None, quiet=quiet)
    for command in (worker, beat):
        command.params.extend(context.obj.app.user_options.get(command.name, ()))


main.add_command(worker)
main.add_command(beat)

if __name__ == "__main__":
    main(prog_name="python -m workerkit")
