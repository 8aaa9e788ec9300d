"""Trained models: equal to scikit-learn, honest on unseen documents, the same bytes every time, one safe file."""

import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression

from corpus_maker import WORDS
from curate.cli import command
from curate.models.ngram_features import hashed_ngrams, ngrams, summed_weights
from curate.models.ngram_model import NgramModel
from curate.pipeline.planning.config import load
from curate.stages.classify import Classify, ClassifySettings
from curate.training.examples import read_examples
from curate.training.figures import auc, auc_interval, calibration_error, figures
from curate.training.fit import BUCKETS, LONGEST, calibrated, vectors
from curate.training.split import split
from thorough import settings

TEXTS = [
    "Don't panic: it's only a TEST, isn't it?",
    "日本語の文章です。 İstanbul ΟΔΟΣ ภาษาไทย का की",
    "",
    "  \n\t",
    "\u0301 leading mark \U0001f469\u200d\U0001f52c",
    "word " * 500,
]


def column(texts: list[str]) -> pa.Array:
    return pa.array(texts, pa.large_string())


def vectorizer(longest: int) -> HashingVectorizer:
    return HashingVectorizer(
        analyzer=lambda text: ngrams(text, longest), alternate_sign=False, binary=True, norm="l2", n_features=BUCKETS
    )


def pairs_of_sides(number: int, noise: float = 0.0) -> tuple[list[str], list[str]]:
    """Good and bad documents that differ in how often they use some words; ``noise`` swaps that many of them."""
    draw = random.Random(7)
    sides: tuple[list[str], list[str]] = ([], [])
    for i in range(2 * number):
        good = i % 2 == 0
        leaning = good if draw.random() >= noise else not good
        telling = ["theorem", "measure"] if leaning else ["click", "subscribe"]
        words = draw.choices([*WORDS, *telling], k=draw.randint(20, 60))
        sides[0 if good else 1].append(" ".join(words))
    return sides


def write(folder: Path, name: str, texts: list[str]) -> str:
    file = folder / f"{name}.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return str(file)


# features and scores


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=60), longest=st.integers(1, 3))
def test_features_are_those_of_scikit_learn(text, longest):
    texts = [text, *TEXTS]
    found, offsets = hashed_ngrams(column(texts), longest, BUCKETS)
    for row, expected in enumerate(vectorizer(longest).transform(texts)):
        assert sorted(found[offsets[row] : offsets[row + 1]].tolist()) == sorted(expected.indices.tolist())


def test_scores_are_those_of_scikit_learn():
    good, bad = pairs_of_sides(100, noise=0.2)
    texts, sides = [*good, *bad], [True] * 100 + [False] * 100
    inputs = vectorizer(LONGEST).transform(texts)
    assert abs(inputs - vectors(column(texts))).max() < 1e-12
    regression = LogisticRegression(C=10, fit_intercept=False).fit(inputs, sides)
    weights = regression.coef_[0].astype(np.float32)
    sums, counts = summed_weights(column(texts), weights, LONGEST)
    assert np.allclose(sums / np.sqrt(counts), regression.decision_function(inputs), atol=1e-6)


def test_the_cut_into_tokens_stays_what_model_files_were_trained_on():
    assert ngrams("Don't panic — 42 日本 का", 1) == ["don", "'", "t", "panic", "—", "42", "日", "本", "का"]
    found, _ = hashed_ngrams(column(["Don't panic — 42 日本 का"]), 2, BUCKETS)
    assert found.tolist()[:3] == [198838, 87934, 8371]


def test_a_score_of_0_8_means_80_percent_under_the_stated_prior():
    """Scores whose true probability is known: calibration finds it back for any prior, whatever the sides' sizes."""
    draw = np.random.default_rng(5)
    for prior, share in ((0.5, 0.5), (0.5, 0.1), (0.05, 0.3)):
        good = draw.random(60_000) < share
        margins = np.where(good, draw.normal(1, 1, len(good)), draw.normal(-1, 1, len(good)))
        half = len(good) // 2
        slope, intercept = calibrated(margins[:half], good[:half], prior=prior)
        # Two unit normals at ±1: the log-odds are 2 × margin plus those of the prior.
        assert slope == pytest.approx(2, rel=0.06)
        assert intercept == pytest.approx(np.log(prior / (1 - prior)), abs=0.1)
        scores = 1 / (1 + np.exp(-(slope * margins[half:] + intercept)))
        assert calibration_error(scores, good[half:], prior=prior) < 0.02
        flat = figures(scores, good[half:], np.ones(half, np.int64), prior=prior)
        assert flat.length_auc == 0.5
        assert all(one.least - 0.02 <= one.score <= one.most + 0.02 for one in flat.bins)


def test_auc_and_its_interval():
    draw = np.random.default_rng(3)
    side = np.repeat([True, False], [80, 120])
    found = [auc(draw.normal(size=200) + side, side) for _ in range(400)]
    inside = [low <= 0.760 <= high for low, high in (auc_interval(one, 80, 120) for one in found)]
    assert 0.92 < np.mean(inside) <= 0.98
    assert auc_interval(1.0, 10, 10)[0] < 0.99


# the command


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    good, bad = pairs_of_sides(600, noise=0.1)
    both = "the same text on both sides"
    paths = write(folder, "good", [*good, good[0].upper(), "", both]), write(folder, "bad", [*bad, both])
    assert command(["quality", "train", "--good", paths[0], "--bad", paths[1], "-o", str(folder / "m.model")]) == 0
    return folder, paths, (good, bad)


def test_training_tells_what_it_did(trained, capsys):
    folder, (good, bad), _ = trained
    words = ["quality", "train", "--good", good, "--bad", bad, "-o", str(folder / "again.model"), "--json"]
    assert command(words) == 0
    told = json.loads(capsys.readouterr().out)
    side = told["good"]
    assert (side["read"], side["empty"], side["repeated"], side["shared"]) == (603, 1, 1, 1)
    assert side["fit"] + side["measure"] == 600
    found = told["figures"]
    assert 0.75 < found["auc_least"] <= found["auc"] <= found["auc_most"] <= 1  # a tenth is noise
    assert found["calibration_error"] < 0.15
    assert {word["ngram"] for word in told["telling"]} >= {"theorem", "measure", "click", "subscribe"}
    assert any("on both sides" in warning for warning in told["warnings"])
    assert (folder / "again.model").read_bytes() == (folder / "m.model").read_bytes()


def test_another_seed_splits_otherwise(trained):
    folder, (good, bad), _ = trained
    assert command(["quality", "train", "--good", good, "--bad", bad, "-o", str(folder / "s"), "--seed", "1"]) == 0
    assert (folder / "s").read_bytes() != (folder / "m.model").read_bytes()


def test_the_card_shows_everything_and_escapes_what_documents_say(trained, tmp_path):
    folder, _, (good, bad) = trained
    page = (folder / "m.html").read_text()
    for text in ("AUC", "80 %", "<svg", "theorem", "on both sides", "--seed 42", "hashed n-grams"):
        assert text in page, text
    evil = [f"{text} <script>alert(1)</script>" for text in good]
    paths = write(tmp_path, "good", evil), write(tmp_path, "bad", bad)
    assert command(["quality", "train", "--good", paths[0], "--bad", paths[1], "-o", str(tmp_path / "e.model")]) == 0
    page = (tmp_path / "e.html").read_text()
    assert "<script" not in page
    assert "may tell where documents come from" in page


def test_the_model_is_named_in_a_config_and_scores_in_a_run(trained):
    folder, _, (good, bad) = trained
    stage = Classify(ClassifySettings(model=str(folder / "m.model")))
    assert stage.warnings() == []
    measures = stage.measure(pa.record_batch({"text": column([*good, *bad, ""])}))
    scores = np.array(measures["score"].to_pylist()[:-1])
    assert auc(scores, np.repeat([True, False], 600)) > 0.85
    assert measures["score"].to_pylist()[-1] is None
    assert [reasons == ["low_score"] for reasons in stage.judge(measures).to_pylist()[:-1]] == (scores < 0.5).tolist()
    other = Classify(ClassifySettings(model=str(folder / "m.model"), label="bad")).measure(
        pa.record_batch({"text": column(good)})
    )
    assert np.allclose(np.array(other["score"]) + scores[:600], 1, atol=1e-6)


def test_the_file_is_plain_arrow_and_refused_when_damaged(trained, tmp_path):
    folder, _, _ = trained
    whole = (folder / "m.model").read_bytes()
    with pa.ipc.open_file(folder / "m.model") as reader:
        assert reader.schema.names == ["weight"]
        assert json.loads(reader.schema.metadata[b"curate.ngram_model"])["prior"] == 0.5
    model = NgramModel.load(folder / "m.model")
    assert model.to_bytes() == whole
    file = tmp_path / "m.model"
    for damaged in (whole[:100], whole[: len(whole) // 2], whole.replace(b'"slope":', b'"slape":')):
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match="damaged|no model"):
            NgramModel.load(file)


def test_versions_of_one_text_stay_together_on_request(tmp_path, capsys):
    draw = random.Random(3)
    for name in ("good", "bad"):
        rows = [{"text": " ".join([f"article{n}", name, *draw.choices(WORDS, k=30)]), "article": n} for n in range(150)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for group, apart in (("article", True), ("", False)):
        sides = [
            read_examples([str(tmp_path / f"{name}.jsonl")], load(), seed=1, limit=100, group=group)
            for name in ("good", "bad")
        ]
        fit, measure, _ = split(*sides)
        fitted, measured = ({text.split()[0] for text in share.texts.to_pylist()} for share in (fit, measure))
        assert fitted.isdisjoint(measured) is apart
        assert len(fit.texts) + len(measure.texts) == 200
    words = ["quality", "train", "--good", str(tmp_path / "good.jsonl"), "--bad", str(tmp_path / "bad.jsonl")]
    assert command([*words, "-o", str(tmp_path / "x.model"), "--group", "artikel"]) == 2
    assert "did you mean `article`?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        (["a b", "c d"] * 100, pairs_of_sides(60)[1], "`--good` has 2 different documents"),
        (pairs_of_sides(60)[0], pairs_of_sides(60)[0], "leak into each other: 60 of 60"),
        (["", " "], pairs_of_sides(60)[1], "has text (2 read)"),
    ],
)
def test_examples_that_make_no_model_are_errors(good, bad, message, tmp_path, capsys):
    paths = write(tmp_path, "good", good), write(tmp_path, "bad", bad)
    assert command(["quality", "train", "--good", paths[0], "--bad", paths[1], "-o", str(tmp_path / "m")]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_flags_that_cannot_be_meant_are_errors(trained, tmp_path, capsys):
    folder, (good, bad), _ = trained
    for words, message in (
        (["--good", good, "--bad", str(Path(good).parent)], "is given as good and as bad"),
        (["--good", good, "--bad", bad, "--prior", "1.5"], "between 0 and 1, but is 1.5"),
        (["--good", good, "--bad", bad, "-o", str(folder / "m.model")], "is there already"),
    ):
        assert command(["quality", "train", "-o", str(tmp_path / "m"), *words]) == 2
        assert message in capsys.readouterr().err
