"""Routes a task by its name: `app.tasks.email.send_email` goes to queue `email`."""

from typing import Any

from taskclient.errors import InvalidTaskName
from taskclient.names import queue_of


def route_by_name(name: str, *_args: Any, **_options: Any) -> dict[str, str] | None:
    """Celery router for tasks that no route of the service names, such as those of other services.

    Returns:
        The route, or None for a name of another form (Celery's own tasks), which then goes to the default queue.
    """
    try:
        return {"queue": queue_of(name)}
    except InvalidTaskName:
        return None
