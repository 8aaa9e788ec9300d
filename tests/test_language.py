"""The language stage: equal to fastText, independent of batches, one set of codes, honest settings."""

import struct
import unicodedata
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curate.models import langid
from curate.models.fasttext import FastText
from curate.models.fasttext_file import read_fasttext
from curate.models.langid import LANGDETECT_CODES, LID176_CODES
from curate.stages.contract import Stage
from curate.stages.language import Language, LanguageSettings
from curate.text.core.excerpt import LEAST_PIECE, excerpts
from curate.text.core.scripts import believable, scripts_of, written_in
from curate.text.language.fold import folded
from thorough import settings

CORPORA = Path(__file__).resolve().parents[1] / ".." / "shared" / "corpora"
needs_corpora = pytest.mark.skipif(not CORPORA.is_dir(), reason="no corpora beside the repository")

SENTENCES = {
    "en": "The committee will publish its findings before the end of the year.",
    "fr": "La commission publiera ses conclusions avant la fin de l'année.",
    "de": "Der Ausschuss wird seine Ergebnisse noch vor Ende des Jahres veröffentlichen.",
    "ja": "委員会は年末までに調査結果を公表する予定です。",
    "ko": "위원회는 올해 말까지 조사 결과를 발표할 예정입니다.",
    "zh": "委员会将在年底之前公布调查结果。",
    "ru": "Комиссия опубликует свои выводы до конца года.",
    "el": "Σήμερα η επιτροπή θα δημοσιεύσει τα πορίσματά της πριν από το τέλος του έτους.",
}


def column(texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.large_string())


def batch(texts: list[str]) -> pa.RecordBatch:
    return pa.record_batch({"text": column(texts)})


@pytest.fixture(scope="module")
def model() -> FastText:
    return FastText.load(langid.LID176)


@pytest.fixture(scope="module")
def reference():
    fasttext = pytest.importorskip("fasttext")
    return fasttext.load_model(str(langid.LID176))


def assert_equal_to_reference(texts: list[str], model: FastText, reference) -> None:
    best, probability, _ = model.predict(column(texts))
    for text, index, score in zip(texts, best, probability, strict=True):
        labels, scores = reference.predict(text.replace("\n", " "))
        assert model.labels[index] == labels[0].removeprefix("__label__"), text
        assert abs(float(score) - min(1.0, scores[0])) < 1e-4, text


# equal to fastText


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \t\n",
        "x" * 100_000,
        "漢" * 5_000,
        "a</s>b </s> le texte après la marque n'est pas lu",
        "__label__fr the label is no word __label__",
        "null\0byte\v\f\rseparators\x85and\u2003not",
        "e\u0301 combining \U0001f469\u200d\U0001f52c emoji 👩‍🔬",
        *SENTENCES.values(),
    ],
)
def test_predicts_what_fasttext_predicts(text, model, reference):
    assert_equal_to_reference([text], model, reference)


@settings(max_examples=150, deadline=None)
@given(
    texts=st.lists(
        st.one_of(
            st.text(max_size=80),
            st.lists(st.sampled_from(" ".join(SENTENCES.values()).split()), max_size=30).map(" ".join),
        ),
        max_size=8,
    )
)
def test_predicts_what_fasttext_predicts_on_anything(texts, model, reference):
    assert_equal_to_reference(texts, model, reference)


@needs_corpora
@pytest.mark.parametrize("name", ["manpages", "php_manual", "react_dev", "tldr", "lingua_sentences"])
def test_predicts_what_fasttext_predicts_on_real_text(name, model, reference):
    rows = pl.read_parquet(CORPORA / "langid" / f"{name}.parquet", columns=["text"])
    texts = rows.sample(min(150, len(rows)), seed=1)["text"].str.head(5_000).to_list()
    assert_equal_to_reference(texts, model, reference)


def made_up_model(words: list[str], labels: list[str], min_ngram: int, max_ngram: int) -> bytes:
    """A dense, unpruned classifier (``.bin``) with random weights."""
    dimensions, buckets = 5, 61
    random = np.random.default_rng(len(words))

    def matrix(rows: int) -> bytes:
        values = random.normal(size=(rows, dimensions)).astype(np.float32)
        return struct.pack("<2q", rows, dimensions) + values.tobytes()

    # dim ws epoch minCount neg wordNgrams loss=hs model=supervised bucket minn maxn lrUpdateRate, then t
    arguments = struct.pack("<12id", dimensions, 5, 5, 1, 5, 1, 1, 3, buckets, min_ngram, max_ngram, 100, 1e-4)
    entries = [(word, 0) for word in words] + [(f"__label__{label}", 1) for label in labels]
    dictionary = struct.pack("<3i2q", len(entries), len(words), len(labels), 999, -1)
    for rank, (entry, kind) in enumerate(entries):
        dictionary += entry.encode() + struct.pack("<bqb", 0, 100 - rank, kind)
    inputs = struct.pack("<?", False) + matrix(len(words) + buckets)
    outputs = struct.pack("<?", False) + matrix(len(labels))
    return struct.pack("<2i", 793712314, 12) + arguments + dictionary + inputs + outputs


@pytest.mark.parametrize(("min_ngram", "max_ngram"), [(1, 1), (1, 3), (3, 6)])
def test_predicts_what_fasttext_predicts_with_other_models(min_ngram, max_ngram, tmp_path):
    fasttext = pytest.importorskip("fasttext")
    file = tmp_path / "model.bin"
    file.write_bytes(made_up_model(["</s>", "the", "été", "漢字"], ["a", "b", "c", "d", "e"], min_ngram, max_ngram))
    texts = ["", "the", "a été the", "漢字 漢", "unknown words only", "x", *SENTENCES.values()]
    assert_equal_to_reference(texts, FastText.load(file), fasttext.load_model(str(file)))


# the file format


def test_refuses_files_it_cannot_evaluate(tmp_path):
    whole = langid.LID176.read_bytes()
    file = tmp_path / "model.ftz"
    cases = {
        b"not a model at all": "not a fastText model",
        b"": "is empty",
        whole[: len(whole) // 2]: "ends in the middle",
        whole[:4] + struct.pack("<i", 10) + whole[8:]: "format 10",
        whole[: 8 + 4 * 6] + struct.pack("<i", 9) + whole[8 + 4 * 7 :]: "loss is 9",
        whole[: 8 + 4 * 7] + struct.pack("<i", 1) + whole[8 + 4 * 8 :]: "not a classifier",
        whole[: 8 + 4 * 5] + struct.pack("<i", 2) + whole[8 + 4 * 6 :]: "over single words",
    }
    for content, message in cases.items():
        file.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            FastText.load(file)


def test_code_tables_are_those_of_the_installed_packages():
    labels = read_fasttext(langid.LID176).labels
    assert frozenset(langid._CODE_OF_LABEL.get(label, label) for label in labels) == LID176_CODES
    profiles = langid._load_langdetect().get_lang_list()
    assert frozenset(langid._CODE_OF_LABEL.get(label, label) for label in profiles) == LANGDETECT_CODES


# excerpts


@settings(max_examples=300, deadline=None)
@given(
    texts=st.lists(st.text(alphabet=st.sampled_from("aaaabé漢\U0001f469  \n"), max_size=400), max_size=6),
    max_bytes=st.integers(LEAST_PIECE, 300),
    whole_below=st.sampled_from([0, 20, 100]),
)
@example(texts=["a" * 61], max_bytes=60, whole_below=100)
def test_an_excerpt_holds_whole_characters_and_all_words_of_what_fits(texts, max_bytes, whole_below):
    found = excerpts(column(texts), max_bytes, whole_below)
    found.validate(full=True)
    for text, excerpt in zip(texts, found.to_pylist(), strict=True):
        size = len(text.encode())
        assert len(excerpt.encode()) <= min(size, max_bytes)
        if size <= max_bytes and (whole_below == 0 or size <= whole_below):
            assert excerpt == text
        elif size <= max_bytes:
            assert sorted(excerpt.split()) == sorted(text.split())
        else:
            assert len(excerpt.encode()) >= min(max_bytes // 3, len(text.strip().encode()))
    assert excerpts(column(texts), 0).to_pylist() == texts


def test_a_sure_label_needs_no_more_text_and_an_unsure_one_all_of_it(model):
    english = "It was the best of times, it was the worst of times, it was the age of wisdom. "
    sure = column([english * 40 + "\n" + "Es war die beste aller Zeiten, es war die schlimmste aller Zeiten. " * 20])
    unsure = column(["zq xw kv jh 12 gg pv " * 100])
    for texts, same in ((sure, False), (unsure, True)):
        whole, some = model.predict(texts), model.predict(texts, first_look=500, confident=0.9)
        assert whole[0].tolist() == some[0].tolist()
        assert (whole[1].tolist() == some[1].tolist()) is same


# folded


def test_folded_labels_are_those_of_fasttext_on_the_folded_text(model, reference):
    codes = [langid._CODE_OF_LABEL.get(label, label) for label in model.labels]
    written = written_in(codes)
    texts = [
        *SENTENCES.values(),
        *map(str.upper, SENTENCES.values()),
        "Prix\u00a0: 42 %",
        "ok",
        "",
        "0x3f",
        "Жж zzzz yyyy xxxx",
    ]
    plain = folded(column(texts))
    best, probability, seen = model.predict(column(texts), folded=written)
    for text, letters, index, score, size in zip(
        plain.texts.to_pylist(), plain.letters, best, probability, seen, strict=True
    ):
        labels, scores = reference.predict(text, k=len(codes))
        may_be = believable(written, letters[None])[0]
        expected = [
            (label, p)
            for label, p in zip(labels, scores, strict=True)
            if text and may_be[model.labels.index(label[9:])]
        ]
        assert size == (len(text.encode()) + 1 if text else 0)
        if not expected:
            assert (index, score) == (-1, 0.0)
            continue
        assert model.labels[index] == expected[0][0].removeprefix("__label__")
        assert abs(float(score) - min(1.0, expected[0][1])) < 1e-4


def test_reading_on_sees_the_same_folded_or_read_folded(model):
    texts = column([" ".join([sentence.upper()] * 5) for sentence in SENTENCES.values()])
    written = written_in([langid._CODE_OF_LABEL.get(label, label) for label in model.labels])
    for looks in ({}, {"first_look": 100, "confident": 0.5}):
        now, then = model.predict(texts, folded=written, **looks), model.predict(folded(texts).texts, **looks)
        assert now[0].tolist() == then[0].tolist()
        assert now[1].tolist() == then[1].tolist()


WRITTEN = {
    "in capitals": str.upper,
    "in title case": str.title,
    "alternating": lambda text: "".join(char.upper() if at % 2 else char for at, char in enumerate(text)),
    "with no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "with narrow ones": lambda text: text.replace(" ", "\u202f"),
    "with em spaces": lambda text: text.replace(" ", "\u2003"),
    "decomposed": lambda text: unicodedata.normalize("NFD", text),
    "with soft hyphens": "\u00ad".join,
    "with zero-width spaces": lambda text: "\u200b".join(text) if text.isascii() else text,
    "spaced out": lambda text: "   ".join(" ".join(word) for word in text.split()) if text.isascii() else text,
    "in full width": lambda text: "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text),
    "struck through": lambda text: "".join(char + "\u0336" if char.isascii() else char for char in text),
    "escaped": lambda text: "".join(f"&#x{ord(char):x};" if char.isalpha() else char for char in text),
}


@pytest.mark.parametrize("how", WRITTEN)
@pytest.mark.parametrize("backend", ["lid176", "langdetect"])
def test_a_label_does_not_hang_on_how_a_text_is_written(how, backend):
    stage = Language(LanguageSettings(backend=backend))
    texts = list(SENTENCES.values())
    plain = stage.measure(batch(texts)).to_pylist()
    found = stage.measure(batch([WRITTEN[how](text) for text in texts])).to_pylist()
    assert [row["label"] for row in found] == [*SENTENCES]
    assert all(abs(now["score"] - then["score"]) < 0.1 for now, then in zip(found, plain, strict=True))
    assert all(row["score"] > 0.8 for row in found)


def test_turkish_in_capitals_is_turkish():
    text = "İSTANBUL TÜRKİYE'NİN EN KALABALIK ŞEHRİDİR VE SINIRLARI İÇİNDE YAŞIYORUZ"
    (row,) = Language(LanguageSettings()).measure(batch([text])).to_pylist()
    assert row["label"] == "tr"
    assert row["score"] > 0.9


def test_a_text_is_told_by_its_prose_and_not_by_its_code():
    code = "`git rebase --interactive {{commit_hash}}` x_1=$(foo_bar --baz /usr/lib/a.so) 0xdeadbeef "
    prose = "Setzt den Zweig zurück und fragt vorher nach. "
    (row,) = Language(LanguageSettings()).measure(batch([(prose + code * 3) * 5])).to_pylist()
    assert row["label"] == "de"
    assert row["score"] > 0.9


@pytest.mark.parametrize("backend", ["lid176", "langdetect"])
@pytest.mark.parametrize(
    "text",
    [
        "12 % — 34 €",
        "3f 0x2a 9e01 7b4c",
        "U0dWc2JHOGc= /bin/sh --x=1",
        "&nbsp;&#160;<br>",
        "\u200b\u00ad",
        "ⵜⴰⵎⴰⵣⵉⵖⵜ ⵜⵓⵜⵍⴰⵢⵜ",
        "ᐃᓄᒃᑎᑐᑦ",
    ],
)
def test_what_has_no_words_of_a_known_script_has_no_language(text, backend):
    (row,) = Language(LanguageSettings(backend=backend)).measure(batch([text])).to_pylist()
    assert row == {"label": "und", "score": 0.0}


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ", min_size=1, max_size=60))
def test_latin_letters_are_never_told_to_be_of_another_script(text):
    (row,) = Language(LanguageSettings()).measure(batch([text])).to_pylist()
    assert row["label"] == "und" or "Latin" in scripts_of(row["label"])


def test_a_word_is_no_proof():
    texts = ["a", "ok", "Haus", "hello", "No."]
    rows = Language(LanguageSettings()).measure(batch(texts)).to_pylist()
    assert all(row["score"] <= size / (size + 2) for row, size in zip(rows, [1, 2, 4, 5, 3], strict=True))


def test_raw_text_is_told_as_fasttext_tells_it(reference):
    texts = [*SENTENCES.values(), SENTENCES["en"].upper(), SENTENCES["fr"].replace(" ", "\u00a0")]
    rows = Language(LanguageSettings(fold=False)).measure(batch(texts)).to_pylist()
    for text, row in zip(texts, rows, strict=True):
        labels, scores = reference.predict(text)
        assert row["label"] == labels[0].removeprefix("__label__")
        assert abs(row["score"] - scores[0]) < 1e-4


# the stage


@pytest.mark.parametrize("backend", ["lid176", "langdetect"])
def test_both_backends_speak_the_same_codes(backend):
    stage = Language(LanguageSettings(backend=backend))
    assert isinstance(stage, Stage)
    texts = [*SENTENCES.values(), "", "  \n", "12 % — 34 €", "🙂"]
    measures = stage.measure(batch(texts))
    assert measures.schema == pa.schema(list(stage.adds.items()))
    assert measures["label"].to_pylist() == [*SENTENCES, "und", "und", "und", "und"]
    assert measures["score"].to_pylist()[-4:] == [0.0] * 4


@pytest.mark.parametrize("backend", ["lid176", "langdetect"])
def test_a_result_depends_on_the_document_alone(backend):
    stage = Language(LanguageSettings(backend=backend))
    mixed = "Some English, un peu de français, ein wenig Deutsch, y algo de español."
    texts = [*SENTENCES.values(), mixed, mixed[::-1], "", mixed * 200]
    together = stage.measure(batch(texts)).to_pylist()
    sliced = stage.measure(batch(["padding", *texts]).slice(1)).to_pylist()
    alone = [stage.measure(batch([text])).to_pylist()[0] for text in reversed(texts)][::-1]
    assert together == sliced == alone
    assert stage.measure(batch([])).num_rows == 0


@needs_corpora
def test_order_never_shows_on_real_text():
    stage = Language(LanguageSettings())
    texts = pl.read_parquet(CORPORA / "langid" / "manpages.parquet", columns=["text"])["text"].head(600)
    forward = stage.measure(batch(texts.to_list())).to_pylist()
    order = np.random.default_rng(0).permutation(len(texts))
    shuffled = stage.measure(batch([texts[int(row)] for row in order])).to_pylist()
    assert [forward[row] for row in order] == shuffled


def test_every_failing_reason_is_recorded():
    stage = Language(LanguageSettings(keep=("en", "de"), min_score=0.65))
    rows = [
        ("en", 0.9, []),
        ("de", 0.65, []),
        ("de", 0.64, ["low_score"]),
        ("fr", 0.9, ["not_in_keep"]),
        ("fr", 0.2, ["not_in_keep", "low_score"]),
        ("und", 0.0, ["not_in_keep"]),
        (None, None, []),
    ]
    measures = pa.RecordBatch.from_arrays(
        [pa.array([label for label, _, _ in rows]), pa.array([score for _, score, _ in rows], pa.float32())],
        schema=pa.schema(list(stage.adds.items())),
    )
    assert stage.judge(measures).to_pylist() == [reasons for _, _, reasons in rows]
    with_undetermined = Language(LanguageSettings(keep=("und",)))
    assert with_undetermined.judge(measures).to_pylist()[5] == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"keep": ()}, r"`language\.keep` must name at least one language, but is empty"),
        ({"keep": ("en", "eng")}, r"but has `eng`; did you mean `en`\?"),
        ({"keep": ("en-US",)}, r"but has `en-US`; did you mean `en`\?"),
        ({"keep": ("zh_CN",)}, r"but has `zh_CN`; did you mean `zh`\?"),
        ({"keep": ("nb",)}, r"but has `nb`; did you mean `no`\?"),
        ({"keep": ("gsw",), "backend": "langdetect"}, r"codes that `langdetect` knows, but has `gsw`"),
        ({"min_score": 1.5}, r"`language\.min_score` must be between 0 and 1, but is `1\.5`"),
        ({"max_bytes": -1}, r"`language\.max_bytes` must be 0 or at least 200, but is `-1`"),
    ],
)
def test_settings_say_what_is_wrong(values, message):
    with pytest.raises(ValueError, match=message):
        LanguageSettings(**values)
