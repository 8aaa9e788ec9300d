"""Input from object stores, web servers and the hub gives the documents and shards of the same files on a disk."""

import json
import random

import polars as pl
import pytest
from obstore.exceptions import InvalidPathError

from corpus_maker import make_corpus, prose
from curate.corpus.discovery.discover import discover
from curate.corpus.input import InputFile, InputSettings
from curate.corpus.inspection.inspect import inspect
from curate.corpus.parts import cut
from curate.corpus.reader import chunks
from curate.corpus.stored import stored_bytes
from curate.errors import ExitCode, InputError, PlanError, Stopped
from curate.store.files import place
from curate.store.objects.bucket import Changed, bucket, traffic
from curate.store.objects.store_path import _trees
from object_server import credentials, faulty_proxy, s3_server, web_server
from small_run import run as small_run


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CURATE_CACHE_DIR", str(tmp_path / "cache"))
    _trees.clear()
    yield
    _trees.clear()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = make_corpus(tmp_path_factory.mktemp("corpus") / "in", documents=40)
    lines = "".join(json.dumps({"id": f"long {n}", "text": prose(n + 500)}) + "\n" for n in range(40))
    (folder / "long.jsonl").write_text(lines)
    pl.DataFrame({"text": [prose(n + 900) for n in range(30)], "n": range(30)}).write_parquet(
        folder / "table.parquet", row_group_size=7
    )
    return folder


@pytest.fixture(scope="module")
def local(corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("local") / "out"
    assert run(corpus, out) == ExitCode.DONE
    return out


def run(corpus, out) -> int:
    """Without comparing documents, which takes longest and reads no input."""
    return small_run(corpus, out, 'pipeline.stages=["normalize","quality","tokenize"]')


def upload(corpus, address: str) -> str:
    root, _, key = address.partition("://")[2].partition("/")
    store = bucket(f"{address.partition('://')[0]}://{root}")
    for path in corpus.rglob("*"):
        if path.is_file():
            store.put(f"{key}/{path.relative_to(corpus).as_posix()}", path.read_bytes())
    return address


def what_came_out(out) -> tuple:
    manifest = json.loads((out / "run.json").read_text())
    documents = pl.concat(pl.read_parquet(out / "documents" / part["name"]) for part in manifest["parts"])
    shards = {path.name: path.read_bytes() for path in (out / "shards").iterdir()}
    return documents.sort("id").to_dicts(), manifest["counts"], sorted(shards)


def inspected(address: str, **settings):
    wanted = InputSettings(**settings)
    found = discover([address], wanted)
    return inspect(found.files, wanted, 2).files, found.skipped


def texts(files, part_bytes: int) -> list[str]:
    found = []
    for strand in cut(files, part_bytes):
        for part in strand.parts:
            for chunk in chunks(strand, frozenset([part.index]), 10_000):
                found += chunk.parse().documents.column("text").to_pylist()
    return found


# ---- the same documents ------------------------------------------------------------------------------------------


def test_a_corpus_in_a_store_gives_what_its_files_give(corpus, local, tmp_path):
    address = upload(corpus, f"memory://corpora/{random.randrange(1 << 60):x}")
    assert run(address, tmp_path / "out") == ExitCode.DONE
    assert what_came_out(tmp_path / "out") == what_came_out(local)


def test_from_a_bucket_with_faults_to_a_bucket(corpus, local, tmp_path, monkeypatch):
    random.seed(7)
    faults = [random.choice(["cut", "503", "slow", "reset", "", "", ""]) for _ in range(60)]
    with s3_server("bucket") as server, faulty_proxy(server, faults) as proxy:
        for name, value in credentials(server).items():
            monkeypatch.setenv(name, value)
        bucket.cache_clear()
        upload(corpus, "s3://bucket/in")
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy)
        bucket.cache_clear()
        assert run("s3://bucket/in", "s3://bucket/out") == ExitCode.DONE
        assert len(faults) < 30
        for stored in bucket("s3://bucket").listed("out"):
            (tmp_path / stored.key).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / stored.key).write_bytes(bucket("s3://bucket").read(stored.key, 0, stored.size, stored.tag))
        bucket.cache_clear()
    assert what_came_out(tmp_path / "out") == what_came_out(local)


@pytest.mark.parametrize("part_bytes", [5_000, 70_000, 150_000, 64_000_000])
def test_lines_belong_to_one_part_wherever_it_ends(corpus, part_bytes):
    data = b"".join(json.dumps({"text": f"{n} " + "x" * (n * 37 % 3000)}).encode() + b"\n" for n in range(400))
    bucket("memory://lines").put("a.jsonl", data)
    files, _ = inspected("memory://lines/a.jsonl")
    assert texts(files, part_bytes) == [json.loads(line)["text"] for line in data.splitlines()]
    assert part_bytes > len(data) or len(cut(files, part_bytes)[0].parts) > 1


def test_each_object_travels_once_and_a_run_again_reads_none(corpus, tmp_path):
    address = upload(corpus, f"memory://corpora/{random.randrange(1 << 60):x}")
    size = sum(path.stat().st_size for path in corpus.rglob("*") if path.is_file())
    before = traffic.read
    assert run(address, tmp_path / "out") == ExitCode.DONE
    first = traffic.read - before
    assert first == size
    assert run(address, tmp_path / "out") == ExitCode.DONE
    assert traffic.read - before == first


# ---- what an address leads to --------------------------------------------------------------------------------------


@pytest.fixture
def tree():
    store = bucket(f"memory://t{random.randrange(1 << 60):x}")
    for key in (
        "a/one.jsonl",
        "a/b/two.jsonl.gz",
        "a/b/c/three.txt",
        "a/.hidden/x.jsonl",
        "a/notes.xyz",
        "a/_SUCCESS",
        "z.jsonl",
    ):
        store.put(key, b'{"text": "x"}\n')
    return store


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("", ["a/b/c/three.txt", "a/b/two.jsonl.gz", "a/one.jsonl", "z.jsonl"]),
        ("/a/", ["b/c/three.txt", "b/two.jsonl.gz", "one.jsonl"]),
        ("/a/one.jsonl", ["one.jsonl"]),
        ("/a/*.jsonl", ["one.jsonl"]),
        ("/a/**/t*", ["b/c/three.txt", "b/two.jsonl.gz"]),
        ("/*/b/**", ["a/b/c/three.txt", "a/b/two.jsonl.gz"]),
    ],
)
def test_addresses_are_folders_objects_and_patterns(tree, pattern, names):
    assert [file.name for file in discover([tree.root + pattern], InputSettings()).files] == names


def test_what_is_passed_over_is_said(tree):
    skipped = {entry.path: entry.kind for entry in discover([f"{tree.root}/a"], InputSettings()).skipped}
    assert skipped == {".hidden/x.jsonl": "hidden", "notes.xyz": "text", "_SUCCESS": "sidecar"}


def test_the_run_that_is_written_is_no_input(tree):
    found = discover([tree.root], InputSettings(), f"{tree.root}/a/b")
    assert [file.name for file in found.files] == ["a/one.jsonl", "z.jsonl"]
    with pytest.raises(InputError, match="would write to"):
        discover([f"{tree.root}/a/b"], InputSettings(), f"{tree.root}/a")


@pytest.mark.parametrize("address", ["/nothing", "/a/*.zip", "/a/on.jsonl"])
def test_an_address_that_leads_nowhere(tree, address):
    with pytest.raises(InputError, match=r"does not exist|matches nothing"):
        discover([tree.root + address], InputSettings())


def test_unknown_schemes_are_said():
    with pytest.raises(InputError, match="`ftp://` is not known"):
        discover(["ftp://host/a.jsonl"], InputSettings())


# ---- objects that change -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt", "a.parquet"])
@pytest.mark.parametrize("change", ["other", "gone"])
def test_an_object_that_changes_while_it_is_read_is_noticed(name, change, tmp_path, monkeypatch):
    monkeypatch.setattr("curate.corpus.stored._KEPT_BYTES", 0)
    monkeypatch.setattr("curate.store.objects.ranges._REMEMBERED", 0)
    store, data = bucket(f"memory://c{random.randrange(1 << 60):x}"), b'{"text": "one"}\n'
    if name.endswith("parquet"):
        pl.DataFrame({"text": ["one", "two"]}).write_parquet(tmp_path / "a.parquet")
        data = (tmp_path / "a.parquet").read_bytes()
    store.put(name, data)
    files, _ = inspected(store.root)
    store.delete(name)
    if change == "other":
        store.put(name, data)
    (chunk,) = (c for strand in cut(files, 1000) for c in chunks(strand, frozenset([0]), 1000))
    parsed = chunk.parse()
    assert len(parsed.documents) == 0
    assert parsed.quarantined.column("reason").to_pylist() == ["unreadable_file"]


# ---- web servers and the hub ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_of_a_web_server(corpus, ranges):
    data = (corpus / "long.jsonl").read_bytes()
    with web_server({"/some data/long.jsonl": data}, ranges=ranges) as web:
        files, _ = inspected(f"{web.address}/some%20data/long.jsonl?token=a%2Fb")
        assert [file.name for file in files] == ["long.jsonl"]
        assert texts(files, 64_000_000) == [json.loads(line)["text"] for line in data.splitlines()]
        assert all(path.endswith("?token=a%2Fb") for _, path in web.asked)
        with pytest.raises(InputError, match="does not exist"):
            discover([f"{web.address}/some%20data/short.jsonl"], InputSettings())


def test_the_bytes_stand_for_a_file_without_tag_and_time(corpus):
    files = {"/a.txt": b"one"}
    with web_server(files, tags=False) as web:
        (one,), _ = inspected(f"{web.address}/a.txt")
        files["/a.txt"] = b"two"
        (two,), _ = inspected(f"{web.address}/a.txt")
    assert one.fingerprint != two.fingerprint


def test_a_server_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setattr("curate.store.objects.credentials._RETRY", {"max_retries": 0})
    with pytest.raises(InputError, match="does not answer"):
        discover(["http://127.0.0.1:1/a.jsonl"], InputSettings())


def test_a_data_set_of_the_hub(corpus, monkeypatch):
    table, commit = (corpus / "table.parquet").read_bytes(), "0123456789" * 4
    entry = {"type": "file", "oid": "b" * 40, "path": "data/train.parquet", "size": len(table)}
    lfs = {"oid": "c" * 64, "size": len(table), "pointerSize": 130}
    tree = [{"type": "directory", "oid": "d" * 40, "path": "data"}, {**entry, "lfs": lfs},
            {**entry, "path": "README.md", "size": 5}]  # fmt: skip
    info = {"id": "owner/name", "sha": commit, "private": False, "gated": False, "downloads": 0, "likes": 0,
            "tags": [], "siblings": [], "disabled": False}  # fmt: skip
    files = {
        "/api/datasets/owner/name": json.dumps(info).encode(),
        f"/api/datasets/owner/name/tree/{commit}": json.dumps(tree).encode(),
        f"/datasets/owner/name/resolve/{commit}/data/train.parquet": table,
    }
    with web_server(files, tags=False) as web:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", web.address)
        monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", web.address)
        monkeypatch.setenv("HF_ENDPOINT", web.address)
        found, skipped = inspected("hf://datasets/owner/name/data")
        assert [(file.name, skipped) for file in found] == [("train.parquet", ())]
        assert texts(found, 64_000_000) == pl.read_parquet(corpus / "table.parquet")["text"].to_list()
        with pytest.raises(InputError, match="does not exist"):
            discover(["hf://datasets/owner/name/date"], InputSettings())


def test_missing_credentials_end_a_run_before_anything_is_written(monkeypatch, tmp_path):
    monkeypatch.setattr("curate.store.objects.credentials._answers", lambda _: False)
    monkeypatch.setenv("HOME", str(tmp_path))
    bucket.cache_clear()
    for name in ("AWS_ACCESS_KEY_ID", "AZURE_STORAGE_ACCOUNT_NAME", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    for address, variable in [("s3://b/x", "AWS_ACCESS_KEY_ID"), ("gs://b/x", "GOOGLE_APPLICATION_CREDENTIALS"),
                              ("az://b/x", "AZURE_STORAGE_ACCOUNT_NAME")]:  # fmt: skip
        with pytest.raises(PlanError, match=f"{variable} is not set"):
            run(address, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", [1, 1000, 300_000, 9_000_001])
def test_blocks_of_an_object_are_its_bytes_in_order(size, monkeypatch):
    monkeypatch.setattr("curate.store.objects.bucket._CHUNK", 1000)
    monkeypatch.setattr("curate.store.objects.bucket.STREAM", 30_000)
    data = random.Random(size).randbytes(500_000 if size > 1 else 3000)
    store = bucket("memory://blocks")
    stored = store.put("a", data)
    file = InputFile(path="memory://blocks/a", name="a", format="text", size=len(data), tag=stored.tag)
    with stored_bytes(file) as source:
        for start, stop in [(0, len(data)), (1, 2), (999, len(data) - 1), (7, 7)]:
            blocks = list(source.blocks(start, stop, size))
            assert b"".join(blocks) == data[start:stop]
            assert {len(block) for block in blocks[:-1]} <= {size}


def test_a_stream_that_breaks_off_is_taken_up_where_it_broke(monkeypatch):
    monkeypatch.setattr("curate.store.objects.bucket._CHUNK", 1000)
    monkeypatch.setattr("curate.store.objects.bucket.STREAM", 200_000)
    monkeypatch.setattr("curate.store.objects.bucket._PAUSE", 0.001)
    data, faults = random.Random(1).randbytes(500_000), ["cut", "cut", "", "reset", "503", "cut"]
    with web_server({"/a": data}) as web, faulty_proxy(web.address, faults) as proxy:
        tag, before = bucket(f"{proxy}/a").facts("").tag, traffic.read
        assert b"".join(bucket(f"{proxy}/a").stream("", 0, len(data), tag)) == data
        assert not faults
        assert traffic.read - before == len(data)
        web.files["/a"] = b"other"
        with pytest.raises(Changed):
            list(bucket(f"{proxy}/a").stream("", 0, len(data), tag))


def test_expired_credentials_end_a_run_with_nothing_half_written(corpus, monkeypatch):
    with s3_server("bucket") as server, faulty_proxy(server, faults := []) as proxy:
        for name, value in credentials(proxy).items():
            monkeypatch.setenv(name, value)
        bucket.cache_clear()
        upload(corpus, "s3://bucket/in")
        for lucky in (0, 9, 30):
            faults[:] = [""] * lucky + ["expired"] * 1000
            with pytest.raises(PlanError, match=r"credentials of AWS_ACCESS_KEY_ID: they have expired"):
                run("s3://bucket/in", "s3://bucket/out")
            faults.clear()
        assert run("s3://bucket/in", "s3://bucket/out") == ExitCode.DONE
        assert place("s3://bucket/out").tree.find("out/.curate.lock") is None
    bucket.cache_clear()


def test_a_store_that_stops_to_answer_stops_the_run_and_the_same_command_continues(corpus, monkeypatch):
    monkeypatch.setattr("curate.store.objects.credentials._RETRY", {"max_retries": 1})
    with s3_server("bucket") as server, faulty_proxy(server, faults := []) as proxy:
        for name, value in credentials(proxy).items():
            monkeypatch.setenv(name, value)
        bucket.cache_clear()
        upload(corpus, "s3://bucket/in")
        faults[:] = [""] * 25 + ["503"] * 1000
        with pytest.raises(Stopped) as told:
            run("s3://bucket/in", "s3://bucket/out")
        assert told.value.exit_code == ExitCode.STOPPED
        faults.clear()
        assert run("s3://bucket/in", "s3://bucket/out") == ExitCode.DONE
    bucket.cache_clear()


def test_a_data_set_without_the_hub_names_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PlanError, match="needs the package `huggingface_hub`") as raised:
        discover(["hf://datasets/owner/name"], InputSettings())
    assert raised.value.hint == "pip install 'curate-corpus[hf]'"


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://bucket/x", "cannot be opened: .*Missing AccessKeyId"),
        ("hf://datasets/owner/name", "cannot be listed"),
        ("hf://owner/name", "names no data set"),
    ],
)
def test_what_cannot_be_opened_is_an_error_of_the_user(address, said, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "half")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("curate.store.objects.credentials._answers", lambda _: True)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", "http://127.0.0.1:1")
    bucket.cache_clear()
    with pytest.raises((InputError, PlanError), match=said):
        discover([address], InputSettings())


def test_what_the_library_dies_of_is_an_error_of_the_user():
    """It checks no name of a bucket before it asks a server for it."""

    class PanicException(BaseException):
        pass

    def panic():
        raise PanicException("request valid: InvalidUri(InvalidUriChar)")

    with pytest.raises(InputError, match="`memory://odd/a` cannot be asked for: request valid"):
        bucket("memory://odd")._tried(panic, "a")


def test_a_key_that_the_library_refuses_is_named(monkeypatch):
    """Of a whole listing one such key is an error there."""

    def refuse(*_args, **_named):
        raise InvalidPathError('Encountered object with invalid path: Path "in//a.jsonl" contained empty path segment')

    monkeypatch.setattr("obstore.list", refuse)
    with pytest.raises(InputError, match="cannot be listed: it holds an object with the key `in//a.jsonl`"):
        list(bucket("memory://odd").listed("in"))
