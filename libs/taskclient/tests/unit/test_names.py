import pytest

from taskclient.errors import InvalidTaskName, TaskClientError
from taskclient.names import queue_of


@pytest.mark.parametrize(
    ("name", "queue"), [("app.tasks.email.send_email", "email"), ("app.tasks.etl_2.load", "etl_2")]
)
def test_queue_follows_from_the_name(name, queue):
    assert queue_of(name) == queue


@pytest.mark.parametrize(
    "name",
    [
        "",
        "send_email",
        "app.tasks.email",
        "app.tasks.email.send.now",
        "tasks.app.email.send",
        "app.tasks..send",
        "app.tasks.e-mail.send",
        "app.tasks.email.2send",
        "app.tasks.email.send email",
        "app.tasks.email.send\n",
    ],
)
def test_another_form_is_refused_with_the_form(name):
    with pytest.raises(InvalidTaskName, match=r"app\.tasks\.<module>\.<task>") as caught:
        queue_of(name)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, TaskClientError)
