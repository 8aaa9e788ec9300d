"""The calibration plot: how often documents with a score are good, beside how often they should be."""

import math

from curate.report.drawing.plot import KEPT, MUTED, Plot, round_ticks
from curate.training.figures import Bin

_SIZE = 300


def calibration_chart(bins: tuple[Bin, ...]) -> str:
    """An SVG: one point with its 95 % interval for each tenth of the scores, and the line on which they should lie."""
    plot = Plot(_SIZE, _SIZE, left=62, top=8, bottom=46, right=16)
    shares = [(_SIZE * share, f"{share:.0%}") for share in round_ticks(0, 1, 5)]
    plot.below(shares, "mean score")
    plot.beside([(_SIZE - at, said) for at, said in shares], "good documents")
    plot.line([(0, _SIZE), (_SIZE, 0)], MUTED, dashes="4 4")
    most = max((one.documents for one in bins), default=1)
    for one in bins:
        x = _SIZE * one.score
        plot.line([(x, _SIZE * (1 - one.least)), (x, _SIZE * (1 - one.most))], KEPT, 1.5)
        plot.point(x, _SIZE * (1 - one.good), 3 + 7 * math.sqrt(one.documents / most))
    return str(plot)
