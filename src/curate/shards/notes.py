"""What is known of shards while their index is not written, and which files in their folder are curate's.

A note says of one shard what it was made from and what its bytes are. It is written when the shard is whole and before
it gets its name, so that no shard is ever in place of which nothing is known.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec

from curate.errors import UserError
from curate.shards.entry import ShardEntry
from curate.shards.files.hashed_file import xxh3_of
from curate.shards.format import INDEX_FILES
from curate.shards.index import ShardIndex, index_path
from curate.store.checked_json import BrokenJson, parsed, read_json, write_json
from curate.store.files import entries, is_unfinished, remove, remove_empty
from curate.store.objects.tags import is_unchanged, unchanged


class Notes:
    """The notes of one folder of shards.

    Args:
        shards: the folder.
        notes: folder of the notes; may be deleted, shards are then written again.
    """

    def __init__(self, shards: Path, notes: Path) -> None:
        self._shards, self._notes = shards, notes
        self._own_notes = {entry.name for entry in entries(notes) if entry.is_file and _entry(entry.path)}
        self._hashes = self._known_hashes()
        self._unchanged = unchanged(shards.parent)

    def require_room(self, *names: str) -> None:
        """See that files may be written to the folder under these names.

        Raises:
            UserError: a file that is not curate's has one of them.
        """
        for name in names:
            file = self._shards / name
            if (
                (file.exists() or file.is_symlink())
                and name not in self._hashes
                and not (name in INDEX_FILES and _was_index(file))
            ):
                raise UserError(
                    f"`{file}` has the name of a file of the shards, and curate did not write it",
                    hint="move it, then run the same command again",
                )

    def take(self, number: int, entry: ShardEntry, key: str) -> None:
        """Write the note of a shard that is whole and about to get its name; raises as `require_room` does."""
        self.require_room(*entry.files)
        write_json(self._file(number), {"key": key, "entry": msgspec.to_builtins(entry)})

    def existing(self, number: int, key: str) -> ShardEntry | None:
        """A shard that was made from the same and is still what was written."""
        note = _read(self._file(number)) or {}
        entry = _entry(self._file(number))
        if entry is None or note.get("key") != key:
            return None
        is_known = all(is_unchanged(self._shards / name, self._unchanged) for name in entry.files)
        return entry if is_known or entry.is_whole(self._shards) else None

    def clear(self, kept: Collection[ShardEntry]) -> None:
        """Remove shards and notes of an earlier run that cut differently."""
        current = {name for entry in kept for name in entry.files}
        for name, hashes in self._hashes.items():
            if name not in current and is_one_of(self._shards / name, hashes):
                remove(self._shards / name)
        for name in self._own_notes - {f"shard-{Path(entry.file).stem.rpartition('-')[2]}.json" for entry in kept}:
            remove(self._notes / name)

    def clear_all(self) -> None:
        """Remove all that is curate's."""
        self.clear(())
        if _index(self._shards) is not None:
            remove(index_path(self._shards))
        remove_empty(self._shards)
        remove_empty(self._notes)

    def foreign(self) -> list[str]:
        """What lies among shards and notes and is not curate's; what a killed run left unfinished goes."""
        found = []
        for folder, known in ((self._shards, {*self._hashes, *INDEX_FILES}), (self._notes, self._own_notes)):
            for entry in entries(folder):
                if entry.is_file and is_unfinished(entry.name):
                    remove(entry.path)
                elif entry.name not in known:
                    found.append(entry.path.relative_to(self._shards.parent).as_posix())
        return found

    def _known_hashes(self) -> dict[str, set[str]]:
        """XXH3-128 of every file that the index or a note names; a note may be younger than the index."""
        found: dict[str, set[str]] = {}
        index = _index(self._shards)
        noted = [_entry(self._notes / name) for name in self._own_notes]
        for entry in (*noted, *(index.shards if index else ())):
            for name, xxh3 in (entry.files if entry else {}).items():
                found.setdefault(name, set()).add(xxh3)
        if index and index.tokenizer.file:
            found[index.tokenizer.file] = {index.tokenizer.xxh3 or ""}
        for name, xxh3 in index.files.items() if index else ():
            found.setdefault(name, set()).add(xxh3)
        return found

    def _file(self, number: int) -> Path:
        return self._notes / f"shard-{number:05d}.json"


def is_one_of(file: Path, hashes: Collection[str]) -> bool:
    """Whether the bytes of a file, which is no link, have one of these XXH3-128."""
    return not file.is_symlink() and bool(found := xxh3_of(file)) and found in hashes


def _index(folder: Path) -> ShardIndex | None:
    content = _read(index_path(folder))
    try:
        return None if content is None else msgspec.convert(content, ShardIndex)
    except msgspec.ValidationError:
        return None


def _was_index(file: Path) -> bool:
    """Whether it is an index of ours, damaged perhaps."""
    try:
        return {"tokenizer", "shard_tokens"} <= parsed(file).keys()
    except (BrokenJson, FileNotFoundError):
        return not file.is_dir()


def _entry(note: Path) -> ShardEntry | None:
    try:
        return msgspec.convert((_read(note) or {})["entry"], ShardEntry)
    except (KeyError, msgspec.ValidationError):
        return None


def _read(file: Path) -> Mapping[str, Any] | None:
    try:
        return read_json(file)
    except (BrokenJson, FileNotFoundError):
        return None
