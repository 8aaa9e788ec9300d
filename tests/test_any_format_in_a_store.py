"""Every format, archives too, from an object store: the same documents as from a disk."""

from pathlib import Path

import pytest

from any_format import WRITERS, read, records
from curate.store.objects.bucket import bucket
from curate.store.objects.store_path import _trees
from test_archives import tarred, zipped

ROWS = records(120)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CURATE_CACHE_DIR", str(tmp_path / "cache"))
    _trees.clear()
    yield
    _trees.clear()


def test_the_same_from_a_store(tmp_path: Path) -> None:
    members = {f"in/a{ending}": write(ROWS) for ending, write in WRITERS.items()}
    files = {
        **{f"a{ending}": write(ROWS) for ending, write in WRITERS.items()},
        "d.zip": zipped(members),
        "d.tar": tarred(members),
        "d.tgz": tarred({**members, "in.zip": zipped(members)}, "w:gz"),
        "unknown": WRITERS[".jsonl"](ROWS),
        "old.txt": "Größe und Maß, so heißt es überall – seit vielen Jahren.".encode("cp1252"),
    }
    store = bucket("memory://formats")
    (tmp_path / "here").mkdir()
    for name, data in files.items():
        (tmp_path / "here" / name).write_bytes(data)
        store.put(f"there/{name}", data)
    here, there = read([tmp_path / "here"], part_bytes=20_000), read(["memory://formats/there"], part_bytes=20_000)
    assert len(here.documents) == 120 * (len(WRITERS) * 5 + 1) + 1
    assert [(one["id"], one["text"], one["metadata"]) for one in there.documents] == [
        (one["id"], one["text"], one["metadata"]) for one in here.documents
    ]
    assert (there.quarantined, here.quarantined) == ([], [])
