"""What training does not spend when it stops at the quality of one pass over the raw text: the measured multiplier as
FLOPs, money and energy, with the cost of curation and of measuring taken off.
"""

import msgspec

from curate.report.compute import Figure, cost, flops_per_token, machines
from curate.report.measured import Evidence
from curate.settings.compute_constants import TOKENS_PER_PARAMETER
from curate.settings.report import ReportSettings


class EqualQuality(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario: true if the multiplier of a small model holds at the scale of the one to be trained."""

    tokens: Figure
    flops: Figure
    gpu_hours: Figure
    money: Figure
    energy: Figure
    curation_energy: Figure
    net_energy: Figure
    carbon: Figure


def equal_quality(evidence: Evidence, kept_tokens: int, core_seconds: float, settings: ReportSettings) -> EqualQuality:
    """The scenario of a run and its measurement; an end that was not measured is taken for the value.

    Args:
        evidence: what was measured.
        kept_tokens: in the shards.
        core_seconds: CPU seconds of curation.
        settings: the model, the hardware and the prices.
    """
    raw = kept_tokens / evidence.kept_share
    found = evidence.saving_at_equal_quality
    used = found.value or 0.0
    shares = (used if found.low is None else found.low, used, used if found.high is None else found.high)
    parameters = settings.model_parameters or kept_tokens / TOKENS_PER_PARAMETER
    each = flops_per_token(parameters, layers=settings.layers, width=settings.width, context=settings.context)
    flops = [share * raw * each * settings.epochs for share in shares]
    costs = [cost(spent, machine) for spent, machine in zip(flops, machines(settings), strict=True)]
    curation = (core_seconds + evidence.cpu_seconds) * settings.core_watts / 3.6e6
    said = (
        f"the multiplier of {evidence.about}, on {evidence.evaluation}, holds at the scale of the model to be trained",
        "instead of one pass over the raw text without duplicates",
    )

    def figure(values: list[float], unit: str) -> Figure:
        return Figure(
            value=values[1], low=min(values), high=max(values), unit=unit, tag="MODELLED", assumptions=said,
            source="curate measure",
        )  # fmt: skip

    energy = [one.kilowatt_hours for one in costs]
    return EqualQuality(
        tokens=figure([share * raw for share in shares], "tokens"),
        flops=figure(flops, "FLOP"),
        gpu_hours=figure([one.gpu_hours for one in costs], "GPU-hours"),
        money=figure([one.money for one in costs], settings.currency),
        energy=figure(energy, "kWh"),
        curation_energy=figure([curation] * 3, "kWh"),
        net_energy=figure([spent - curation for spent in energy], "kWh"),
        carbon=figure([one.kilograms for one in costs], "kg CO2e"),
    )
