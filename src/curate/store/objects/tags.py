"""Tags of the objects of a finished run as they were written: whoever finds the same ones need not read the objects."""

from pathlib import Path

from curate.store.checked_json import BrokenJson, read_json, write_json
from curate.store.objects.store_path import StorePath
from curate.store.run_directory import CACHE, LOCK, TAGS


def write_tags(run: Path) -> None:
    """Keep the tags of all objects of a run, if it is in a store."""
    if isinstance(run, StorePath):
        run.tree.forget()  # workers may have written, too
        start = f"{run.key}/" if run.key else ""
        own = {key.removeprefix(start): [one.size, one.tag] for key, one in run.tree.objects().items()}
        kept = {key: own[key] for key in sorted(own) if key not in {LOCK, f"{CACHE}/{TAGS}"}}
        write_json(run / CACHE / TAGS, {"tags": kept})


def is_unchanged(file: Path, keys: frozenset[str]) -> bool:
    """Whether a file is an object with one of the keys that `unchanged` gave."""
    return isinstance(file, StorePath) and file.key in keys


def unchanged(run: Path) -> frozenset[str]:
    """Keys of the objects of a run in a store that are those that were written; none on a disk, where nothing tells."""
    if not isinstance(run, StorePath):
        return frozenset()
    try:
        tags = read_json(run / CACHE / TAGS).get("tags", {})
    except (BrokenJson, FileNotFoundError):
        return frozenset()
    objects, start = run.tree.objects(), f"{run.key}/" if run.key else ""
    return frozenset(
        start + name
        for name, (size, tag) in tags.items()
        if (found := objects.get(start + name)) and (found.size, found.tag) == (size, tag)
    )
