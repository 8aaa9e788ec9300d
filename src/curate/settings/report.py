"""The ``[report]`` section: how much text the page may show, and what a training pass is assumed to cost."""

from collections.abc import Iterator, Sequence

from curate.settings.base import Settings, Unused
from curate.settings.compute_constants import CONSTANTS

Range = float | tuple[float, float, float]
"""One number when it is known, else low, used, high."""


class ReportSettings(Settings, frozen=True):
    """What the page shows and which training run the compute figures are about.

    Prices, power and the like take one number (``price_per_gpu_hour = 2.10``) or three: low, used, high
    (``[1.99, 2.95, 5.00]``). The outer two make the range printed beside every figure.

    Example:
        >>> ReportSettings(samples=0).price_per_gpu_hour
        (1.99, 2.95, 5.0)
    """

    samples: int = 5
    """Documents shown for each reason; 0 puts no document text in the page."""
    model_parameters: float = 7e9
    """Parameters in matrix multiplies of the model to be trained; 0: one for every 20 kept tokens."""
    layers: int = 0
    """Layers of the model; with ``width`` and ``context`` adds the attention term. 0 leaves it out."""
    width: int = 0
    context: int = 0
    epochs: float = 1.0
    """Passes over the corpus."""
    gpu: str = "H100 SXM (BF16 dense)"
    gpu_peak_flops: float = CONSTANTS["gpu_peak_flops"].used
    utilisation: Range = CONSTANTS["utilisation"].range
    price_per_gpu_hour: Range = CONSTANTS["price_per_gpu_hour"].range
    currency: str = "USD"
    gpu_kilowatts: Range = CONSTANTS["gpu_kilowatts"].range
    pue: Range = CONSTANTS["pue"].range
    grid_grams_per_kwh: Range = CONSTANTS["grid_grams_per_kwh"].range
    core_watts: float = CONSTANTS["core_watts"].used

    def __post_init__(self) -> None:
        for name in ("samples", "model_parameters", "layers", "width", "context", "core_watts"):
            if getattr(self, name) < 0:
                raise ValueError(f"`report.{name}` must be 0 or more, but is {getattr(self, name)}")
        for name in ("epochs", "gpu_peak_flops"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`report.{name}` must be more than 0, but is {getattr(self, name)}")
        for name in ("utilisation", "price_per_gpu_hour", "gpu_kilowatts", "pue", "grid_grams_per_kwh"):
            low, used, high = self.range(name)
            if not 0 <= low <= used <= high:
                raise ValueError(
                    f"`report.{name}` must be one number or low ≤ used ≤ high, but is {getattr(self, name)}"
                )
        low, _, high = self.range("utilisation")
        if not 0 < low <= high <= 1:
            raise ValueError(f"`report.utilisation` is a share of peak between 0 and 1, but is {self.utilisation}")
        if self.range("pue")[0] < 1:
            raise ValueError(f"`report.pue` must be 1 or more, but is {self.pue}")
        if 0 < sum(map(bool, (self.layers, self.width, self.context))) < 3:
            raise ValueError("`report.layers`, `report.width` and `report.context` must be given together")

    def unused(self, runs: Sequence[str]) -> Iterator[Unused]:
        """What training would cost, where there are no tokens."""
        for key in self.__struct_fields__ if "tokenize" not in runs else ():
            if key not in ("samples", "epochs"):
                yield Unused(key, "without the stage `tokenize` no tokens are counted")

    def range(self, name: str) -> tuple[float, float, float]:
        """Low, used and high value of a setting; three times the same when one number is given."""
        value: Range = getattr(self, name)
        return value if isinstance(value, tuple) else (value, value, value)
