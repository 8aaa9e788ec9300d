"""One object store, opened once in each process: what is in it, reading ranges, writing whole objects.

Requests that fail are made again with growing pauses by obstore; a range whose bytes break off is asked for again here.
Errors come out as those of files do: `FileNotFoundError`, or one that says what the user can change.
"""

import errno
import functools
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

from curate.errors import InputError, PlanError, Stopped
from curate.store.objects.credentials import SCHEMES, identity, missing, opened

if TYPE_CHECKING:
    from curate.store.objects.local_copies import LocalCopies

Result = TypeVar("Result")

PIECE = 8 * 1024 * 1024
"""Bytes asked for at once, at most, by those who need them together."""
STREAM = 64 * 1024 * 1024
"""Bytes of one request, at most, by those who use them one after another."""
_CHUNK = 256 * 1024
_TRIES = 5
_PAUSE = 0.2
_INVALID = re.compile(r'[Pp]ath "([^"]*)"')
"""The key that is meant where a store lists what the library refuses."""
_CODE = re.compile(r"<Code>(\w+)</Code>")
_REFUSED = (
    "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken",
    "TokenRefreshRequired",
    "AuthenticationFailed", "AuthorizationFailure", "401 Unauthorized", "403 Forbidden",
)  # fmt: skip


class Stored(NamedTuple):
    """An object as its store tells of it."""

    key: str
    size: int
    tag: str
    """ETag, or when it was written; another one when the bytes are others."""


class Changed(Exception):  # noqa: N818  (named for what happened)
    """An object is not the one that was asked for any more."""


class Unreachable(Stopped):
    """A store does not answer."""

    is_final = False
    """Whether it was asked often enough."""


class Taken(Exception):  # noqa: N818  (named for what it is)
    """An object that was to be created is there, or another one has been written in its place."""


class Traffic:
    """Bytes that travelled, and requests made, of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.read = self.written = self.requests = 0

    def add(self, read: int = 0, written: int = 0, requests: int = 1) -> None:
        """Count a request, or what comes of one that is counted."""
        with self._lock:
            self.read, self.written, self.requests = self.read + read, self.written + written, self.requests + requests


traffic = Traffic()


class Bucket:
    """Everything under one root, such as ``s3://bucket``."""

    def __init__(self, root: str) -> None:
        from obstore.exceptions import BaseError

        self.root = root
        try:
            self._store = opened(root)
        except (BaseError, ValueError) as error:  # half of what it needs, or something malformed
            said, whose = str(error).partition("\n")[0], identity(urlsplit(root).scheme)
            raise PlanError(f"`{root}` cannot be opened: {said}", hint=f"check {whose}") from error

    def url(self, key: str) -> str:
        """What a user calls an object."""
        return f"{self.root}/{key}" if key else self.root

    def facts(self, key: str) -> Stored:
        """Size and tag of an object.

        Raises:
            FileNotFoundError: there is none.
        """
        import obstore

        traffic.add()
        return self._tried(lambda: self._stored(obstore.head(self._store, key)), key)

    def listed(self, prefix: str) -> Iterator[Stored]:
        """All objects below a folder, in the order of their keys."""
        import obstore

        def pages() -> list[Stored]:
            found = list[Stored]()
            for page in obstore.list(self._store, prefix or None, chunk_size=1000):
                traffic.add()
                found += map(self._stored, page)
            return found

        yield from sorted(self._tried(pages, prefix))

    def read(self, key: str, start: int, stop: int, tag: str = "") -> bytes:
        """Bytes of an object, taken up again where they break off.

        Args:
            key: of the object.
            start: first byte.
            stop: end of the range; after the last byte of the object, what is there.
            tag: the object must still have it.

        Raises:
            FileNotFoundError: there is none.
            Changed: it has another tag.
        """
        pieces = list[bytes]()
        for at in range(start, stop, PIECE):
            pieces.append(self._piece(key, at, min(at + PIECE, stop), tag))
            if len(pieces[-1]) < PIECE:
                break
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def stream(self, key: str, start: int, stop: int, tag: str = "") -> Iterator[memoryview]:
        """As `read`, in pieces as they come, which are not copied: they lie where the network put them.

        One request brings many of them, so no time goes by between two. It asks for no more than is used within the
        time that a request may take.
        """
        at, left = start, _TRIES
        while at < stop:
            begun = at
            try:
                for data in self._streamed(key, at, min(at + STREAM, stop), tag):
                    at, left = at + len(data), _TRIES
                    yield data
            except Exception as error:
                told, left = self._told(error, key), left - 1
                if not (isinstance(told, Unreachable) and left and not told.is_final):
                    raise told from error
                time.sleep(_PAUSE * 2 ** (_TRIES - left))
            else:
                if at == begun:
                    return

    def _streamed(self, key: str, start: int, stop: int, tag: str) -> Iterator[memoryview]:
        import obstore
        from obstore.exceptions import NotSupportedError

        try:
            result = obstore.get(self._store, key, options=self._options(start, stop, tag))  # type: ignore[arg-type]
        except NotSupportedError:
            yield memoryview(self._piece(key, start, min(start + PIECE, stop), tag))
            return
        self._require(tag, self._stored(result.meta).tag, key)
        traffic.add()
        for data in result.stream(min_chunk_size=_CHUNK):
            traffic.add(read=len(data), requests=0)
            yield memoryview(data)

    def _piece(self, key: str, start: int, stop: int, tag: str) -> bytes:
        data, found = self._tried(lambda: self._ranged(key, start, stop, tag), key)
        self._require(tag, found, key)
        traffic.add(read=len(data))
        return data

    def _stored(self, meta: Any) -> Stored:
        tag = meta["e_tag"] or meta["last_modified"].isoformat()
        # Azure tells tags with quotes in its answers and without in its listings
        bare = self.root.startswith(("az://", "gs://", "s3://")) and meta["e_tag"] and not tag.endswith('"')
        return Stored(meta["path"], meta["size"], f'"{tag}"' if bare else tag)

    def _require(self, tag: str, found: str, key: str) -> None:
        if tag and found != tag and not self._is_fixed:
            raise Changed(self.url(key))

    @property
    def _is_fixed(self) -> bool:
        """At a commit of the hub the bytes are always the same, whatever tag the server tells."""
        return self.root.startswith("hf://")

    def _options(self, start: int, stop: int, tag: str) -> dict[str, Any]:
        matches = tag.startswith(('"', "W/")) and not self._is_fixed
        return {"range": (start, stop), **({"if_match": tag} if matches else {})}

    def _tried(self, request: Callable[[], Result], key: str) -> Result:
        """What a request gives; one that breaks off is made again, with growing pauses."""
        for left in reversed(range(_TRIES)):
            try:
                return request()
            except BaseException as error:
                if type(error).__name__ == "PanicException":  # of the library, which is no Exception
                    said = f"`{self.url(key)}` cannot be asked for: {_short(str(error))}"
                    raise InputError(
                        said, hint="look at the name of the bucket and the address of the server"
                    ) from error
                if not isinstance(error, Exception):
                    raise
                told = self._told(error, key)
                if not (isinstance(told, Unreachable) and left and not told.is_final):
                    raise told from error
            time.sleep(_PAUSE * 2 ** (_TRIES - left))
        raise AssertionError

    def _ranged(self, key: str, start: int, stop: int, tag: str) -> tuple[bytes, str]:
        import obstore
        from obstore.exceptions import NotSupportedError

        try:
            result = obstore.get(self._store, key, options=self._options(start, stop, tag))  # type: ignore[arg-type]
            return bytes(result.bytes()), self._stored(result.meta).tag
        except NotSupportedError:  # a server that gives whole files only
            return self._of_whole(key, start, stop)

    @functools.cached_property
    def _copies(self) -> "LocalCopies":
        from curate.store.objects.local_copies import LocalCopies

        return LocalCopies(self)

    def _of_whole(self, key: str, start: int, stop: int) -> tuple[bytes, str]:
        """A range of a copy on this disk of what a server sends whole."""
        import obstore

        found = self._stored(obstore.head(self._store, key))

        def send(file: BinaryIO) -> None:
            file.writelines(obstore.get(self._store, key).stream(min_chunk_size=1 << 20))

        with self._copies.fetched(found, send).open("rb") as file:
            file.seek(start)
            return file.read(stop - start), found.tag

    def put(self, key: str, content: "bytes | Path", *, replaces: str | Literal[False] | None = None) -> Stored:
        """Write an object whole.

        Args:
            key: of the object.
            content: its bytes, or a file on this disk.
            replaces: the tag of the object that it takes the place of; False: there must be none; None: whatever.

        Raises:
            Taken: that is not so.
        """
        import obstore
        from obstore.exceptions import AlreadyExistsError, NotModifiedError, PreconditionError

        mode: Any = "overwrite" if replaces is None else {"e_tag": replaces} if replaces else "create"
        size = content.stat().st_size if isinstance(content, Path) else len(content)

        def request() -> Any:
            try:
                return obstore.put(self._store, key, content, mode=mode, chunk_size=PIECE, max_concurrency=4)
            except (AlreadyExistsError, PreconditionError, NotModifiedError) as error:
                raise Taken(self.url(key)) from error

        try:
            done = self._tried(request, key)
        except FileNotFoundError as error:
            if replaces:  # what servers may answer where the object that it takes the place of is no longer there
                raise Taken(self.url(key)) from error
            raise
        traffic.add(written=size)
        return Stored(key, size, done["e_tag"] or "")

    def delete(self, key: str) -> None:
        """Remove an object; there may be none."""
        import obstore

        traffic.add()
        with suppress(FileNotFoundError):
            self._tried(lambda: obstore.delete(self._store, key), key)

    def _told(self, error: Exception, key: str) -> Exception:
        """What to raise in the place of a library's error."""
        from obstore.exceptions import InvalidPathError, PreconditionError

        said, url = str(error).partition("\n\nDebug source")[0], self.url(key)
        code = match.group(1) if (match := _CODE.search(said)) else ""
        if isinstance(error, Changed | Taken | PlanError | InputError | Stopped):
            return error
        if "169.254.169.254" in said or "metadata.google.internal" in said:  # the machine was asked, and has none
            return missing(self.root)
        if code == "NoSuchBucket" or "bucket does not exist" in said:
            return InputError(f"`{self.root}` does not exist", hint="look for the name of the bucket with: aws s3 ls")
        if isinstance(error, FileNotFoundError):
            return FileNotFoundError(errno.ENOENT, "No such object", url)
        if isinstance(error, PreconditionError):
            return Changed(url)
        if isinstance(error, InvalidPathError) and (named := _INVALID.search(said)) and named[1] != key:
            return InputError(
                f"`{url}` cannot be listed: it holds an object with the key `{named[1]}`, and folders without a name,"
                " `.` and `..` cannot be read",
                hint="give it another key, or name the folders beside it",
            )
        if isinstance(error, InvalidPathError):
            return InputError(f"`{url}` is not the name of an object", hint="give it another key")
        if type(error).__name__ in {"PermissionDeniedError", "UnauthenticatedError"} or any(
            w in said for w in _REFUSED
        ):
            return self._refused(code, url)
        unreachable = Unreachable(f"`{url}` does not answer: {_short(said)}", hint="the same command continues")
        unreachable.is_final = "max_retries" in said
        return unreachable

    def _refused(self, code: str, url: str) -> PlanError:
        whose = identity(urlsplit(self.root).scheme)
        expired = code in {"ExpiredToken", "TokenRefreshRequired"}
        why = "they have expired" if expired else f"the server says {code or 'that access is denied'}"
        return PlanError(
            f"`{url}` cannot be read or written with the credentials of {whose}: {why}",
            hint=f"renew {whose}, then run the same command again" if expired else f"check {whose}",
        )


@functools.lru_cache(maxsize=4096)
def bucket(root: str) -> Bucket:
    """The bucket of a root; the same one for all of a process."""
    return Bucket(root)


def is_url(path: str) -> bool:
    """Whether a path that a user typed is that of an object store.

    Example:
        >>> is_url("s3://bucket/folder"), is_url("corpus/s3"), is_url("C:/x")
        (True, False, False)
    """
    scheme, found, _ = path.partition("://")
    return bool(found) and scheme in SCHEMES


def unknown_scheme(path: str) -> str:
    """The scheme of an address that nothing here opens; empty where it has none."""
    scheme, found, _ = path.partition("://")
    return scheme if found and re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme) and scheme not in SCHEMES else ""


def split_url(url: str) -> tuple[str, str]:
    """The root of a store, and the key in it.

    Example:
        >>> split_url("s3://bucket/a/b.jsonl"), split_url("https://host/a/b.jsonl?x=1")
        (('s3://bucket', 'a/b.jsonl'), ('https://host/a/b.jsonl?x=1', ''))
        >>> split_url("hf://datasets/owner/name@main/data/0.parquet")
        ('hf://datasets/owner/name@main', 'data/0.parquet')
    """
    scheme, _, rest = url.partition("://")
    if scheme in {"http", "https"}:
        return url, ""
    pieces = rest.split("/")
    depth = 3 if scheme == "hf" else 1
    return f"{scheme}://" + "/".join(pieces[:depth]), "/".join(pieces[depth:]).strip("/")


def _short(said: str) -> str:
    """The end of what a library says, without the request."""
    line = said.partition("\n")[0]
    return (line.rpartition(" - ")[2] or line)[:200]
