"""Asks an HTTP server, hands out the body as it comes, and says which failures may pass."""

import base64
import logging
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from urllib.parse import urlsplit

import httpx

from app.errors import Busy
from app.messages import Answer, shown
from workerkit.errors import PermanentError, TransientError

# It logs each request with the whole URL, and the query may hold a key.
logging.getLogger("httpx").setLevel(logging.WARNING)

_LATER = {408, 425, 429}  # the 4xx answers that mean "later"
_MAX_REDIRECTS = 5
_MAX_PAUSE_SECONDS = 300  # a longer Retry-After is cut: the next attempt asks again
_DIGEST = re.compile(r"sha-256=:([A-Za-z0-9+/]{43}=):")  # RFC 9530


class HttpClient:
    """A client with time limits that goes to known hosts only.

    Args:
        hosts: where redirects may lead; without the list, a provider could send this worker to any address of the
            inner network.
        connect_seconds: to connect.
        read_seconds: for every wait for data.
        guard: makes what is around each request to a host, such as a circuit breaker.
    """

    def __init__(
        self,
        hosts: Collection[str],
        *,
        connect_seconds: float = 5.0,
        read_seconds: float = 30.0,
        guard: Callable[[str], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._hosts, self._guard = frozenset(hosts), guard
        self._client = httpx.Client(
            timeout=httpx.Timeout(read_seconds, connect=connect_seconds),
            # As it is: length and checksum are those of the file, and no small answer unpacks into a huge one.
            headers={"Accept-Encoding": "identity", "User-Agent": "worker-celery-ingestion"},
            follow_redirects=True,
            max_redirects=_MAX_REDIRECTS,
            event_hooks={"request": [self._refuse_unknown_host]},
        )

    def close(self) -> None:
        """Close the connections that are kept for the next request."""
        self._client.close()

    @contextmanager
    def get(self, url: str, conditions: Mapping[str, str], deadline_seconds: float) -> Iterator[Answer]:
        """Ask for `url`; the block reads the answer's body.

        Args:
            url: its host is a known one.
            conditions: headers such as If-None-Match; without them an answer is never `unchanged`.
            deadline_seconds: for the whole answer; looked at with each piece of the body.

        Raises:
            Busy: an answer that says how long to wait.
            TransientError: the host is away, slow, broken (5xx), or ended in the middle.
            PermanentError: any other answer than 200, or 304 to a condition; a redirect to nowhere good.
        """
        deadline = time.monotonic() + deadline_seconds
        others: Exception | None = None
        host = urlsplit(url).netloc.rpartition("@")[2]
        request = self._client.stream("GET", url, headers=dict(conditions))
        with self._guard(host), _errors(url), request as response:
            _refuse(response, conditional=bool(conditions))
            try:
                yield _answer(response, deadline)
            except httpx.HTTPError:
                raise
            except Exception as error:  # noqa: BLE001  - raised below: the guard shall not blame the host for it
                others = error
        if others:
            raise others

    def _refuse_unknown_host(self, request: httpx.Request) -> None:
        if request.url.host not in self._hosts:
            raise PermanentError(
                f"redirected to the host {request.url.host!r}, which is not known: "
                "if that is right, add it to FETCH_REDIRECT_HOSTS"
            )


def _answer(response: httpx.Response, deadline: float) -> Answer:
    length = response.headers.get("content-length", "")
    digest = _DIGEST.search(response.headers.get("repr-digest", ""))
    return Answer(
        unchanged=response.status_code == httpx.codes.NOT_MODIFIED,
        etag=response.headers.get("etag"),
        last_modified=response.headers.get("last-modified"),
        length=int(length) if length.isdecimal() else None,
        sha256=base64.b64decode(digest[1]).hex() if digest else None,
        chunks=_chunks(response, deadline),
    )


def _chunks(response: httpx.Response, deadline: float) -> Iterator[bytes]:
    # Without a size, so that each piece comes when it is there: gathering a mebibyte from a drip could take hours.
    for chunk in response.iter_raw():
        if time.monotonic() > deadline:
            raise httpx.ReadTimeout("not complete within the deadline")
        yield chunk


def _refuse(response: httpx.Response, *, conditional: bool) -> None:
    status, where = response.status_code, shown(str(response.url))
    if response.is_server_error or status in _LATER:
        pause = response.headers.get("retry-after", "")
        if pause.isdecimal():
            raise Busy(f"{where} answered {status} and asks for {pause} s", min(int(pause), _MAX_PAUSE_SECONDS))
        raise TransientError(f"{where} answered {status}")
    if status == httpx.codes.NOT_MODIFIED and conditional:
        return
    if status != httpx.codes.OK:
        raise PermanentError(f"{where} answered {status} instead of 200: check its URL in the settings")
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise PermanentError(f"{where} packed its answer with {encoding}, although asked not to: use another URL")


@contextmanager
def _errors(url: str) -> Iterator[None]:
    try:
        yield
    except (httpx.TooManyRedirects, httpx.UnsupportedProtocol) as error:
        raise PermanentError(f"{shown(url)} redirects to nowhere good: {error}") from error
    except httpx.HTTPError as error:
        raise TransientError(f"{shown(url)} is away or broke off: {type(error).__name__}: {error}") from error
