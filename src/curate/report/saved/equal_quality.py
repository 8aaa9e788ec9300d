"""What training does not spend when it stops at the quality of one pass over the raw text: the measured multiplier as
FLOPs, money and energy, with the cost of curation and of measuring taken off.
"""

from collections.abc import Sequence

import msgspec

from curate.report.saved.compute import cost, flops_per_token, machines
from curate.report.saved.measured import Evidence, Measured
from curate.report.saved.waterfall import SCALES
from curate.settings.compute_constants import TOKENS_PER_PARAMETER
from curate.settings.report import ReportSettings


class EqualQuality(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario: true if the multiplier of a small model holds at the scale of the one to be trained.

    An end that was not measured is null.
    """

    tokens: Measured
    flops: Measured
    gpu_hours: Measured
    money: Measured
    energy: Measured
    curation_energy: Measured
    net_energy: Measured
    carbon: Measured
    per: dict[str, dict[str, Measured]]
    """``1B`` and ``1T`` raw tokens: tokens, GPU-hours, money and net energy, curation growing with the corpus."""


def equal_quality(
    evidence: Evidence, kept_tokens: int, core_seconds: float, settings: ReportSettings
) -> EqualQuality | None:
    """The scenario of a run and its measurement; None where no amount of kept text reaches that quality.

    Args:
        evidence: what was measured.
        kept_tokens: in the shards.
        core_seconds: CPU seconds of curation.
        settings: the model, the hardware and the prices.
    """
    raw = kept_tokens / evidence.kept_share
    found = evidence.saving_at_equal_quality
    if found.value is None:
        return None
    shares = (found.low, found.value, found.high)
    parameters = settings.model_parameters or kept_tokens / TOKENS_PER_PARAMETER
    each = flops_per_token(parameters, layers=settings.layers, width=settings.width, context=settings.context)
    flops = [None if share is None else share * raw * each * settings.epochs for share in shares]
    curation = (core_seconds + evidence.cpu_seconds) * settings.core_watts / 3.6e6
    said = (
        f"the multiplier of {evidence.about}, on {evidence.evaluation}, holds at the scale of the model to be trained",
        "instead of one pass over the raw text without duplicates",
    )

    def figure(values: Sequence[float | None], unit: str, scale: float = 1.0) -> Measured:
        low, value, high = (None if one is None else one * scale for one in values)
        return Measured(
            value=value, low=low, high=high, unit=unit, tag="MODELLED", assumptions=said, source="curate measure",
            bound=found.bound,
        )  # fmt: skip

    tokens = [None if share is None else share * raw for share in shares]
    hours, money, energy, carbon = (
        _costs(flops, name, settings) for name in ("gpu_hours", "money", "kilowatt_hours", "kilograms")
    )
    net = [None if spent is None else spent - curation for spent in energy]
    return EqualQuality(
        tokens=figure(tokens, "tokens"),
        flops=figure(flops, "FLOP"),
        gpu_hours=figure(hours, "GPU-hours"),
        money=figure(money, settings.currency),
        energy=figure(energy, "kWh"),
        curation_energy=msgspec.structs.replace(figure([curation] * 3, "kWh"), bound=""),
        net_energy=figure(net, "kWh"),
        carbon=figure(carbon, "kg CO2e"),
        per={
            name: {
                "tokens": figure(tokens, "tokens", scale / raw),
                "gpu_hours": figure(hours, "GPU-hours", scale / raw),
                "money": figure(money, settings.currency, scale / raw),
                "net_energy": figure(net, "kWh", scale / raw),
            }
            for name, scale in SCALES.items()
        },
    )


def _costs(flops: Sequence[float | None], name: str, settings: ReportSettings) -> list[float | None]:
    """What the low, the used and the high amount of computation cost on whichever machine makes the range widest."""
    given = [[getattr(cost(each, at), name) for at in machines(settings)] for each in flops if each is not None]
    known = iter(given)
    low, used, high = (None if each is None else next(known) for each in flops)
    return [None if low is None else min(low), None if used is None else used[1], None if high is None else max(high)]
