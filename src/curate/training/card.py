"""The card of a model as one page that needs nothing else: data, figures, calibration, telling n-grams, limits."""

from pathlib import Path

from markupsafe import Markup

from curate import __version__
from curate.models.ngram_model import NgramModel
from curate.report.html.templates import environment
from curate.training.chart import calibration_chart
from curate.training.training import Training


def card(model: NgramModel, training: Training, *, name: str, command: str, date: str) -> str:
    """The page as HTML.

    Args:
        model: as trained.
        training: what is known of it.
        name: of the model file.
        command: that trains it again.
        date: day of the training, ``2026-01-31``.
    """
    template = environment(Path(__file__).parent).get_template("card.html.j2")
    speaks_for = [[word for word in training.telling if (word.weight > 0) is good] for good in (True, False)]
    return template.render(
        training=training,
        figures=training.figures,
        sides=(("good", training.good), ("bad", training.bad)),
        speaks_for=zip(("good", "bad"), speaks_for, strict=True),
        facts=model.facts,
        buckets=len(model.weights),
        chart=Markup(calibration_chart(training.figures.bins)),  # noqa: S704  (our own drawing)
        name=name,
        command=command,
        date=date,
        version=__version__,
    )
