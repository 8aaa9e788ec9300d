import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.text.dedup.content_hash import content_hashes
from thorough import settings

PUBLISHED = {
    "": "00000000000000000000000000000000",
    "hello": "029bbd41b3a7d8cb191dae486a901e5b",
    "The quick brown fox jumps over the lazy dog": "6c1b07bc7bbc4be347939ac4a93c437a",
}


def hashes(texts: list[str]) -> list[bytes]:
    return content_hashes(pa.array(texts, pa.large_string())).to_pylist()


def test_known_hashes():
    assert [digest.hex() for digest in hashes(list(PUBLISHED))] == list(PUBLISHED.values())


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.text(max_size=70)))
def test_hashes_are_those_of_murmur3(texts):
    mmh3 = pytest.importorskip("mmh3")
    assert hashes(texts) == [mmh3.mmh3_x64_128_digest(text.encode()) for text in texts]


def test_a_slice_of_an_array_gives_the_same_hashes():
    array = pa.array(["x", "one", "two"], pa.large_string())
    assert content_hashes(array.slice(1)).to_pylist() == hashes(["one", "two"])
