"""Asks an HTTP service for a user's mail address."""

import httpx
from pydantic import BaseModel, EmailStr, ValidationError

from workerkit.errors import PermanentError, TransientError

_BUSY = {408, 425, 429}  # the 4xx answers that mean "later"


class _User(BaseModel):
    email: EmailStr


class HttpUserDirectory:
    """A service that answers GET {base_url}/{user_id} with JSON {"email": ...}.

    Args:
        base_url: for instance https://users.internal/users, with or without a slash at its end.
        client: asks it; belongs to the event loop, and whoever made it closes it.
        timeout_seconds: for connecting, and for every wait for data.
    """

    def __init__(self, base_url: str, client: httpx.AsyncClient, timeout_seconds: float = 5.0) -> None:
        self._base_url, self._client, self._timeout = base_url.rstrip("/"), client, timeout_seconds

    async def address_of(self, user_id: int) -> str:
        """Returns the user's mail address.

        Raises:
            PermanentError: the user is unknown, or the answer is not what was agreed.
            TransientError: the service is away, busy or broken (5xx).
        """
        url = f"{self._base_url}/{user_id}"
        try:
            response = await self._client.get(url, timeout=self._timeout)
        except httpx.TransportError as error:
            raise TransientError(f"User directory {url} is away: {type(error).__name__}: {error}") from error
        if response.is_server_error or response.status_code in _BUSY:
            raise TransientError(f"User directory {url} answered {response.status_code}")
        if response.status_code == httpx.codes.NOT_FOUND:
            raise PermanentError(f"There is no user {user_id}: {url} answered 404")
        return _address_in(response, url)


def _address_in(response: httpx.Response, url: str) -> str:
    wanted = 'expected 200 and JSON like {"email": "ada@example.com"}; check USER_DIRECTORY_URL'
    if response.status_code != httpx.codes.OK:
        raise PermanentError(f"User directory {url} answered {response.status_code}: {wanted}")
    try:
        return _User.model_validate_json(response.content).email
    except ValidationError:
        raise PermanentError(f"User directory {url} gave no mail address: {wanted}") from None
