"""What a training pass costs on kept and on raw text, and how much of the duplicates was redundant.

Two claims only. *Pass cost*: one pass over fewer tokens costs less; tokens are counted, the rest follows from
stated assumptions. *Redundancy*: a bracket for what repeated copies were worth. Neither says how many kept
tokens reach the same loss as the raw corpus: that takes a measurement, so nothing here is called compute
saved at equal quality.

Every figure carries its range, its tag (``EXACT``: counted; ``MODELLED``: follows from assumptions;
``MEASURED-ON-PROXY``: see `curate.report.saved.measured`), the assumptions and the source. A range is the outcome with
all assumptions at their low, or all at their high end.
"""

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from curate.report import quantities
from curate.settings.compute_constants import CONSTANTS, REPETITION_DECAY, TOKENS_PER_PARAMETER
from curate.settings.report import ReportSettings
from curate.store.manifest_entries import RawTokens

Tag = Literal["EXACT", "MODELLED", "MEASURED-ON-PROXY"]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A number that can be questioned: its range, how it came about and what it rests on."""

    value: float
    low: float
    high: float
    unit: str
    tag: Tag
    assumptions: tuple[str, ...] = ()
    source: str = ""


class Machine(NamedTuple):
    """What training runs on: one value for everything that has a range."""

    peak_flops: float
    utilisation: float
    price_per_gpu_hour: float
    gpu_kilowatts: float
    pue: float
    grid_grams_per_kwh: float


class Cost(NamedTuple):
    """What an amount of computation takes on a machine."""

    gpu_hours: float
    money: float
    kilowatt_hours: float
    kilograms: float


class PassSaving(msgspec.Struct, frozen=True, kw_only=True):
    """What one training run over the kept instead of the raw text does not spend."""

    model_parameters: float
    flops_per_token: float
    epochs: float
    tokens_kept: Figure
    tokens_raw: Figure
    tokens: Figure
    share: Figure
    flops: Figure
    gpu_hours: Figure
    money: Figure
    energy: Figure
    curation_energy: Figure
    net_energy: Figure
    carbon: Figure
    constants: tuple["Assumed", ...]


class Assumed(msgspec.Struct, frozen=True, kw_only=True):
    """One assumption as used in this report."""

    name: str
    low: float
    used: float
    high: float
    unit: str
    meaning: str
    source: str
    dated: str


class Redundancy(msgspec.Struct, frozen=True, kw_only=True):
    """How much of what near_dup removed was redundant: a bracket, in tokens and as a multiplier."""

    raw_tokens: float
    unique_tokens: float
    removed_tokens: float
    value_lost: float
    redundant: Figure
    multiplier: Figure


def flops_per_token(parameters: float, *, layers: int = 0, width: int = 0, context: int = 0) -> float:
    """Training FLOPs for one token: ``6·N + 6·L·d·T`` (forward and backward, causal attention).

    Args:
        parameters: N, parameters in matrix multiplies (all but the input embedding).
        layers: L; 0 leaves the attention term out.
        width: d, model width.
        context: T, tokens of context.

    Kaplan et al. (arXiv 2001.08361) for 6·N; PaLM (arXiv 2204.02311, appendix B) has ``12·L·d·T`` for the
    attention term, half of which a causal mask leaves.

    Example:
        >>> flops_per_token(7_504_663_424, layers=32, width=4096, context=8192)
        51470431488.0
    """
    return 6.0 * parameters + 6.0 * layers * width * context


def cost(flops: float, machine: Machine) -> Cost:
    """GPU-hours, money, energy (kWh at the meter) and carbon (kg CO2e) of ``flops`` on ``machine``."""
    hours = flops / (machine.peak_flops * machine.utilisation * 3600)
    energy = hours * machine.gpu_kilowatts * machine.pue
    return Cost(hours, hours * machine.price_per_gpu_hour, energy, energy * machine.grid_grams_per_kwh / 1000)


def effective_exposures(exposures: float) -> float:
    """How many fresh tokens a token seen ``exposures`` times is worth: ``1 + R*·(1 - exp(-(x - 1)/R*))``.

    Muennighoff et al. (arXiv 2305.16264), R* = 15.39. Fitted to whole-corpus epochs of up to a few hundred
    repeats.

    Example:
        >>> [round(effective_exposures(x), 4) for x in (1, 2, 4, 100)]
        [1.0, 1.9682, 3.7257, 16.363]
    """
    return 1 + REPETITION_DECAY * (1 - math.exp(-(exposures - 1) / REPETITION_DECAY))


def redundancy(
    tokens_by_copies: Mapping[int, float], *, epochs: float = 1.0, assumptions: tuple[str, ...] = ()
) -> Redundancy:
    """What removed copies were worth: between what epochs are worth (low end) and nothing (high end).

    Args:
        tokens_by_copies: documents in a cluster (1: unique) → tokens of all such clusters, each counted once.
        epochs: passes over the corpus.
        assumptions: how the token weights were come by, to be shown.

    Example:
        >>> bracket = redundancy({1: 700_000, 2: 100_000, 10: 20_000, 100: 1_000})
        >>> round(bracket.redundant.low), round(bracket.redundant.high)
        (130535, 379000)
    """
    unique = sum(tokens_by_copies.values())
    raw = sum(copies * tokens for copies, tokens in tokens_by_copies.items())
    worth = sum(tokens * effective_exposures(copies * epochs) for copies, tokens in tokens_by_copies.items())
    removed = epochs * (raw - unique)
    lost = worth - unique * effective_exposures(epochs)
    once = sum(tokens * effective_exposures(copies) for copies, tokens in tokens_by_copies.items())
    shown = (
        "low end: a copy is worth what one more epoch is worth; high end: a copy is worth nothing",
        "the law was fitted to whole-corpus epochs; using it for each duplicate cluster is our extension",
        "heavy repetition can harm a model, so the true figure could exceed the high end",
        *assumptions,
    )
    source = "Muennighoff et al. 2023, arXiv 2305.16264"
    low, high = removed - lost, removed
    multiplier_low, multiplier_high = (raw / once, raw / unique) if unique else (1.0, 1.0)
    return Redundancy(
        raw_tokens=raw,
        unique_tokens=unique,
        removed_tokens=removed,
        value_lost=lost,
        redundant=Figure(
            value=low, low=low, high=high, unit="tokens", tag="MODELLED", assumptions=shown, source=source
        ),
        multiplier=Figure(
            value=multiplier_low,
            low=multiplier_low,
            high=multiplier_high,
            unit="x",
            tag="MODELLED",
            assumptions=shown,
            source=source,
        ),
    )


def pass_saving(kept_tokens: int, raw: RawTokens, core_seconds: float, settings: ReportSettings) -> PassSaving:
    """What training on the kept instead of the raw text does not spend.

    Args:
        kept_tokens: tokens in the shards.
        raw: tokens of the raw corpus under the same tokenizer.
        core_seconds: CPU seconds that curation took.
        settings: the model, the hardware and the prices.

    The number of parameters is the same in both arms: sizing each arm's model by its tokens would inflate the
    saving.
    """
    return _PassCost(kept_tokens, raw, core_seconds, settings).saving()


class _PassCost:
    """The arithmetic of `pass_saving`, with the assumptions in reach of every figure."""

    def __init__(self, kept_tokens: int, raw: RawTokens, core_seconds: float, settings: ReportSettings) -> None:
        self.kept, self.raw, self.core_seconds, self.settings = kept_tokens, raw, core_seconds, settings
        self.parameters = settings.model_parameters or kept_tokens / TOKENS_PER_PARAMETER
        self.per_token = flops_per_token(
            self.parameters, layers=settings.layers, width=settings.width, context=settings.context
        )
        self.count = _how_counted(raw)
        self.model = _which_model(settings, self.parameters)

    def saving(self) -> PassSaving:
        low, used, high = (raw - self.kept for raw in (self.raw.low, self.raw.value, self.raw.high))
        each = self.per_token * self.settings.epochs
        flops = (low * each, used * each, high * each)
        low_cost, used_cost, high_cost = (cost(f, m) for f, m in zip(flops, machines(self.settings), strict=True))
        tokens: Tag = "EXACT" if self.raw.counted else "MODELLED"
        hardware = (*self.count, *self.model, self._setting("utilisation", "of peak"), f"{self.settings.gpu}")
        energy = (*hardware, self._setting("gpu_kilowatts", "kW per GPU"), self._setting("pue", "PUE"))
        curation = self.core_seconds * self.settings.core_watts / 3.6e6

        def modelled(
            values: tuple[float, float, float], unit: str, assumptions: tuple[str, ...], source: str
        ) -> Figure:
            return _figure(values, unit, "MODELLED", assumptions, source)

        energies = (low_cost.kilowatt_hours, used_cost.kilowatt_hours, high_cost.kilowatt_hours)
        return PassSaving(
            model_parameters=self.parameters,
            flops_per_token=self.per_token,
            epochs=self.settings.epochs,
            tokens_kept=_figure((self.kept,) * 3, "tokens", "EXACT", (), "counted in the shards"),
            tokens_raw=_figure((self.raw.low, self.raw.value, self.raw.high), "tokens", tokens, self.count, "this run"),
            tokens=_figure((low, used, high), "tokens", tokens, self.count, "raw - kept, this run"),
            share=_figure(self._shares(), "share", tokens, self.count, "1 - kept / raw tokens, this run"),
            flops=modelled(flops, "FLOP", (*self.count, *self.model), "6·N·D, arXiv 2001.08361"),
            gpu_hours=modelled(
                (low_cost.gpu_hours, used_cost.gpu_hours, high_cost.gpu_hours),
                "GPU-hours",
                hardware,
                "FLOPs / (peak · utilisation)",
            ),
            money=modelled(
                (low_cost.money, used_cost.money, high_cost.money),
                self.settings.currency,
                (*hardware, self._setting("price_per_gpu_hour", f"{self.settings.currency} a GPU-hour")),
                "GPU-hours · price",
            ),
            energy=modelled(energies, "kWh", energy, "GPU-hours · kW · PUE"),
            curation_energy=modelled(
                (curation,) * 3,
                "kWh",
                (f"{self.settings.core_watts:g} W for each busy core",),
                "CPU seconds of this run · W",
            ),
            net_energy=modelled(
                (energies[0] - curation, energies[1] - curation, energies[2] - curation),
                "kWh",
                energy,
                "training energy not spent - energy of curation",
            ),
            carbon=modelled(
                (low_cost.kilograms, used_cost.kilograms, high_cost.kilograms),
                "kg CO2e",
                (
                    *energy,
                    self._setting("grid_grams_per_kwh", "g CO2e per kWh"),
                    "location-based; no embodied carbon, no water",
                ),
                "energy · grid intensity",
            ),
            constants=assumed(self.settings),
        )

    def _shares(self) -> tuple[float, float, float]:
        low, used, high = (1 - self.kept / raw if raw else 0.0 for raw in (self.raw.low, self.raw.value, self.raw.high))
        return low, used, high

    def _setting(self, name: str, unit: str) -> str:
        low, used, high = self.settings.range(name)
        return f"{used:g} {unit}" if low == high else f"{used:g} {unit} (range {low:g} to {high:g})"


def machines(settings: ReportSettings) -> tuple[Machine, Machine, Machine]:
    """The machine that makes the saving smallest, the one used, and the one that makes it largest."""
    high_first = settings.range("utilisation")[::-1]
    others = ("price_per_gpu_hour", "gpu_kilowatts", "pue", "grid_grams_per_kwh")
    low, used, high = (
        Machine(settings.gpu_peak_flops, high_first[end], *(settings.range(name)[end] for name in others))
        for end in range(3)
    )
    return low, used, high


def assumed(settings: ReportSettings) -> tuple[Assumed, ...]:
    """Every outside number as this report uses it; a changed one names the config as its source."""
    rows = []
    for name, constant in CONSTANTS.items():
        low, used, high = settings.range(name)
        changed = (low, used, high) != constant.range
        rows.append(
            Assumed(
                name=name,
                low=low,
                used=used,
                high=high,
                unit=constant.unit,
                meaning=constant.meaning,
                source=f"set by you: `report.{name}`" if changed else constant.source,
                dated="" if changed else constant.dated,
            )
        )
    return tuple(rows)


def _figure(values: tuple[float, ...], unit: str, tag: Tag, assumptions: tuple[str, ...], source: str) -> Figure:
    low, used, high = values
    return Figure(
        value=used,
        low=min(values),
        high=max(low, high),
        unit=unit,
        tag=tag,
        assumptions=assumptions,
        source=source,
    )


def _how_counted(raw: RawTokens) -> tuple[str, ...]:
    if raw.counted:
        return ()
    return (
        (
            f"raw tokens estimated from {raw.sampled_documents:,} sampled documents"
            f" ({raw.method}; {raw.confidence:.0%} interval {raw.low:,.0f} to {raw.high:,.0f})"
        ),
    )


def _which_model(settings: ReportSettings, parameters: float) -> tuple[str, ...]:
    chosen = "" if settings.model_parameters else f", a choice: kept tokens / {TOKENS_PER_PARAMETER:g}"
    attention = (
        f"causal attention of {settings.layers} layers, width {settings.width}, context {settings.context}"
        if settings.layers
        else "attention not counted (6·N·D)"
    )
    return (
        f"{quantities.short(parameters)} parameters in both arms{chosen}",
        attention,
        f"{settings.epochs:g} {'pass' if settings.epochs == 1 else 'passes'} over the corpus",
    )
