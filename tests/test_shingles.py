import random
import re
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.text.dedup import jaccard as exact
from curate.text.dedup.shingles import CHUNK_WORDS, shingle_sets, sorted_pieces
from reference_shingles import jaccard, shingle_set, words
from thorough import settings

SAMPLES = [
    "To be, or not to be: that is the question.",
    "Ой у лузі червона калина похилилася",
    "ΟΔΥΣΣΕΥΣ ὁ πολύτροπος, Ὀδυσσεύς",
    "İstanbul'da yağmur yağıyor",
    "हिन्दी में लिखा हुआ एक वाक्य है।",
    "பழமொழி தமிழ் இலக்கியம்",
    "我们在2024年使用Python编写了这个程序。",
    "吾輩は猫である。名前はまだ無い。ガラスのコップ",
    "ภาษาไทยไม่มีช่องว่างระหว่างคำ",
    "ພາສາລາວ ភាសាខ្មែរ မြန်မာဘာသာ",
    "snake_case ²³½Ⅷ a1b2 \u200bx",
    "🙂🙂 -- !!",
    "",
]


def sets_of(texts: list[str], size: int) -> list[np.ndarray]:
    hashes, offsets = shingle_sets(pa.array(texts, pa.large_string()), size)
    return [hashes[start:end] for start, end in pairwise(offsets)]


@settings(deadline=None)  # the first example compiles
@given(
    st.lists(st.text(alphabet=st.sampled_from("aAbBßÉé_ ,ς1字かกข\u0301")) | st.sampled_from(SAMPLES), min_size=2),
    st.integers(1, 6),
)
def test_sets_are_those_of_the_definition(texts, size):
    made = sets_of(texts, size)
    expected = [shingle_set(text, size) for text in texts]
    assert [len(members) for members in made] == [len(members) for members in expected]
    assert exact.jaccard(made[0], made[1]) == jaccard(expected[0], expected[1])


PIECES = st.sampled_from(
    ["a", "The", "x1_", "eightlet", "ninelette", "W" * 70, "é", "Я", "İ", "字", "ก", "🙂", " ", ", ", "’", "  " * 40]
)


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.lists(PIECES, min_size=60, max_size=150).map("".join), min_size=2, max_size=3), st.integers(1, 6))
def test_long_texts_of_any_mixture_have_the_sets_of_the_definition(texts, size):
    made = sets_of(texts, size)
    expected = [shingle_set(text, size) for text in texts]
    assert [len(members) for members in made] == [len(members) for members in expected]
    assert exact.jaccard(made[0], made[1]) == jaccard(expected[0], expected[1])


def test_a_text_of_words_of_one_letter_outgrows_the_table_it_begins_with():
    letters = random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=20 * CHUNK_WORDS)
    [members] = sets_of([" ".join(letters)], 5)
    assert (
        len(members)
        == len(set(members.tolist()))
        == len({tuple(letters[at : at + 5]) for at in range(len(letters) - 4)})
    )


@pytest.mark.parametrize("which", [[], [2], [3, 0, 2]])
def test_sets_are_made_of_the_texts_asked_for_in_their_order(which):
    hashes, offsets = shingle_sets(pa.array(SAMPLES, pa.large_string()), 2, np.array(which, np.int64))
    everything = sets_of(SAMPLES, 2)
    assert [hashes[a:b].tolist() for a, b in pairwise(offsets)] == [everything[at].tolist() for at in which]


def fnv(word: str) -> int:
    """The hash of a word as published, finalised."""
    hashed = 0xCBF29CE484222325
    for character in word:
        hashed = (hashed ^ ord(character)) * 0x100000001B3 % 2**64
    return finalised(hashed)


def finalised(x: int) -> int:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        x = (x ^ x >> 33) * factor % 2**64
    return x ^ x >> 33


@settings(deadline=None)  # the first example compiles
@given(st.lists(st.text("abzAZ059_éßЯ ,.-\n@[`{/:", min_size=30) | st.sampled_from(SAMPLES[:4]), min_size=1))
def test_hashes_are_those_of_every_run_before(texts):
    for text, members in zip(texts, sets_of(texts, 1), strict=True):
        assert set(members.tolist()) == {finalised(fnv(word)) for word in words(text)}


@settings(deadline=None, quick=12)  # the first example compiles
@given(st.lists(PIECES, min_size=1, max_size=1500).map("".join), st.integers(1, 3), st.sampled_from([2, 4, 16]))
def test_pieces_are_the_sorted_set(text, size, pieces):
    [members] = sets_of([text], size)
    found = list(sorted_pieces(pa.array([text], pa.large_string()), size, pieces))
    assert len(found) == pieces
    assert np.concatenate(found).tolist() == sorted(members.tolist())


@pytest.mark.parametrize("sample", SAMPLES[:4])
def test_words_of_spaced_scripts_are_those_of_the_regular_expression(sample):
    assert words(sample) == [word.replace(*"ςσ") for word in re.findall(r"\w+", sample.replace("İ", "i").lower())]


def test_each_code_point_of_a_script_without_spaces_is_part_of_a_word():
    for sample, enough in (
        ("我们使用", 2),
        ("かなカナガ", 2),
        ("ｶﾅﾊﾞ", 2),
        ("ภาษาไทย", 4),
        ("ພາສາລາວ", 4),
        ("မြန်မာဘာသာ", 4),
    ):
        assert len(sets_of([sample], 1)[0]) == len({sample[at : at + enough] for at in range(len(sample) - enough + 1)})
    assert len(sets_of(["ខ្មែរ"], 2)[0]) == 1, "too few for a shingle: all of them are one"


ARTICLE_1 = {
    "zh": "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。",
    "ja": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。"
    "人間は、理性と良心とを授けられており、"
    "互いに同胞の精神をもって行動しなければならない。",
    "th": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผลและมโนธรรม และควรปฏิบัติต่อกันด้วยเจตนารมณ์แห่งภราดรภาพ",
    "lo": "ມະນຸດທຸກຄົນເກີດມາມີກຽດສັກສີ, ສິດທິ, ເສລີພາບແລະຄວາມສະເໝີພາບເທົ່າທຽມກັນ. ທຸກໆຄົນມີເຫດຜົນແລະຄວາມຄິດຄວາມເຫັນສ່ວນຕົວ",
    "km": "មនុស្សទាំងអស់ កើតមកមានសេរីភាព និងសមភាព ក្នុងផ្នែកសេចក្ដីថ្លៃថ្នូរនិងសិទ្ធិ។ មនុស្ស មានវិចារណញ្ញាណនិងសតិសម្បជញ្ញៈជាប់ពីកំណើត",
    "my": "လူတိုင်းသည် တူညီလွတ်လပ်သော ဂုဏ်သိက္ခာဖြင့်လည်းကောင်း၊ တူညီလွတ်လပ်သော အခွင့်အရေးများဖြင့်လည်းကောင်း၊ မွေးဖွားလာသူများ ဖြစ်သည်။",
    "en": "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience "
    "and should act towards one another in a spirit of brotherhood.",
}
"""Universal Declaration of Human Rights, article 1."""


@pytest.mark.parametrize("language", ARTICLE_1)
def test_one_edit_costs_as_many_shingles_as_contain_it(language):
    text = ARTICLE_1[language]
    found = words(text)
    middle = found[len(found) // 2]
    at = text.lower().index(middle, len(text) // 2 - 8)
    rare = {"en": "giraffes", "zh": "龘", "ja": "龘", "th": "ฮ", "lo": "ຮ", "km": "ឡ", "my": "ဠ"}[language]
    copy = text[:at] + rare + text[at + len(middle) :]
    before, after = (set(members.tolist()) for members in sets_of([text, copy], 5))
    lost = {"en": 5, "zh": 8, "ja": 8}.get(language, 20)
    assert len(before - after) == len(after - before) == lost
    assert len(before) == len(shingle_set(text))


@pytest.mark.parametrize(
    ("text", "again", "other"),
    [
        ("Hello, world!", "hello world", "world hello"),
        ("你好，世界！", "你好世界", "世界你好"),
        ("สวัสดีครับ!", "สวัสดี ครับ", "ครับสวัสดี"),
    ],
)
def test_a_text_too_short_for_a_shingle_is_one(text, again, other):
    first, second, third = sets_of([text, again, other], 5)
    assert len(first) == 1
    assert first == second != third


def test_marks_do_not_cut_a_word():
    assert len(sets_of(["हिन्दी"], 1)[0]) == 1


@pytest.mark.parametrize("count", [CHUNK_WORDS - 4, CHUNK_WORDS, CHUNK_WORDS + 3, 5 * CHUNK_WORDS + 7])
@pytest.mark.parametrize("size", [1, 2, 5, 40])
def test_chunks_leave_no_seam(count, size):
    text = " ".join(f"w{number}" for number in range(count))
    assert len(sets_of([text], size)[0]) == count - size + 1
    mixed = "字".join(f"w{number}" for number in range(count))
    assert len(sets_of([mixed], size)[0]) == len(shingle_set(mixed, size))


def test_a_slice_of_an_array_gives_the_same_sets():
    array = pa.array(["other text", *SAMPLES], pa.large_string())
    whole, _ = shingle_sets(pa.array(SAMPLES, pa.large_string()), 2)
    sliced, _ = shingle_sets(array.slice(1), 2)
    assert (whole == sliced).all()
