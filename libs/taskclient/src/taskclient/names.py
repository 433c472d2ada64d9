"""A task's name, `app.tasks.<module>.<task>`, and the queue that follows from it."""

from taskclient.errors import InvalidTaskName


def queue_of(name: str) -> str:
    """The queue that a task's messages go to: the module in its name.

    Args:
        name: the task's full name, as in `app.tasks.email.send_email`.

    Returns:
        The module, as in `email`.

    Raises:
        InvalidTaskName: the name has another form.
    """
    match name.split("."):
        case ["app", "tasks", module, task] if module.isidentifier() and task.isidentifier():
            return module
    raise InvalidTaskName(
        f"{name!r} is not a task's name. A name is app.tasks.<module>.<task>, both Python identifiers, "
        "as in app.tasks.email.send_email; `tasks list` shows all names."
    )
