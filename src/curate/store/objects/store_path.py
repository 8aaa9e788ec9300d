"""A path in an object store that is used like one of this disk.

What `pathlib` does with names it does here too. What it does with files goes to the store: `exists`, `stat`, `iterdir`,
`unlink`. Whoever opens the path (Python, NumPy, Arrow, polars: all ask for `os.fspath`) gets a copy of the object on
this disk, fetched when it is first asked for. Nothing can be written through it: files are written here and put in
place whole, by `curate.store.files.whole_file`.
"""

import errno
import io
import os
import posixpath
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PosixPath, PurePosixPath
from typing import IO, Any

from curate.errors import Stopped
from curate.store.objects.bucket import Bucket, Changed, Stored, bucket, split_url
from curate.store.objects.endpoint import Endpoint, say_endpoint
from curate.store.objects.local_copies import LocalCopies

_FRESH_SECONDS = 2.0


class Tree:
    """What a folder of a store holds.

    Args:
        store: where it is.
        prefix: key of the folder.
        listed: whether it is listed once and kept up to date with what this process writes and removes. A worker is
            given paths alone, and others write beside it: it asks the store each time.
    """

    def __init__(self, store: Bucket, prefix: str, *, listed: bool) -> None:
        self.store, self.prefix, self.is_listed = store, prefix, listed
        self.copies = LocalCopies(store)
        self.held = False
        """Whether this process alone may write to it: then nothing changes behind its back."""
        self.writable_until: float | None = None
        """When a claim that could not be renewed ends, by the monotonic clock; None where there is no claim."""
        self._objects: dict[str, Stored] | None = None
        self._folders: set[str] | None = None
        self._listed = 0.0
        self._lock = threading.RLock()

    def refresh(self) -> None:
        """List it again before the next look, if others may have written since."""
        with self._lock:
            if not self.held and time.monotonic() - self._listed > _FRESH_SECONDS:
                self._objects = None

    def forget(self) -> None:
        """List it again before the next look."""
        with self._lock:
            self._objects = None

    def objects(self) -> dict[str, Stored]:
        """All objects by their keys."""
        with self._lock:
            if self._objects is None or not self.is_listed:
                self._objects = {one.key: one for one in self.store.listed(self.prefix)}
                if not self._objects and self.prefix:  # it may be an object itself
                    with suppress(FileNotFoundError):
                        self._objects[self.prefix] = self.store.facts(self.prefix)
                self._folders = None
                self._listed = time.monotonic()
            return self._objects

    def find(self, key: str) -> Stored | None:
        """The object of that key. Of one that is not in the list the store is asked: a worker may have written it."""
        found = self.objects().get(key) if self.is_listed else None
        if found is None:
            with suppress(FileNotFoundError):
                found = self.store.facts(key)
                if self.is_listed:
                    self._add(found)
        return found

    def is_folder(self, key: str) -> bool:
        """Whether there are objects below a key."""
        with self._lock:
            objects = self.objects()
            if self._folders is None:
                self._folders = {folder for one in objects for folder in folders_of(one)}
            return key in self._folders or (not key and bool(objects))

    def children(self, key: str) -> list[str]:
        """Names right below a folder, sorted."""
        start = f"{key}/" if key else ""
        return sorted({one[len(start) :].partition("/")[0] for one in list(self.objects()) if one.startswith(start)})

    def put(self, key: str, file: Path) -> None:
        """Write a file of this disk to the store; it becomes the copy of the object."""
        self._require_claim()
        stored = self.store.put(key, file)
        if not stored.tag:
            stored = self.store.facts(key)
        self.copies.adopt(file, stored)
        self._add(stored)

    def _require_claim(self) -> None:
        """See that no other run may have taken it over."""
        if self.writable_until is not None and time.monotonic() > self.writable_until:
            raise Stopped(
                f"the lock of `{self.store.url(self.prefix)}` was lost: another run may be writing to it",
                hint="the same command continues when that run has ended",
            )

    def _add(self, stored: Stored) -> None:
        with self._lock:
            if self._objects is not None:
                self._objects[stored.key] = stored
                self._folders = None if self._folders is None else self._folders.union(folders_of(stored.key))

    def delete(self, key: str) -> None:
        """Remove an object; there may be none."""
        self._require_claim()
        self.store.delete(key)
        with self._lock:
            if self._objects is not None and key in self._objects:
                del self._objects[key]
                self._folders = None


_trees: dict[str, Tree] = {}
_trees_lock = threading.Lock()


def tree_of(url: str, *, root: bool = False) -> Tree:
    """The tree that a path lies in; ``root`` makes it one where it lies in none yet."""
    with _trees_lock:
        at = url.rstrip("/")
        while "/" in at:
            if at in _trees:
                return _trees[at]
            at = at.rpartition("/")[0]
        store, key = split_url(url)
        if not root:
            key = key.rpartition("/")[0]
        return _trees.setdefault(f"{store}/{key}".rstrip("/"), Tree(bucket(store), key, listed=root))


def forget_listings() -> None:
    """Look into the stores again before the next answer: other processes of this run have written there."""
    with _trees_lock:
        trees = list(_trees.values())
    for tree in trees:
        tree.forget()


def use_endpoint(given: Endpoint) -> None:
    """Have that server meant by ``s3://`` from now on; what another server answered is forgotten."""
    if say_endpoint(given):
        bucket.cache_clear()
        with _trees_lock:
            _trees.clear()


class StorePath(PosixPath):
    """A path such as ``s3://bucket/runs/june``; see the module.

    Example:
        >>> path = StorePath("s3://bucket/june") / "documents" / "part.parquet"
        >>> str(path), path.name, str(path.parent), path.suffix
        ('s3://bucket/june/documents/part.parquet', 'part.parquet', 's3://bucket/june/documents', '.parquet')
    """

    __slots__ = ()

    def __str__(self) -> str:
        scheme, *rest = self.parts
        return f"{scheme}//{'/'.join(rest)}"

    def __repr__(self) -> str:
        return f"StorePath({str(self)!r})"

    def __bytes__(self) -> bytes:
        return str(self).encode()

    def __fspath__(self) -> str:
        return str(self.local())

    @property
    def tree(self) -> Tree:
        """What is known of the folder it lies in."""
        return tree_of(self._address())

    @property
    def key(self) -> str:
        """Of the object, in its store."""
        return split_url(self._address())[1]

    def _address(self) -> str:
        """Without `..`."""
        scheme, _, rest = str(self).partition("://")
        return f"{scheme}://{posixpath.normpath(rest)}" if ".." in self.parts else str(self)

    def local(self) -> Path:
        """A copy on this disk.

        Raises:
            FileNotFoundError: there is no such object.
        """
        found = self._found()
        try:
            return self.tree.copies.fetched(found)
        except (Changed, FileNotFoundError):  # written again by another process
            self.tree.forget()
            return self.tree.copies.fetched(self._found())

    def _found(self) -> Stored:
        found = self.tree.find(self.key)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))
        return found

    def as_posix(self) -> str:
        """The same."""
        return str(self)

    def absolute(self) -> "StorePath":
        """The same."""
        return self

    def resolve(self, strict: bool = False) -> "StorePath":  # noqa: ARG002
        """The same: there are no links."""
        return self

    def expanduser(self) -> "StorePath":
        """The same."""
        return self

    def is_absolute(self) -> bool:
        """Always."""
        return True

    def as_uri(self) -> str:
        """The address."""
        return str(self)

    def relative_to(self, *other: Any, **options: Any) -> PurePosixPath:  # type: ignore[override]
        """What follows ``other``, which is no address any more."""
        return PurePosixPath(*self.parts).relative_to(PurePosixPath(*other[0].parts), **options)

    def exists(self, **_: Any) -> bool:
        """Whether there is an object or a folder."""
        return self.is_file() or self.is_dir()

    def is_file(self, **_: Any) -> bool:
        """Whether there is an object."""
        return self.tree.find(self.key) is not None

    def is_dir(self, **_: Any) -> bool:
        """Whether there are objects below it."""
        return self.tree.is_folder(self.key)

    def is_symlink(self) -> bool:
        """Never."""
        return False

    def stat(self, **_: Any) -> os.stat_result:
        """Kind and size."""
        found = self.tree.find(self.key)
        if found is None and not self.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self))
        kind, size = (stat.S_IFREG | 0o644, found.size) if found else (stat.S_IFDIR | 0o755, 0)
        return os.stat_result((kind, 0, 0, 1, os.getuid(), os.getgid(), size, 0, 0, 0))

    def lstat(self) -> os.stat_result:
        """As `stat`: there are no links."""
        return self.stat()

    def iterdir(self) -> Iterator["StorePath"]:  # type: ignore[override]
        """What lies in a folder."""
        return iter([self / name for name in self.tree.children(self.key)])

    def glob(self, pattern: str, **_: Any) -> Iterator["StorePath"]:  # type: ignore[override]
        """Objects whose names below the folder match a pattern without ``**``, sorted."""
        start = f"{self.key}/" if self.key else ""
        below = [PurePosixPath(key[len(start) :]) for key in sorted(self.tree.objects()) if key.startswith(start)]
        depth = len(PurePosixPath(pattern).parts)
        return iter([self / name for name in below if len(name.parts) == depth and name.match(pattern)])

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: a folder is there when something is in it."""

    def rmdir(self) -> None:
        """Nothing: an empty folder is none."""

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the object."""
        if not missing_ok:
            self._found()
        self.tree.delete(self.key)

    def open(  # type: ignore[override]
        self, mode: str = "r", buffering: int = -1, encoding: Any = None, errors: Any = None, newline: Any = None
    ) -> IO[Any]:
        """A copy of the object, for reading.

        Raises:
            io.UnsupportedOperation: it is to be written.
        """
        if set(mode) & set("wax+"):
            raise io.UnsupportedOperation(f"`{self}` can only be written whole")
        return self.local().open(mode, buffering, encoding, errors, newline)

    def read_bytes(self) -> bytes:
        """All of it."""
        return self.local().read_bytes()

    def read_text(self, encoding: Any = None, errors: Any = None, newline: Any = None) -> str:  # noqa: ARG002
        """All of it, decoded."""
        return self.local().read_text(encoding, errors)


def folders_of(key: str) -> list[str]:
    """All folders that an object lies in."""
    pieces = key.split("/")
    return ["/".join(pieces[:end]) for end in range(1, len(pieces))]
