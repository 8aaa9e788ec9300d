"""Azure's and Google's storage: the laws of a run hold there too. Skipped where the emulators are not installed."""

import json
import random

import pytest

from corpus_maker import make_corpus
from curate.errors import ExitCode, UserError
from curate.store.files import place
from curate.store.objects import lease as lease_module
from curate.store.objects.bucket import Taken, bucket
from curate.store.objects.store_path import _trees
from curate.store.ownership.claim import claimed
from curate.store.run_directory import LOCK
from emulators import CONTAINER, emulator, upload_to_google
from small_run import HOLD_TIMES, manifest, run


@pytest.fixture(params=["az", "gs"], scope="module")
def store(request):
    """A store of which nobody in this process knows anything yet."""
    with emulator(request.param) as names, pytest.MonkeyPatch.context() as patch:
        for name, value in names.items():
            patch.setenv(name, value)
        bucket.cache_clear()
        _trees.clear()
        yield bucket(f"{request.param}://{CONTAINER}")
        bucket.cache_clear()
        _trees.clear()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return make_corpus(tmp_path_factory.mktemp("corpus") / "in", documents=40)


@pytest.fixture(scope="module")
def local(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("local") / "out"
    assert run(corpus, out) == ExitCode.DONE
    return out


def put(store, key: str, data: bytes) -> None:
    if store.root.startswith("gs"):
        import os

        upload_to_google(os.environ["GOOGLE_BASE_URL"], key, data)
    else:
        store.put(key, data)


def test_input_is_what_its_files_are(store, corpus, local, tmp_path):
    for path in corpus.rglob("*"):
        if path.is_file():
            put(store, f"in/{path.relative_to(corpus).as_posix()}", path.read_bytes())
    assert run(f"{store.root}/in", tmp_path / "out") == ExitCode.DONE
    assert manifest(tmp_path / "out")["counts"] == manifest(local)["counts"]
    shards = {path.name: path.read_bytes() for path in (local / "shards").glob("shard-*")}
    assert {path.name: path.read_bytes() for path in (tmp_path / "out/shards").glob("shard-*")} == shards


def test_what_is_listed_is_what_is_told_and_ranges_are_its_bytes(store):
    data = random.Random(1).randbytes(300_000)
    put(store, "few/a", data)
    (listed,) = store.listed("few")
    assert listed == store.facts("few/a")
    assert store.read("few/a", 1000, 2000, listed.tag) == data[1000:2000]
    assert b"".join(store.stream("few/a", 5, len(data), listed.tag)) == data[5:]


def test_a_run_has_the_same_bytes_and_redoes_nothing(store, corpus, local):
    require_writing(store)
    out = f"{store.root}/out"
    for _ in range(2):
        assert run(corpus, out) == ExitCode.DONE
        found = {one.key.removeprefix("out/"): store.read(one.key, 0, max(1, one.size)) for one in store.listed("out")}
        known = {path.relative_to(local).as_posix(): path.read_bytes() for path in local.rglob("*") if path.is_file()}
        for name in HOLD_TIMES | {".cache/tags.json"}:
            found.pop(name, None)
            known.pop(name, None)
        assert found == known
        _trees.clear()
    assert json.loads(store.read("out/run.json", 0, 1 << 23))["counts"] == manifest(local)["counts"]


def test_claims_are_made_on_condition(store, monkeypatch):
    require_writing(store)
    first = store.put("claim", b"one", replaces=False)
    with pytest.raises(Taken):
        store.put("claim", b"two", replaces=False)
    store.put("claim", b"two", replaces=first.tag)
    with pytest.raises(Taken):
        store.put("claim", b"three", replaces=first.tag)
    path, mine = place(f"{store.root}/held"), lease_module._holder
    with claimed(path, "curate run a"):
        monkeypatch.setattr(lease_module, "_holder", lambda renewed: mine(renewed) | {"host": "far-away"})
        with pytest.raises(UserError), claimed(path, "curate run b"):
            pass
        monkeypatch.undo()
    assert store.facts("claim")
    assert not (path / LOCK).exists()


def require_writing(store) -> None:
    if store.root.startswith("gs"):
        pytest.skip("the emulator of Google's storage takes no objects by the interface that obstore uses")
