"""The classify stage: any fastText file gives what fastText gives, models are checked in the plan, KenLM is CCNet's."""

import gzip
import importlib.util
import json
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.cli import command
from curate.cli.session import Session
from curate.models import classifiers, langid
from curate.models.fasttext_classifier import FastTextClassifier
from curate.models.fasttext_file import read_fasttext
from curate.pipeline.planning.plan import measure_key
from curate.stages.classify import Classify, ClassifySettings
from thorough import settings

CASES = Path(__file__).parent / "cases" / "fasttext"
CORPORA = next(
    (
        folder
        for up in (1, 2)
        if (folder := Path(__file__).resolve().parents[up] / ".." / "shared" / "corpora").is_dir()
    ),
    Path("nowhere"),
)
SIX = 6e-6  # fastText prints no more digits than a float has

SPAM = "You have been selected to claim a £1000 prize. Call 08 FREE text STOP to claim your prize from your mobile"


def column(texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.large_string())


def batch(texts: list[str]) -> pa.RecordBatch:
    return pa.record_batch({"text": column(texts)})


def assert_equal_to_reference(file: Path, texts: list[str]) -> None:
    """The likeliest class is fastText's, and the probability of every class that it tells."""
    reference = pytest.importorskip("fasttext").load_model(str(file))
    model = FastTextClassifier.load(file)
    told = [reference.predict(text.replace("\n", " "), k=-1) for text in texts]
    for index, label in enumerate(model.labels):
        best, probability = model.classify(column(texts), index)
        for text, (labels, scores), first, score in zip(texts, told, best, probability, strict=True):
            if not labels:
                assert first == -1, text
                assert np.isnan(score), text
                continue
            of_label = dict(zip(labels, np.minimum(scores, 1.0), strict=True))
            ties = {name for name, value in zip(labels, scores, strict=True) if value == scores[0]}
            assert f"__label__{model.labels[first]}" in ties, text
            # A tree is not walked below 1e-5: such a class is not told.
            assert score == pytest.approx(of_label.get(f"__label__{label}", score), abs=1e-6, rel=SIX), (text, label)
            assert f"__label__{label}" in of_label or score < 2e-5


def made_up_model(
    words: list[str],
    labels: list[str],
    *,
    loss: int = 3,
    word_ngrams: int = 1,
    characters: tuple[int, int] = (0, 0),
    quantised: bool = False,
    kept: list[int] | None = None,
    format_version: int = 12,
) -> bytes:
    """A classifier as fastText writes it, with random weights."""
    dimensions, buckets = 5, 61
    random = np.random.default_rng(len(words) + loss)

    def dense(rows: int) -> bytes:
        return struct.pack("<2q", rows, dimensions) + random.normal(size=(rows, dimensions)).astype("<f4").tobytes()

    def quantiser(columns: int, width: int) -> bytes:
        slices, last = -(-columns // width), columns % width or width
        return (
            struct.pack("<4i", columns, slices, width, last) + random.normal(size=columns * 256).astype("<f4").tobytes()
        )

    def compressed(rows: int) -> bytes:
        codes = random.integers(0, 256, (rows, 3), np.uint8).tobytes()
        norms = random.integers(0, 256, rows, np.uint8).tobytes()
        head = struct.pack("<?2qi", True, rows, dimensions, len(codes))
        return head + codes + quantiser(dimensions, 2) + norms + quantiser(1, 1)

    # dim ws epoch minCount neg wordNgrams loss model=supervised bucket minn maxn lrUpdateRate, then t
    arguments = struct.pack("<12id", dimensions, 5, 5, 1, 5, word_ngrams, loss, 3, buckets, *characters, 100, 1e-4)
    entries = [(word, 0) for word in words] + [(f"__label__{label}", 1) for label in labels]
    pruned = -1 if kept is None else len(kept)
    dictionary = struct.pack("<3i2q", len(entries), len(words), len(labels), 999, pruned)
    for rank, (entry, kind) in enumerate(entries):
        dictionary += entry.encode() + struct.pack("<bqb", 0, 100 - rank, kind)
    for row, bucket in enumerate(kept or []):
        dictionary += struct.pack("<2i", bucket, row)
    rows = len(words) + (buckets if kept is None else len(kept))
    inputs = struct.pack("<?", quantised) + (compressed(rows) if quantised else dense(rows))
    outputs = struct.pack("<?", False) + dense(len(labels))
    return struct.pack("<2i", 793712314, format_version) + arguments + dictionary + inputs + outputs


WORDS = ["</s>", "the", "été", "漢字", "of", "word"]
ODD = [
    "",
    " \n\t",
    "the the of\nthe",
    "a</s>b </s> what follows is not read",
    "__label__a the __label__zzz of __label__",
    "null\0byte\v\f\rseparators\x85and\u2003not",
    "e\u0301 combining \U0001f469\u200d\U0001f52c emoji 👩‍🔬",
    "x" * 3_000,
    "the " * 3_000,
    "漢字 漢 été étés",
]


@pytest.mark.parametrize("loss", [1, 2, 3, 4])
@pytest.mark.parametrize("word_ngrams", [1, 2, 4])
@pytest.mark.parametrize("characters", [(0, 0), (1, 3)])
@pytest.mark.parametrize("kept", [None, [3, 60, 17, 0, 8, 22, 41, 5]])
def test_every_kind_of_model_gives_what_fasttext_gives(loss, word_ngrams, characters, kept, tmp_path):
    file = tmp_path / "model.bin"
    labels = ["a", "b", "c", "d", "e"]
    file.write_bytes(
        made_up_model(
            WORDS,
            labels,
            loss=loss,
            word_ngrams=word_ngrams,
            characters=characters,
            kept=kept,
            quantised=kept is not None,
        )
    )
    assert_equal_to_reference(file, ODD)


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(WORDS)).map(" ".join)), max_size=8))
def test_trained_models_give_what_fasttext_gives_on_anything(texts):
    for file in sorted(CASES.iterdir()):
        assert_equal_to_reference(file, texts)


@pytest.mark.skipif(not CORPORA.is_dir(), reason="no corpora beside the repository")
def test_trained_models_give_what_fasttext_gives_on_real_text():
    texts = []
    for name in ("sms_spam", "onestop"):
        with gzip.open(CORPORA / "quality" / f"{name}.jsonl.gz", "rt") as file:
            texts += [json.loads(line)["text"] for line in file][::29]
    for file in [*sorted(CASES.iterdir()), langid.LID176]:
        assert_equal_to_reference(file, texts)


def test_a_vocabulary_without_an_end_of_sentence_may_know_nothing_of_a_text(tmp_path):
    file = tmp_path / "model.bin"
    file.write_bytes(made_up_model(["the"], ["a", "b"]))
    assert_equal_to_reference(file, ["the", "unknown words", ""])
    stage = Classify(ClassifySettings(model=str(file), label="a", min_score=1.0))
    measures = stage.measure(batch(["unknown"]))
    assert measures.to_pylist() == [{"label": None, "score": None, "perplexity": None}]
    assert stage.judge(measures).to_pylist() == [[]]


def test_a_damaged_file_is_refused_wherever_it_ends(tmp_path):
    whole = (CASES / "softmax_bigrams.bin").read_bytes()
    file = tmp_path / "model.bin"
    for size in [0, 3, 30, 90, 200, 3_000, len(whole) // 2, len(whole) - 1]:
        file.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="ends in the middle|is empty"):
            read_fasttext(file)
    file.write_bytes(made_up_model(WORDS, ["a", "b"], word_ngrams=2, kept=[70], quantised=True))
    with pytest.raises(ValueError, match="do not fit"):
        read_fasttext(file)
    file.write_bytes(whole[: 8 + 4 * 7] + struct.pack("<i", 2) + whole[8 + 4 * 8 :])
    with pytest.raises(ValueError, match="not a classifier"):
        read_fasttext(file)


# the stage


def test_it_judges_by_the_label_and_the_threshold():
    texts = [SPAM, "are you coming home for dinner?"]
    settings = ClassifySettings(model=str(CASES / "softmax_bigrams.bin"), label="__label__sham", min_score=0.5)
    stage = Classify(settings)
    measures = stage.measure(batch(texts))
    assert stage.judge(measures).to_pylist() == [["low_score"], []]
    assert measures["label"].to_pylist() == ["sspam", "sham"]
    exactly = measures["score"][1].as_py()
    limit = ClassifySettings(model=settings.model, label="sham", min_score=exactly)
    assert Classify(limit).judge(measures).to_pylist()[1] == []


def test_the_content_of_the_model_is_part_of_what_measures_depend_on(tmp_path):
    file = tmp_path / "model.bin"
    stage = Classify(ClassifySettings(model=str(file), label="a"))
    keys = set()
    for loss in (3, 4):
        file.write_bytes(made_up_model(WORDS, ["a", "b"], loss=loss))
        keys.add(measure_key("documents", stage))
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("assignments", "message", "hint"),
    [
        ([], "has no model", "curate quality train"),
        (["classify.model=nowhere.bin"], "`nowhere.bin` cannot be opened", "ls"),
        (["classify.model={cases}"], "is a folder", "name the file"),
        (["classify.model={text}"], "not a fastText model", "fastText classifier"),
        (["classify.model={cases}/softmax_bigrams.bin"], "must name the class", "known: sham, sspam, o2, o"),
        (["classify.model={cases}/softmax_bigrams.bin", "classify.label=ham"], "no class `ham`", "did you mean `sham`"),
        (["classify.max_perplexity=9.0"], "needs `classify.language_model`", "classify"),
        (["classify.max_perplexity=0"], "at least 1, but is 0", "classify"),
        (["classify.max_perplexity=true"], "number, or `false` for any", "classify"),
        (["classify.min_score=1.5"], "between 0 and 1", "classify"),
    ],
)
def test_a_wrong_model_is_an_error_before_the_first_document(assignments, message, hint, tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("No model at all.")
    words = [
        "run",
        str(text),
        "-o",
        str(tmp_path / "out"),
        "--set",
        'pipeline.stages=["normalize","classify","tokenize"]',
    ]
    for assignment in assignments:
        words += ["--set", assignment.format(cases=CASES, text=text)]
    assert command(words) == 2
    told = capsys.readouterr().err
    assert message in told
    assert hint in told
    assert not (tmp_path / "out" / "documents").exists()


def test_a_run_classifies_and_a_changed_threshold_measures_nothing_again(tmp_path, monkeypatch):
    corpus = tmp_path / "in.jsonl"
    texts = [SPAM, "are you coming home for dinner?\nsee you"]
    corpus.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    given = [
        'pipeline.stages=["normalize","classify","tokenize"]',
        f"classify.model={CASES / 'softmax_bigrams.bin'}",
        "classify.label=sham",
        "tokenize.tokenizer=bytes",
    ]
    out = tmp_path / "out"
    assert Session([str(corpus)], str(out), assignments=given).work(quiet=2) == 0
    counts = json.loads((out / "run.json").read_text())["counts"]
    assert counts["removed"]["classify"] == {"documents": 1, "reasons": {"low_score": 1}}
    monkeypatch.setattr(Classify, "measure", lambda *_: pytest.fail("measured again"))
    assert Session([str(corpus)], str(out), assignments=[*given, "classify.min_score=0.0"]).work(quiet=2) == 0
    assert json.loads((out / "run.json").read_text())["counts"]["kept"] == 2


# KenLM

ARPA = """
\\data\\
ngram 1=6
ngram 2=3

\\1-grams:
-1.2	<unk>
0	<s>	-0.3
-1.0	</s>
-0.7	the	-0.2
-0.9	cat	-0.1
-1.1	sat	-0.1

\\2-grams:
-0.3	<s> the
-0.4	the cat
-0.5	cat sat

\\end\\
"""


@pytest.fixture
def arpa(tmp_path) -> Path:
    file = tmp_path / "small.arpa"
    file.write_text(ARPA)
    return file


def test_perplexity_is_that_of_ccnet(arpa):
    pytest.importorskip("kenlm")
    stage = Classify(ClassifySettings(language_model=str(arpa), max_perplexity=8.0))
    measures = stage.measure(batch(["the cat sat", "the cat\n\nzebra", "", " \n"]))
    found = measures["perplexity"].to_pylist()
    # p(the|<s>) p(cat|the) p(sat|cat) p(</s>): the last backs off from sat
    assert found[0] == pytest.approx(10 ** ((0.3 + 0.4 + 0.5 + 0.1 + 1.0) / 4), rel=1e-5)
    # second line: zebra backs off from <s>, its end has no history to back off from
    assert found[1] == pytest.approx(10 ** ((0.3 + 0.4 + 0.1 + 1.0 + 0.3 + 1.2 + 1.0) / 5), rel=1e-5)
    assert found[2:] == [None, None]
    assert stage.judge(measures).to_pylist() == [[], [], [], []]
    strict = Classify(ClassifySettings(language_model=str(arpa), max_perplexity=4.0))
    assert strict.judge(measures).to_pylist() == [[], ["high_perplexity"], [], []]


def test_a_file_that_is_no_language_model_is_refused(tmp_path, arpa):
    pytest.importorskip("kenlm")
    arpa.write_text(ARPA[: len(ARPA) // 2])
    for file in (arpa, CASES / "softmax_bigrams.bin"):
        stage = Classify(ClassifySettings(language_model=str(file)))
        with pytest.raises(classifiers.PlanError, match="does not load"):
            stage.warnings()


def test_without_kenlm_the_error_says_what_to_install(arpa, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(classifiers.PlanError) as raised:
        Classify(ClassifySettings(language_model=str(arpa))).warnings()
    assert "curate-corpus[kenlm]" in raised.value.hint
