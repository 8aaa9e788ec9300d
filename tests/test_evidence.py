"""What curation is worth, measured: formulas, the model that measures, and whole measurements of small runs."""

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from curate.cli import command
from curate.evidence import measuring
from curate.evidence.held_out import HeldOut, bundled, bundled_languages, decontaminated, losses_of_text
from curate.evidence.measuring import identified_language
from curate.evidence.multiplier import (
    Crossing,
    Curves,
    crossing,
    epochs_for,
    interval,
    saving_at_equal_quality,
    saving_of,
    student,
    value_of_removed,
)
from curate.evidence.pool import Pool
from curate.evidence.proxies.kneser_ney import START, VOCABULARY, KneserNey
from curate.evidence.question import require_text
from curate.evidence.result import _figure
from curate.pipeline.planning.config import load
from curate.report.saved.measured import Evidence, read_evidence, second_opinion
from curate.store.files import place, write_whole
from small_run import run

PARTS = ("input.part_bytes=2000000", "quality.signals=recipe", "shards.shard_tokens=10000000")
BUDGETS, RAW = [0.5e6, 1e6, 2e6, 4e6], [2.20, 2.05, 1.93, 1.81]


def test_published_example():
    found = crossing(BUDGETS, RAW, 1e6, 1.97)
    assert found.value == pytest.approx(1.587401, rel=1e-6)
    between = interval(found, 0.08, 8, 0.04, 0.5, 4.0)
    assert between[1:3] == pytest.approx([1.413766, 1.782362], rel=2e-6)
    assert [saving_of(m) for m in between[:3]] == pytest.approx([0.370039, 0.292669, 0.438947], rel=3e-6)
    assert epochs_for(1 / (found.value * 0.471)) == pytest.approx(1.341252, rel=1e-6)
    assert saving_at_equal_quality(found.value, 0.471) == pytest.approx(0.368270, rel=2e-6)
    assert value_of_removed(found.value, 0.471) == pytest.approx(0.300492, rel=2e-6)


def test_quantiles_are_those_of_scipy():
    special = pytest.importorskip("scipy.special")
    found = [special.stdtr(freedom, student(freedom)) for freedom in range(1, 60)]
    assert found == pytest.approx([0.975] * 59, rel=1e-12)


def test_beyond_the_curve_there_is_a_bound():
    assert crossing(BUDGETS, RAW, 1e6, 2.30) == Crossing(0.5, "<")
    assert crossing(BUDGETS, RAW, 1e6, 1.70) == Crossing(4.0, ">")
    assert interval(Crossing(4.0, ">"), 0.1, 8, 0.1, 0.5, 4.0)[1:] == (4.0, np.inf, ">")
    assert interval(Crossing(3.9), 0.5, 8, 0.1, 0.5, 4.0).high == np.inf  # an end beyond the curve is no number
    wide = interval(Crossing(1.0), 9.0, 8, 0.1, 0.5, 4.0)
    assert (_figure(wide, "x", (), "").low, _figure(wide, "x", (), "").high) == (None, None)
    assert crossing(BUDGETS, RAW, 1e6, 2.05).value == 1.0


def _curves(shift: float, seed: int = 0, documents: int = 50) -> tuple[Curves, Curves]:
    """Arms whose losses fall with log D; the second needs ``exp(shift)`` times fewer tokens; and the two swapped."""
    rng = np.random.default_rng(seed)
    budgets = [1000 * 2**step for step in range(8)]
    sizes = rng.uniform(200, 900, documents)

    def bits(at: np.ndarray) -> np.ndarray:
        losses = 4.0 - 0.2 * np.log(at)[None, :, None] + rng.normal(0, 0.004, (8, 1, 1))
        return (losses + rng.normal(0, 0.02, (8, len(at), documents))) * sizes

    raw, better = bits(np.array(budgets)), bits(np.array(budgets) * np.exp(shift))
    middle = slice(3, 6)
    return (
        Curves(budgets, budgets[middle], raw, better[:, middle], sizes),
        Curves(budgets, budgets[middle], better, raw[:, middle], sizes),
    )


def test_swapped_arms_invert():
    there, back = (curves.multiplier(1) for curves in _curves(0.5))
    assert there.low < np.exp(0.5) < there.high
    assert there.value * back.value == pytest.approx(1, abs=0.05)
    same = _curves(0.0)[0]
    twin = same._replace(curated=same.raw[:, 3:6])
    assert twin.multiplier(1)[:3] == pytest.approx((1, 1, 1))


def test_interval_covers_what_is_equal():
    covered = [low <= 1 <= high for _, low, high, _ in (_curves(0.0, seed)[0].multiplier(1) for seed in range(60))]
    assert sum(covered) >= 54


class _Reference:
    """Kneser-Ney as the textbook has it, from dictionaries."""

    def __init__(self, tokens: list[int], order: int = 5) -> None:
        padded, seen = [0] * (order - 1) + tokens, set()
        self.order, self.counts = order, {order: Counter()}
        for at in range(order - 1, len(padded)):
            self.counts[order][tuple(padded[at - order + 1 : at + 1])] += 1
        for size in range(order - 1, 0, -1):
            seen = set(self.counts[size + 1])
            self.counts[size] = Counter(gram[1:] for gram in seen)

    def chance(self, history: tuple[int, ...], token: int) -> float:
        found = 1 / (VOCABULARY - 1)
        for size in range(1, self.order + 1):
            context = history[len(history) - size + 1 :]
            following = {gram: n for gram, n in self.counts[size].items() if gram[:-1] == context}
            if not following:
                break
            once, twice = (sum(n == times for n in self.counts[size].values()) for times in (1, 2))
            discount = min(0.95, max(0.05, once / max(once + 2 * twice, 1)))
            seen = max(following.get((*context, token), 0) - discount, 0)
            found = (seen + discount * len(following) * found) / sum(following.values())
        return found


def test_model_is_kneser_ney():
    rng = np.random.default_rng(3)
    tokens = rng.zipf(1.3, 900) % 40 + 1
    model = KneserNey(10)  # grows on the way
    text = tokens.astype(np.uint16)
    text[0] |= START
    model.train(text[:400])
    model.train(text[400:])
    reference = _Reference(tokens.tolist())
    unknown = [5, 7, 1999, 3, 5, 7, 9, 1]
    scored = np.array(unknown, np.uint16)
    scored[0] |= START
    expected, history = 0.0, (0, 0, 0, 0)
    for token in unknown:
        expected -= np.log2(reference.chance(history, token))
        history = (*history[1:], token)
    assert model.bits(scored, np.array([0, len(scored)]))[0] == pytest.approx(expected, rel=1e-9)


def test_chances_add_up_to_one():
    rng = np.random.default_rng(0)
    text = rng.integers(1, 60, 4000).astype(np.uint16)
    text[::100] |= START
    model = KneserNey(len(text))
    model.train(text)
    words = np.arange(1, VOCABULARY, dtype=np.uint16)
    for context in ([5, 7, 9, 11], text[5:9] & np.uint16(VOCABULARY - 1), [1, 2000, 3, 4]):
        lines = np.array([[*context, word] for word in words], np.uint16)
        lines[:, 0] |= START
        whole = model.bits(lines.ravel(), np.arange(len(words) + 1) * 5)
        before = model.bits(lines[:, :4].ravel(), np.arange(len(words) + 1) * 4)
        assert (2.0 ** (before - whole)).sum() == pytest.approx(1)


def test_text_that_any_arm_has_is_not_measured_on():
    words = [f"word{number}" for number in range(400)]
    theirs, ours, other = (" ".join(words[start : start + 100]) for start in (0, 100, 200))
    mask, none = np.array([True, False]), np.array([-1, -1])
    pool = Pool([theirs, ours], np.array([1, 2], np.uint64), mask, ~mask, none, none, mask & ~mask, {}, {}, 1)
    found = decontaminated([HeldOut("good", "independent", (theirs, ours, other))], pool)[0]
    assert (found.texts, found.dropped) == ((other,), 2)
    short = pool._replace(texts=["five words\nand no more", ours])
    found = decontaminated([HeldOut("good", "independent", ("five words and no more", "five other words"))], short)[0]
    assert (found.texts, found.dropped) == (("five other words",), 1)
    assert losses_of_text([found]) == ["1 of 2 documents of good are also in the corpus, and were not measured with"]


def test_language_of_a_run_that_identified_none_is_that_of_its_text():
    texts = [text for language in ("en", "fr") for text in bundled(language).texts[:20]]
    french, none = np.arange(40) >= 20, np.full(40, -1)
    pool = Pool(
        texts, np.arange(40, dtype=np.uint64), ~french | french, french, none, none, ~french & french, {}, {}, 1
    )
    assert identified_language(pool, 1) == "fr"
    assert identified_language(pool._replace(curated=~french), 1) == "en"
    assert identified_language(pool._replace(curated=french & ~french), 1) == "en"


def test_package_carries_clean_text():
    for language in bundled_languages():
        found = bundled(language)
        assert len(found.texts) >= 100
        assert sum(len(text.encode()) for text in found.texts) <= 300_000


# ---- whole measurements -----------------------------------------------------------------------------------


def _documents(rng: np.random.Generator, words: list[str], number: int, length: int) -> list[str]:
    """Texts with something to learn in them: each word draws the next from a few."""
    steps = rng.choice(len(_LIKELY), (length, number), p=_LIKELY)
    said = [rng.integers(len(words), size=number)]
    for step in steps[1:]:
        said.append((said[-1] * 7 + step) % len(words))
    return [" ".join(words[at] for at in text) + "." for text in np.stack(said, axis=1).tolist()]


_LIKELY = np.array([30, 20, 14, 10, 8, 7, 5, 4, 2]) / 100


@pytest.fixture(autouse=True)
def _small_arms(monkeypatch: pytest.MonkeyPatch) -> None:
    """A third of the text that is asked for of users is enough for words drawn by dice."""
    monkeypatch.setattr(measuring, "LEAST_BYTES", 600_000)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Long documents in one language with a line of another, short ones in it, and more of the first kind set apart."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(1)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    good, junk = (["".join(rng.choice(letters, rng.integers(3, 9))) for _ in range(800)] for _ in range(2))
    long, notices = _documents(rng, good, 700, 200), _documents(rng, junk, 700, 40)
    rows = [f"{text}\nThe cookie policy {notice}" for text, notice in zip(long, notices, strict=True)]
    rows += _documents(rng, junk, 4500, 30)
    (folder / "docs").mkdir()
    with (folder / "docs" / "all.jsonl").open("w") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in rows)
    with (folder / "good.jsonl").open("w") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in _documents(rng, good, 60, 200))
        file.write("{broken\n")
    return folder


def _measured(
    corpus: Path, out: Path, capsys: pytest.CaptureFixture[str], *rules: str, flags: Sequence[str] = ()
) -> dict:
    run(corpus / "docs", out, "pipeline.recipe=none", *PARTS, *rules)
    capsys.readouterr()
    code = command(["measure", str(out), "--seeds", "3", "--eval", f"good={corpus / 'good.jsonl'}", *flags, "--json"])
    assert code == 0
    return json.loads(capsys.readouterr().out)


def test_good_text_kept_wins_and_junk_kept_loses(corpus, tmp_path, capsys):
    rules = ("quality.min_words=100", "quality.max_words=5000", "quality.lines.policy=true")
    flags = ("--by", "stage", "--by", "rule")
    wins = _measured(corpus, tmp_path / "wins", capsys, *rules, flags=flags)
    assert wins["multiplier"].keys() >= {"value", "low", "high", "unit", "tag"}
    assert wins["multiplier"]["tag"] == wins["saving"]["tag"] == wins["control"]["tag"] == "MEASURED-ON-PROXY"
    assert wins["multiplier"]["low"] > 1.2
    assert wins["saving"]["value"] == pytest.approx(1 - 1 / wins["multiplier"]["value"])
    assert wins["control"]["low"] <= 1 <= wins["control"]["high"]
    assert {each["kind"] for each in wins["evaluations"]} == {"independent", "raw", "curated"}
    assert wins["evaluations"][0]["name"] == "good"
    assert f"1 record of good could not be read (curate check {corpus / 'good.jsonl'})" in wins["notes"]

    by = {(each["kind"], each["name"]): each for each in wins["contributions"]}
    cut = by.pop(("rule", "quality.lines.policy"))
    assert set(by) == {("stage", "quality"), ("rule", "quality.too_few_words")}  # nothing else removed a document
    assert (cut["documents"], cut["verdict"]) == (0, "earns its keep")
    assert cut["edited"] > 500
    assert by["stage", "quality"]["edited"] == cut["edited"]
    assert by["stage", "quality"]["multiplier"]["low"] > 1.2  # the text without it is the raw text
    assert by["stage", "quality"]["documents"] > 4000
    assert by["rule", "quality.too_few_words"]["verdict"] == "earns its keep"
    assert 'href="#stage-quality"' in (tmp_path / "wins" / "report.html").read_text()
    report = json.loads((tmp_path / "wins" / "report.json").read_text())
    scenario, saved = report["equal_quality"], wins["saving_at_equal_quality"]["value"]
    assert scenario["per"]["1B"]["tokens"]["value"] == pytest.approx(saved * 1e9)
    assert scenario["net_energy"]["value"] < scenario["energy"]["value"]
    assert {"concatenated", "best fit"} <= {each["method"] for each in report["waterfall"]["packing"]}

    assert "2.26x" in wins["caution"]
    assert wins["caution"] in (tmp_path / "wins" / "report.html").read_text()
    assert report["summary"]["measured"] == f"{wins['sentence']}; {wins['caution']}"
    _second_opinions(msgspec.convert(wins, Evidence))

    asked = ("evidence.measure=true", "evidence.seeds=3", f"evidence.texts.good={corpus / 'good.jsonl'}")
    junk, out = ("pipeline.recipe=none", *PARTS, "quality.max_words=100"), tmp_path / "loses"
    run(corpus / "docs", out, *junk, *asked)  # measures at its end
    record, loses = out / "evidence.json", json.loads((out / "evidence.json").read_text())
    assert loses["command"] == f"curate measure {out} --proxy ngram --seeds 3 --eval good={corpus / 'good.jsonl'}"
    assert json.loads((out / "report.json").read_text())["summary"]["compute_saved"] == loses["saving"]
    before = record.stat().st_mtime_ns
    run(corpus / "docs", out, *junk, *asked)
    assert record.stat().st_mtime_ns == before  # the same question about the same run
    assert loses["multiplier"]["high"] < 1
    assert loses["saving"]["value"] < 0
    assert any("worse than raw" in note for note in loses["notes"])


def _second_opinions(ngram: Evidence) -> None:
    text, changed = ngram.evaluations[0], msgspec.structs.replace
    assert second_opinion(None, "ngram", text) is second_opinion(ngram, "ngram", text) is None
    assert second_opinion(ngram, "transformer", changed(text, fingerprint="of other text")) is None
    second = second_opinion(ngram, "transformer", text)
    assert second.multiplier == ngram.multiplier
    both = changed(ngram, proxy="transformer", second=second)
    assert f"n-gram model said {second.multiplier.value:.2f}x of this run: trust the sign" in both.caution
    assert second_opinion(both, "transformer", text) == second  # not lost when it is asked again
    against = changed(both, multiplier=changed(ngram.multiplier, value=0.5, low=0.4, high=0.6))
    assert against.caution.endswith("the opposite: rely on neither")
    unclear = changed(both, multiplier=changed(ngram.multiplier, value=1.0, low=0.9, high=1.1))
    assert "of this run: take the distance" in unclear.caution  # there is no sign to trust
    assert not changed(ngram, kept_share=1.0).caution
    off = changed(unclear, second=None, control=changed(ngram.control, value=0.88, low=0.83, high=0.94))
    assert off.caution == "raw against raw text gave 0.88x where 1 is right: such a difference is noise"


@pytest.mark.slow
def test_nothing_removed_is_one_and_the_record_is_the_runs_own(corpus, capsys):
    out = place("memory://evidence/all")  # in an object store
    same = _measured(corpus, out, capsys)
    assert same["multiplier"]["low"] <= 1 <= same["multiplier"]["high"]
    assert json.loads((out / "evidence.json").read_text())["multiplier"] == same["multiplier"]
    assert json.loads((out / "report.json").read_text())["evidence"]["multiplier"] == same["multiplier"]
    assert "MEASURED-ON-PROXY" in (out / "report.html").read_text()
    kept = list((out / ".cache" / "evidence").iterdir())
    write_whole(kept[0], b"damaged")
    kept[1].unlink()
    again = _measured(corpus, out, capsys)  # all but two trainings are there
    assert {**again, "cpu_seconds": 0, "wall_seconds": 0} == {**same, "cpu_seconds": 0, "wall_seconds": 0}
    assert command(["doctor", str(out)]) == 0
    run(corpus / "docs", out, "pipeline.recipe=none", *PARTS, "quality.min_words=100")
    assert "evidence.json" not in capsys.readouterr().err
    assert read_evidence(out, json.loads((out / "run.json").read_text())["run_id"]) is None
    assert json.loads((out / "report.json").read_text())["evidence"] is None


def test_what_cannot_be_measured_is_refused(corpus, tmp_path, capsys):
    small = tmp_path / "small"
    small.mkdir()
    (small / "a.txt").write_text("One short text, and no other.")
    run(small, tmp_path / "out", "evidence.measure=true")  # it is a run, and says why nothing was measured
    assert not (tmp_path / "out" / "evidence.json").exists()
    wrong = [str(small), "-o", str(tmp_path / "wrong"), "--set", "evidence.measure=true", "--set"]
    for setting, why in (
        ("language.keep=['de']", "no text to measure on"),
        ("evidence.texts.good=nowhere", "nowhere"),
        ("evidence.proxy=oracle", "oracle"),
        ("evidence.seeds=1", "must be 2 to 64"),
    ):
        assert command(["run", *wrong, setting]) == 2
        assert why in capsys.readouterr().err
    assert not (tmp_path / "wrong").exists()
    for flags, why in (
        ([], "MB are needed"),
        (["--proxy", "oracle"], "no proxy `oracle`"),
        (["--eval", "nameless"], "--eval NAME=PATH"),
        (["--eval", "a=x", "--eval", "a=y"], "name of `x` already"),
        (["--eval", f"a={small}"], "too few different documents"),
        (["--eval", f"clean-en={small}"], "uses that name itself"),
        (["--by", "source"], "neither a stage nor a rule"),
    ):
        assert command(["measure", str(tmp_path / "out"), *flags]) == 2
        assert why in capsys.readouterr().err
    assert command(["measure", str(tmp_path / "nowhere")]) == 2


def test_a_run_that_keeps_all_languages_may_find_text_to_measure_on():
    require_text(load(flags={"language.keep": ["*"]}, in_folder=False), ["language"])


def test_without_torch_the_plan_says_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert command(["measure", str(tmp_path), "--proxy", "transformer"]) == 2
    assert "pip install 'curate-corpus[torch]'" in capsys.readouterr().err


def test_transformer_learns_and_repeats_itself():
    pytest.importorskip("torch")
    from curate.evidence.proxies.proxy import Evaluation, proxy_named

    rng = np.random.default_rng(2)
    tokens = (np.cumsum(rng.integers(1, 4, 40_000)) % 50 + 1).astype(np.uint16)
    tokens[::512] |= START
    scored = {"same": Evaluation(tokens[:1024], np.array([0, 300, 1024]))}
    found = proxy_named("transformer").losses(tokens, [2000, 40_000], scored, 1)["same"]
    again = proxy_named("transformer").losses(tokens, [2000, 40_000], scored, 1)["same"]
    assert found.shape == (2, 2)
    assert found[1].sum() < 0.8 * found[0].sum() < 0.8 * 1024 * 11.5
    assert (found == again).all()


def test_tuning_finds_the_limit_that_matters_and_confirms_it_on_other_text(corpus, tmp_path, capsys):
    out = tmp_path / "loose"
    run(corpus / "docs", out, "pipeline.recipe=none", *PARTS, "quality.max_words=5000")
    flags = ["--budget", "20", "--seeds", "3", "--eval", f"good={corpus / 'good.jsonl'}"]
    capsys.readouterr()
    before = sorted(path.name for path in out.iterdir())
    assert command(["tune", str(out), *flags, "--try", "quality.min_words=5,60,100", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [point["name"] for point in found["points"]] == [
        "the run's settings",
        "quality.min_words = 60",
    ]  # 5: all stay
    assert found["winner"]["settings"] == {"quality.min_words": 60}
    assert found["confirmed"]["confirm"]["multiplier"]["low"] > 1.2
    assert found["confirmed"]["confirm"]["saving"]["value"] > 0.1
    assert "choose" not in found["confirmed"]
    assert (found["evaluation"], found["points"][1]["kept_documents"] > 500) == ("good", True)
    assert any("quality.min_words = 100" in note for note in found["notes"])  # keeps the same as 60
    assert {point["name"] for point in found["frontier"]} == {point["name"] for point in found["points"]}
    assert sorted(path.name for path in out.iterdir()) == before

    for wrong, why in (
        ("min_words", "has no setting"),
        ("quality.signals=all", "is not a threshold"),
        ("mix.a=1", "has no stage `mix`"),
        ("near_dup.similarity=0.7", "cannot tell what copies are worth"),
        ("normalize.unicode=none", "makes the text"),
    ):
        assert command(["tune", str(out), *flags, "--try", wrong]) == 2
        assert why in capsys.readouterr().err
