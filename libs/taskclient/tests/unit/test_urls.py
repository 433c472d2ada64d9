from urllib.parse import unquote, urlsplit

import pytest

from taskclient.urls import default_result_url, with_password, without_password


@pytest.mark.parametrize(
    ("url", "password", "expected"),
    [
        ("redis://host:6379/0", "s3cret", "redis://:s3cret@host:6379/0"),
        ("redis://user@host/2?x=1", "a/b@c:d%", "redis://user:a%2Fb%40c%3Ad%25@host/2?x=1"),
        ("redis://user:@host/0", "new", "redis://user:new@host/0"),
        ("redis://:own@host/0", "other", "redis://:own@host/0"),
        ("rediss://us%40er@[::1]:6380", "p", "rediss://us%40er:p@[::1]:6380"),
        ("redis://host/0", None, "redis://host/0"),
        ("redis://host/0", "", "redis://host/0"),
    ],
)
def test_with_password(url, password, expected):
    assert with_password(url, password) == expected


@pytest.mark.parametrize(
    ("url", "password", "expected"),
    [
        ("redis://host:6379/0", "s3cret", "redis://ad%40a:s3cret@host:6379/0"),
        ("redis://user@host/2", "s3cret", "redis://user:s3cret@host/2"),
        ("redis://:own@host/0", "other", "redis://:own@host/0"),
        ("redis://host/0", None, "redis://host/0"),
    ],
)
def test_with_password_of_a_user(url, password, expected):
    assert with_password(url, password, "ad@a") == expected


def test_password_comes_back_as_it_was():
    password = " äö/?#[]@!$&'()*+,;=%:\"\\"

    assert unquote(urlsplit(with_password("redis://host/0", password)).password) == password


@pytest.mark.parametrize(
    ("broker", "results"),
    [
        ("redis://host:6379/0", "redis://host:6379/1"),
        ("redis://host", "redis://host/1"),
        ("redis://host/", "redis://host/1"),
        ("rediss://u:p%2F@host/4?ssl_cert_reqs=none", "rediss://u:p%2F@host/5?ssl_cert_reqs=none"),
    ],
)
def test_results_live_in_the_next_database(broker, results):
    assert default_result_url(broker) == results


@pytest.mark.parametrize("broker", ["amqp://u:secret@host//", "redis://host/name", "redis://host/?db=3", "host:6379"])
def test_no_result_database_follows(broker):
    with pytest.raises(ValueError, match="Name a result URL") as caught:
        default_result_url(broker)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "printed"),
    [
        ("redis://user:secret@host:1/0", "redis://user:***@host:1/0"),
        ("redis://:secret@host", "redis://:***@host"),
        ("redis://host/0?password=secret&x=1", "redis://host/0?password=***&x=1"),
        ("redis://host/0", "redis://host/0"),
        ("redis://user@host/0", "redis://user@host/0"),
    ],
)
def test_without_password(url, printed):
    assert without_password(url) == printed
