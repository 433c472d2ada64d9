"""Fetches files from storage to be attached to a mail, checked against their references."""

import asyncio
import mimetypes
from pathlib import PurePosixPath

from app.messages import Attachment
from workerkit.storage import Storage, StoredFile

_TYPES = mimetypes.MimeTypes()  # Python's own; the module's functions would read the machine's files, too
_UNKNOWN = "application/octet-stream"
_CONTAINERS = ("message/", "multipart/")  # a mail cannot hold them as they are


class StorageAttachments:
    """The files of one storage; it is opened with the first file that is asked for.

    Args:
        url: of the storage, as in `file:///storage` or `s3://bucket/prefix`.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    async def fetch(self, file: StoredFile) -> Attachment:
        """Reads one file, in a thread: no storage is asked by coroutines.

        Raises:
            PermanentError: it is missing, or not what the reference says.
            TransientError: the storage is away.
        """
        content = await asyncio.to_thread(self._read, file)
        name = PurePosixPath(file.path).name
        return Attachment(filename=name, content_type=_content_type(name), content=content)

    def _read(self, file: StoredFile) -> bytes:
        return Storage(self._url).read(file)


def _content_type(name: str) -> str:
    guessed, compressed = _TYPES.guess_type(name.lower())
    return _UNKNOWN if not guessed or compressed or guessed.startswith(_CONTAINERS) else guessed
