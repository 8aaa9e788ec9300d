"""Every outside number the report relies on: value, range, unit, where it is from and when that was true.

Prices, grids and hardware change; a figure without its date would be a guess. All of them can be set in
``[report]``, and all of them are printed beside the figures they lead to.
"""

from typing import NamedTuple


class Constant(NamedTuple):
    """A number from outside, with the range used for the low and the high end of what is computed from it."""

    used: float
    low: float
    high: float
    unit: str
    meaning: str
    source: str
    dated: str

    @property
    def range(self) -> tuple[float, float, float]:
        """Low, used, high: the form of a setting."""
        return self.low, self.used, self.high


CONSTANTS = {
    "gpu_peak_flops": Constant(
        989.4e12,
        989.4e12,
        989.4e12,
        "FLOP/s",
        "peak of one GPU, H100 SXM, BF16, dense",
        "NVIDIA H100 datasheet",
        "2023",
    ),
    "utilisation": Constant(
        0.40,
        0.25,
        0.43,
        "share of peak",
        "model FLOPs utilisation reached in training",
        "Llama 3 405B reports 0.38 to 0.43 (arXiv 2407.21783); all-in values from published GPU-hours are lower",
        "2024-07",
    ),
    "price_per_gpu_hour": Constant(
        2.95,
        1.99,
        5.00,
        "per GPU-hour",
        "price of renting one H100 for an hour",
        "median on-demand price of 37 providers (AIMultiple); range from the long tail to hyperscalers (Mercatus)",
        "2026-05",
    ),
    "gpu_kilowatts": Constant(
        0.70,
        0.595,
        1.275,
        "kW",
        "power drawn for one GPU",
        "H100 SXM thermal design power; low: 85 % of it (arXiv 2503.05804); high: DGX H100, 10.2 kW for 8",
        "2025-03",
    ),
    "pue": Constant(
        1.2,
        1.1,
        1.58,
        "ratio",
        "power usage effectiveness of the data centre",
        "hyperscale sites 1.1 to 1.2; industry mean 1.58 (Uptime Institute 2024)",
        "2024",
    ),
    "grid_grams_per_kwh": Constant(
        475.0,
        28.0,
        699.0,
        "g CO2e/kWh",
        "carbon intensity of the grid, location-based",
        "world average of CodeCarbon (IEA 2019); range from Norway to South Africa (Ember 2025)",
        "2019",
    ),
    "core_watts": Constant(
        10.0,
        10.0,
        10.0,
        "W",
        "power of one busy CPU core of this machine",
        "an assumption; measure it to know",
        "2026-11",
    ),
}
"""Name of the setting → what it is."""

TOKENS_PER_PARAMETER = 20.0
"""Compute-optimal training tokens for each parameter (Hoffmann et al., arXiv 2203.15556)."""

REPETITION_DECAY = 15.387756
"""R*_D: how fast a repeated token loses value (Muennighoff et al., arXiv 2305.16264, fitted constants)."""
