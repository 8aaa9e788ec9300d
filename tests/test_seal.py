"""No byte of a row file changes unseen, and every reader of Parquet reads what is sealed."""

import json
from contextlib import suppress

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.store.checked_json import BrokenJson, read_json, write_json
from curate.store.row_file import Keys, is_in_place, keys_of, row_file
from curate.store.seal import BrokenSeal, checked
from thorough import settings

ROWS = pa.table(
    {
        "id": [f"doc-{at}" for at in range(90)],
        "text": pa.array(["so it was said. " * (at % 5) for at in range(90)], pa.large_string()),
        "origin": pa.array([{"file": "a.jsonl", "position": at} for at in range(90)]),
        "reasons": pa.array([None if at % 3 else ["short"] * (at % 2) for at in range(90)], pa.list_(pa.string())),
    }
)


@pytest.fixture(scope="module", params=[0, 1, 3], ids=lambda groups: f"{groups} row groups")
def sealed(request, tmp_path_factory):
    file = tmp_path_factory.mktemp("run") / "documents" / "part-5f0c0db3a1e2-0000.parquet"
    with row_file(file, ROWS.schema, ["origin.file"]) as writer:
        for group in range(request.param):
            writer.write(ROWS.slice(30 * group, 30).combine_chunks().to_batches()[0])
        writer.finish(Keys("measured", "judged"))
    return file


def test_everybody_reads_it(sealed):
    rows = ROWS.slice(0, checked(sealed).num_rows)
    assert pq.read_table(sealed).equals(rows)
    assert pl.read_parquet(sealed).equals(pl.from_arrow(rows))
    assert keys_of(sealed) == Keys("measured", "judged")


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_change_is_found(sealed, tmp_path_factory, data):
    content = sealed.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    kind = data.draw(st.sampled_from(["flip", "cut", "drop", "insert", "append"]))
    changed = {
        "flip": content[:place] + bytes([content[place] ^ 1 << data.draw(st.integers(0, 7))]) + content[place + 1 :],
        "cut": content[:place],
        "drop": content[:place] + content[place + 1 :],
        "insert": content[:place] + b"\0" + content[place:],
        "append": content + data.draw(st.binary(min_size=1, max_size=9)),
    }[kind]
    if changed == content:  # a zero dropped or inserted among zeros
        return
    other = tmp_path_factory.mktemp("changed") / "part"
    other.write_bytes(changed)
    with pytest.raises(BrokenSeal):
        checked(other)


def test_only_what_is_asked_about_is_looked_at(sealed, tmp_path):
    footer = pq.read_metadata(sealed)
    if not footer.num_row_groups:
        return
    content = bytearray(sealed.read_bytes())
    content[footer.row_group(0).column(1).data_page_offset + 40] ^= 1
    damaged = tmp_path / "part"
    damaged.write_bytes(content)
    for columns in ((), ("id", "reasons"), ("origin",)):
        assert checked(damaged, columns).num_rows == footer.num_rows
    for columns in (None, ("id", "text")):
        with pytest.raises(BrokenSeal, match="`text` in row group 0"):
            checked(damaged, columns)
    if footer.num_row_groups > 1:
        assert checked(damaged, group=1).num_rows == footer.num_rows


def test_a_copy_in_another_place_is_not_a_file_of_the_run(sealed, tmp_path):
    assert is_in_place(sealed)
    for folder, name in (("documents", "part-5f0c0db3a1e2-0001.parquet"), ("backup", sealed.name)):
        copy = tmp_path / folder / name
        copy.parent.mkdir()
        copy.write_bytes(sealed.read_bytes())
        assert not is_in_place(copy)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=8).filter(lambda name: name != "checksum"), values, max_size=6))
def test_json_comes_back_and_may_be_indented_anew(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("json") / "run.json"
    write_json(file, content)
    file.write_text(json.dumps(json.loads(file.read_bytes()), indent=7), "utf-8")
    assert json.dumps(read_json(file), sort_keys=True) == json.dumps(content, sort_keys=True)


@settings(deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 7))
def test_flipped_json_is_broken_or_says_the_same(tmp_path_factory, place, bit):
    file = tmp_path_factory.mktemp("json") / "run.json"
    said = {"kept": 850, "share": 0.34, "name": "größer", "list": [1, None, True, "a b"], "empty": {}}
    write_json(file, said)
    content = bytearray(file.read_bytes())
    content[place % len(content)] ^= 1 << bit
    file.write_bytes(content)
    with suppress(BrokenJson):
        assert read_json(file) == said
