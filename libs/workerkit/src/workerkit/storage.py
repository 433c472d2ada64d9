"""Files too large for a message: in a local folder or in S3, named by references that fit one.

Needs the extra `workerkit[storage]`. A file is visible under its path only when it is complete.
"""

import hashlib
import io
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, Any
from uuid import uuid4

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from workerkit.errors import PermanentError, TransientError
from workerkit.settings import WorkerSettings

_CHUNK = 1024 * 1024  # bytes
_UNFINISHED = ".unfinished-"
# A silent S3 fails a call after half a minute; the task is tried again anyway, later and with longer pauses.
_S3: dict[str, Any] = {
    "use_listings_cache": False,  # other processes write too
    "default_block_size": 8 * 1024 * 1024,  # bytes; several of them are held, and the default is 50 MiB
    "config_kwargs": {
        "connect_timeout": 3,  # seconds
        "read_timeout": 15,
        "retries": {"mode": "standard", "total_max_attempts": 2},
    },
}


_PATTERN = r"^[\w.,=+@ /-]+$"  # nothing that a file system or a shell takes for a pattern
_MAX_PATH = 500


def _safe(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or path != "/".join(parts):
        raise ValueError("must be a relative path without empty, '.' or '..' parts, as in 'reports/2013-01-01.pdf'")
    if len(path) > _MAX_PATH or not re.fullmatch(_PATTERN[1:-1], path):
        raise ValueError(f"must have at most {_MAX_PATH} letters, digits, spaces and . , = + @ / _ -")
    return path


StoragePath = Annotated[str, Field(max_length=_MAX_PATH, pattern=_PATTERN), AfterValidator(_safe)]


class StoredFile(BaseModel):
    """A reference to a file in storage, small enough for a message; `size` in bytes, `sha256` in hexadecimal."""

    model_config = ConfigDict(frozen=True)

    path: StoragePath
    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class StorageSettings(WorkerSettings):
    """Settings of a service that reads or writes files; S3 takes its credentials from `AWS_*` variables."""

    storage_url: str = Field("file:///storage", description="a folder, or s3://bucket/prefix; shared by the services")


class Writer:
    """What `Storage.writer` hands out: takes the bytes in any number of pieces; `stored` is then the reference."""

    def __init__(self, path: str, file: IO[bytes]) -> None:
        self._path = path
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Write a piece; returns its length.

        Raises:
            TransientError: the storage is away or full.
        """
        with _errors(f"writing {self._path}"):
            self._file.write(data)
        self._digest.update(data)
        self.size += len(data)
        return len(data)

    @property
    def stored(self) -> StoredFile:
        """The reference to what has been written so far; good once the block of `Storage.writer` is left."""
        return StoredFile(path=self._path, size=self.size, sha256=self._digest.hexdigest())


class Storage:
    """The files below one URL, which all services share.

    Args:
        url: `file:///folder`, which is made when needed, or `s3://bucket/prefix`.
        options: for fsspec's file system of this kind.
    """

    def __init__(self, url: str, **options: Any) -> None:
        import fsspec  # noqa: PLC0415  - each worker imports this module's types at its boot, and few open a storage

        is_s3 = url.startswith(("s3://", "s3a://"))
        self._fs, self._root = fsspec.core.url_to_fs(url, **({**_S3, **options} if is_s3 else options))
        if is_s3:
            self._fs.retries = 1  # around the attempts of the library below it
        self._url = url.rstrip("/")

    def url(self, path: str) -> str:
        """The whole address of a path, for people."""
        return f"{self._url}/{_safe(path)}"

    @contextmanager
    def writer(self, path: str) -> Iterator[Writer]:
        """Write a file in pieces; it replaces an older one when the block ends well, and is gone if it raises.

        S3 keeps the pieces of a process that was killed where no listing shows them: let a lifecycle rule of the
        bucket abort incomplete uploads.

        Raises:
            TransientError: the storage is away or full.
            ValueError: `path` is not a path below the storage's root.
        """
        with (self._folder_writer if "file" in self._fs.protocol else self._object_writer)(path) as writer:
            yield writer

    @contextmanager
    def _folder_writer(self, path: str) -> Iterator[Writer]:
        """Write under another name, and rename it."""
        target = Path(self._at(path))
        unfinished = target.with_name(f"{_UNFINISHED}{uuid4().hex}")
        with _errors(f"writing {path}"):
            target.parent.mkdir(parents=True, exist_ok=True)
            file = unfinished.open("wb")
        try:
            yield Writer(path, file)
            with _errors(f"writing {path}"):
                file.flush()
                os.fsync(file.fileno())  # or a power failure could leave an empty file under the final name
                file.close()
                unfinished.replace(target)
        except BaseException:
            with suppress(OSError):
                file.close()
            with suppress(OSError):
                unfinished.unlink()
            raise

    @contextmanager
    def _object_writer(self, path: str) -> Iterator[Writer]:
        """Upload in pieces, which become an object in one step at the end."""
        with _errors(f"writing {path}"):
            file: Any = self._fs.open(self._at(path), "wb")
        try:
            yield Writer(path, file)
            with _errors(f"writing {path}"):
                file.close()
        except BaseException:
            with suppress(Exception):
                file.discard()
            file.closed = True  # otherwise the garbage collector would complete it
            raise

    def put(self, path: str, data: bytes) -> StoredFile:
        """Write a small file at once; errors as `writer`."""
        with self.writer(path) as writer:
            writer.write(data)
        return writer.stored

    @contextmanager
    def open(self, file: StoredFile | str) -> Iterator[IO[bytes]]:
        """Read a file; seekable.

        Raises:
            PermanentError: there is no such file, or it is not of the size that the reference says.
            TransientError: the storage is away.
        """
        path = file if isinstance(file, str) else file.path
        with _errors(f"reading {path}"):
            try:
                size = self._fs.info(self._at(path))["size"]
                stream: Any = self._fs.open(self._at(path), "rb")
            except FileNotFoundError:
                raise PermanentError(f"there is no file {self.url(path)}: has it been cleaned up?") from None
        with stream:
            if isinstance(file, StoredFile) and size != file.size:
                raise PermanentError(f"{self.url(path)} has {size:,} bytes, not {file.size:,}: it has been replaced")
            with io.BufferedReader(_Reader(stream, path), _CHUNK) as reader:
                yield reader

    @contextmanager
    def open_verified(self, file: StoredFile) -> Iterator[IO[bytes]]:
        """Read a file after its checksum was compared, for which it is read once more; errors as `open`.

        Raises:
            PermanentError: also if the content is not what the reference says.
        """
        with self.open(file) as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != file.sha256:  # type: ignore[arg-type]
                raise PermanentError(f"{self.url(file.path)} is damaged or replaced: it has another SHA-256")
            stream.seek(0)
            yield stream

    def verify(self, file: StoredFile) -> None:
        """Compare the checksum of a file; errors as `open_verified`."""
        with self.open_verified(file):
            pass

    def read(self, file: StoredFile | str) -> bytes:
        """The whole content of a small file, compared with its reference if one is given; errors as `open_verified`."""
        with self.open(file) if isinstance(file, str) else self.open_verified(file) as stream:
            return stream.read()

    def exists(self, path: str) -> bool:
        """Say whether there is a complete file at `path`."""
        with _errors(f"looking for {path}"):
            try:  # fsspec's own `isfile` says no if S3 is away
                return bool(self._fs.info(self._at(path))["type"] == "file")
            except FileNotFoundError:
                return False

    def delete(self, path: str) -> None:
        """Delete a file; nothing happens if there is none."""
        with _errors(f"deleting {path}"), suppress(FileNotFoundError):
            self._fs.rm_file(self._at(path))

    def older_than(self, moment: datetime, below: str = "") -> Iterator[str]:
        """The paths of files last written before `moment`, also those that a killed process left unfinished.

        Args:
            moment: aware.
            below: only files of this folder.
        """
        start = self._at(below) if below else self._root
        with _errors(f"listing {below or 'all files'}"):
            found = self._fs.find(start, withdirs=False, detail=True)
        for name, info in sorted(found.items()):
            if _written(info) < moment:
                yield name.removeprefix(self._root).lstrip("/")

    def _at(self, path: str) -> str:
        return f"{self._root}/{_safe(path)}"


class _Reader(io.RawIOBase):
    """Turns the storage's errors into ours, and leaves alone those of the block that reads."""

    def __init__(self, stream: IO[bytes], path: str) -> None:
        self._stream, self._doing = stream, f"reading {path}"

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _errors(self._doing):
            data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        with _errors(self._doing):
            return self._stream.read()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def copy(source: IO[bytes], target: Writer) -> None:
    """Copy a stream in pieces of 1 MiB."""
    shutil.copyfileobj(source, target, _CHUNK)


def _written(info: dict[str, Any]) -> datetime:
    moment = info.get("mtime") or info.get("LastModified")
    return moment if isinstance(moment, datetime) else datetime.fromtimestamp(float(moment or 0), UTC)


@contextmanager
def _errors(doing: str) -> Iterator[None]:
    try:
        yield
    except _kinds() as error:
        raise TransientError(f"{doing}: the storage answered {type(error).__name__}: {error}") from error


def _kinds() -> tuple[type[Exception], ...]:
    # Only s3fs loads these, which takes longer to import than all the rest.
    botocore, aiohttp = sys.modules.get("botocore.exceptions"), sys.modules.get("aiohttp")
    away = (botocore.BotoCoreError, botocore.ClientError) if botocore else ()
    return (OSError, *away, aiohttp.ClientError) if aiohttp else (OSError, *away)
