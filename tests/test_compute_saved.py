"""Pass cost and redundancy against hand-computed vectors, and the laws they obey."""

import math
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.report.model import build_report
from curate.report.packing_loss import places, places_of
from curate.report.saved.compute import (
    Machine,
    RawTokens,
    cost,
    effective_exposures,
    flops_per_token,
    pass_saving,
    redundancy,
)
from curate.report.saved.equal_quality import equal_quality
from curate.report.saved.measured import Measured
from curate.settings.compute_constants import CONSTANTS
from curate.settings.report import ReportSettings
from curate.shards.packing import best_fitted
from fake_run import files_of, write_fake_run

LLAMA_8B = {"model_parameters": 7_504_663_424, "layers": 32, "width": 4096, "context": 8192}
RAW = RawTokens(value=1e9, low=1e9, high=1e9)
KEPT = 471_000_000
DEFAULT = Machine(989.4e12, 0.40, 2.95, 0.70, 1.2, 475)
LOW = Machine(989.4e12, 0.43, 1.99, 0.595, 1.1, 28)
HIGH = Machine(989.4e12, 0.25, 5.00, 1.275, 1.58, 699)

tokens = st.floats(1, 1e13)


def test_flops_of_a_token_with_and_without_attention():
    assert flops_per_token(7_504_663_424) == 45_027_980_544
    assert flops_per_token(7_504_663_424, layers=32, width=4096, context=8192) == 51_470_431_488


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (DEFAULT, (19.110809, 56.376888, 16.053080, 7.625213)),
        (LOW, (17.777497, 35.377219, 11.635372, 0.325790)),
        (HIGH, (30.577295, 152.886476, 61.597961, 43.056975)),
    ],
)
def test_cost_vectors(machine, expected):
    assert cost(2.7227858257152e19, machine) == pytest.approx(expected, rel=1e-6, abs=1e-6)  # vectors have six decimals


def test_pass_saving_has_value_low_and_high_of_every_figure():
    saving = pass_saving(KEPT, RAW, 3600.0, ReportSettings(**LLAMA_8B))
    assert saving.flops.value == pytest.approx(2.7227858257152e19)
    assert saving.share.value == pytest.approx(0.529)
    for figure, low, used, high in (
        (saving.gpu_hours, 17.777497, 19.110809, 30.577295),
        (saving.money, 35.377219, 56.376888, 152.886476),
        (saving.energy, 11.635372, 16.053080, 61.597961),
        (saving.carbon, 0.325790, 7.625213, 43.056975),
    ):
        assert (figure.low, figure.value, figure.high) == pytest.approx((low, used, high), rel=1e-6, abs=1e-6)
        assert figure.tag == "MODELLED"
        assert figure.assumptions
        assert figure.source
    assert saving.tokens.tag == saving.tokens_kept.tag == "EXACT"
    assert saving.curation_energy.value == pytest.approx(0.01)
    assert saving.net_energy.value == pytest.approx(saving.energy.value - 0.01)


def test_an_estimate_of_raw_tokens_is_never_called_exact_and_widens_every_range():
    estimated = RawTokens(value=1e9, low=0.9e9, high=1.1e9, method="sample", sampled_documents=400)
    saving = pass_saving(KEPT, estimated, 0.0, ReportSettings(utilisation=0.4))
    assert saving.tokens.tag == saving.share.tag == "MODELLED"
    assert "400 sampled documents" in saving.tokens.assumptions[0]
    assert saving.share.low == pytest.approx(1 - 471 / 900)
    assert saving.share.high == pytest.approx(1 - 471 / 1100)
    assert saving.gpu_hours.low < saving.gpu_hours.value < saving.gpu_hours.high


def test_a_raw_corpus_that_may_be_smaller_than_the_kept_text_gives_a_negative_saving():
    saving = pass_saving(100, RawTokens(value=99, low=95, high=103), 0.0, ReportSettings())
    assert saving.tokens.low == -5
    assert saving.tokens.value == -1
    assert saving.money.low <= saving.money.value < 0 < saving.money.high


def test_model_without_a_size_is_sized_by_kept_tokens_and_says_that_this_is_a_choice():
    saving = pass_saving(KEPT, RAW, 0.0, ReportSettings(model_parameters=0))
    assert saving.model_parameters == KEPT / 20
    assert any("a choice" in assumption for assumption in saving.flops.assumptions)


def test_a_changed_constant_is_no_longer_attributed_to_its_source():
    saving = pass_saving(KEPT, RAW, 0.0, ReportSettings(price_per_gpu_hour=2.10))
    price = next(constant for constant in saving.constants if constant.name == "price_per_gpu_hour")
    assert (price.low, price.used, price.high) == (2.10, 2.10, 2.10)
    assert "report.price_per_gpu_hour" in price.source
    assert {constant.name for constant in saving.constants} == set(CONSTANTS)


def test_redundancy_vector():
    bracket = redundancy({1: 700_000, 2: 100_000, 10: 20_000, 100: 1_000})
    assert (bracket.raw_tokens, bracket.unique_tokens, bracket.removed_tokens) == (1_200_000, 821_000, 379_000)
    assert bracket.value_lost == pytest.approx(248_465.424140, rel=1e-6)
    assert bracket.redundant.low == pytest.approx(130_534.575860, rel=1e-6)
    assert bracket.redundant.high == 379_000
    assert (bracket.multiplier.low, bracket.multiplier.high) == pytest.approx((1.122056, 1.461632), rel=1e-6)
    assert bracket.redundant.tag == "MODELLED"


@pytest.mark.parametrize(("exposures", "worth"), [(1, 1), (2, 1.9682), (4, 3.7257), (10, 7.8141), (100, 16.363)])
def test_what_exposures_are_worth(exposures, worth):
    assert effective_exposures(exposures) == pytest.approx(worth, rel=1e-4)


def test_without_copies_nothing_is_redundant():
    assert redundancy({1: 5000.0}).redundant.high == 0
    assert redundancy({}).multiplier.value == 1


@given(st.dictionaries(st.integers(1, 500), st.floats(1, 1e9), min_size=1), st.integers(1, 8))
def test_redundancy_is_a_bracket_and_pure_copies_are_its_high_end(clusters, epochs):
    bracket = redundancy(clusters, epochs=epochs)
    copies = sum((size - 1) * each for size, each in clusters.items())
    assert bracket.redundant.high == pytest.approx(epochs * copies)
    assert -1e-6 * bracket.raw_tokens <= bracket.redundant.low <= bracket.redundant.high * (1 + 1e-9)
    assert 1 - 1e-9 <= bracket.multiplier.low <= bracket.multiplier.high * (1 + 1e-9)


@given(tokens, st.floats(0, 1), st.floats(0.05, 1), st.floats(0.05, 1))
def test_saving_falls_with_utilisation_and_never_leaves_its_range(raw, kept_share, first, second):
    measured = RawTokens(value=raw, low=raw, high=raw)
    kept = math.floor(raw * kept_share)
    slow, fast = (
        pass_saving(kept, measured, 0.0, ReportSettings(utilisation=rate)) for rate in sorted((first, second))
    )
    assert slow.gpu_hours.value >= fast.gpu_hours.value
    ranged = pass_saving(kept, measured, 0.0, ReportSettings())
    for figure in (ranged.gpu_hours, ranged.money, ranged.energy, ranged.carbon):
        assert figure.low <= figure.value <= figure.high


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"samples": -1}, "`report.samples` must be 0 or more, but is -1"),
        ({"utilisation": 40.0}, "`report.utilisation` is a share of peak between 0 and 1, but is 40.0"),
        ({"price_per_gpu_hour": (3.0, 2.0, 4.0)}, "low ≤ used ≤ high"),
        ({"pue": 0.9}, "`report.pue` must be 1 or more"),
        ({"layers": 32}, "must be given together"),
        ({"epochs": 0}, "`report.epochs` must be more than 0"),
    ],
)
def test_impossible_settings_are_refused_in_one_sentence(setting, message):
    with pytest.raises(ValueError, match=r"`report\.") as refused:
        ReportSettings(**setting)
    assert message in str(refused.value)


def test_waterfall_adds_up(tmp_path):
    manifest = write_fake_run(tmp_path)
    report = build_report(tmp_path, ReportSettings(samples=0))
    fall = report.waterfall
    assert fall is not None
    gone = sum(stage.tokens.value for stage in fall.stages)
    assert fall.raw.value - gone == pytest.approx(fall.kept.value)
    assert sum(kind.value for kind in fall.kinds.values()) == pytest.approx(gone)
    assert {stage.stage: stage.kind for stage in fall.stages} == {
        "normalize": "not_wanted",
        "language": "not_wanted",
        "near_dup": "redundant",
        "quality": "low_quality",
    }
    for stage in fall.stages:
        assert max(reason.tokens.value for reason in stage.reasons) <= stage.tokens.value * (1 + 1e-9)
        assert all(reason.alone.value <= reason.tokens.value for reason in stage.reasons)
    assert fall.per["1T"]["kept"].value == pytest.approx(1e12 * manifest["tokens"]["kept"] / fall.raw.value)
    assert sum(one.value for name, one in fall.per["1B"].items() if name != "gpu_hours") == pytest.approx(1e9)
    rows = {one.sequence_length: one for one in fall.packing if one.method == "one document a row, cropped"}
    lengths = pl.read_parquet(files_of(tmp_path, "tokenize"), columns=["reasons", "n_tokens"])
    kept = lengths.filter(pl.col("reasons").list.len() == 0)["n_tokens"]
    assert rows[2048].lost.value == sum(max(0, tokens - 2048) for tokens in kept)
    assert rows[2048].trained.value == pytest.approx(sum(min(2048, n) for n in kept) / (2048 * len(kept)))


@given(st.lists(st.integers(1, 300), min_size=1, max_size=60), st.sampled_from([16, 64]))
def test_places_of_best_fit_are_those_of_the_shards(sizes, length):
    found = places_of(*np.unique(sizes, return_counts=True), length)
    made = best_fitted(np.array(sizes), length, None).sizes.sum()
    assert abs(found - made) <= 2 * length  # shards take equal sizes in another order


def test_places_of_many_documents_are_estimated():
    many = np.array([3_000_000, 1_000_000])  # three of 5 places fit with one of 1 in 16
    assert places(np.array([5, 1]), many, 0, 16) == pytest.approx(16e6, rel=1e-4)


def _scenario(value: float | None, low: float | None, high: float | None, **settings):
    saving = Measured(value=value, low=low, high=high, unit="share", tag="MEASURED-ON-PROXY")
    evidence = SimpleNamespace(
        kept_share=0.471, saving_at_equal_quality=saving, cpu_seconds=100.0, about="a proxy", evaluation="a text"
    )
    return equal_quality(evidence, KEPT, 260.0, ReportSettings(**LLAMA_8B, **settings))


def test_saving_at_equal_quality_as_published_and_less_what_curation_took():
    found = _scenario(0.368270, 0.29, 0.43)
    values = [one.value for one in (found.flops, found.gpu_hours, found.money, found.energy, found.carbon)]
    assert values == pytest.approx([1.895503e19, 13.304242, 39.247515, 11.175564, 5.308393], rel=5e-6)
    assert found.curation_energy.value == pytest.approx(0.001)  # 360 core seconds of 10 W
    assert found.net_energy.value == pytest.approx(found.energy.value - 0.001)
    assert found.per["1B"]["tokens"].value == pytest.approx(0.368270e9)
    assert found.per["1T"]["gpu_hours"].value == pytest.approx(13_304.242, rel=5e-6)
    assert found.money.low < found.money.value < found.money.high


def test_what_was_not_measured_is_no_figure():
    found = _scenario(0.3, None, 0.4)
    assert found.energy.low is found.per["1T"]["tokens"].low is None
    assert found.energy.high > found.energy.value
    assert _scenario(None, None, None) is None
    loses = _scenario(-1.0, -2.0, -0.5)
    assert loses.money.low < loses.money.value < loses.money.high < 0
