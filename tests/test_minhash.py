import numpy as np
import pyarrow as pa
import pytest
from datasketch import MinHash
from hypothesis import given
from hypothesis import strategies as st

from curate.stages.near_dup import NearDup, NearDupSettings
from curate.text.dedup.minhash import NO_SHINGLE, band_keys, extremes_of, permutations, shingle_hashes32, signatures
from curate.text.dedup.shingles import shingle_sets
from thorough import settings


def strings(texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.large_string())


@pytest.mark.parametrize("seed", [1, 2**32 - 1])
def test_permutations_are_those_of_datasketch(seed):
    ours, theirs = permutations(96, seed), MinHash(num_perm=96, seed=seed).permutations
    assert (np.array(ours) == theirs).all()


@settings(deadline=None)  # the first example compiles
@given(
    st.lists(st.text(alphabet="abc d字,", min_size=0, max_size=200), min_size=1, max_size=5),
    st.integers(1, 6),
)
def test_signatures_are_those_of_datasketch(texts, size):
    sketches, _, extremes = signatures(strings(texts), size, permutations(64, seed=7))
    hashes, offsets = shingle_sets(strings(texts), size)
    assert (extremes == extremes_of(hashes, offsets)).all()
    for text in range(len(texts)):
        reference = MinHash(num_perm=64, seed=7, hashfunc=int, scheme="affine32")
        if offsets[text] < offsets[text + 1]:
            reference.update_batch(shingle_hashes32(hashes[offsets[text] : offsets[text + 1]]))
        assert (reference.hashvalues == sketches[text]).all()


def test_signatures_load_into_datasketch():
    texts = ["the quick brown fox jumps over the lazy dog", "the quick brown fox jumps over the lazy cat"]
    sketches = signatures(strings(texts), 2, permutations(1024, seed=1)).signatures
    one, other = (MinHash(hashvalues=sketch, scheme="affine32") for sketch in sketches)
    assert one.jaccard(other) == pytest.approx(7 / 9, abs=0.05)


def test_a_text_without_words_has_no_signature_to_match():
    sketches, counts, _ = signatures(strings(["?!", "word"]), 5, permutations(8, seed=1))
    assert counts.tolist() == [0, 1]
    assert (sketches[0] == NO_SHINGLE).all()


def test_band_keys_agree_exactly_where_all_rows_agree():
    random = np.random.default_rng(1)
    sketches = random.integers(0, 2, (200, 12), np.uint32)
    keys = band_keys(sketches, bands=4, rows=3)
    for band in range(4):
        rows = [tuple(sketch[3 * band : 3 * band + 3]) for sketch in sketches.tolist()]
        same_rows = np.array([[one == other for other in rows] for one in rows])
        assert (same_rows == (keys[band][:, None] == keys[band][None, :])).all()


def test_both_backends_observe_the_same():
    batch = pa.record_batch({"id": ["a", "b", "c"], "text": strings(["a b c d e f", "", "字字字字字字 x"])})
    fast, reference = (NearDup(NearDupSettings(backend=backend)).observe(batch) for backend in ("fast", "datasketch"))
    assert fast.equals(reference)
