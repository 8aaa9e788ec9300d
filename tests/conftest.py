"""What all tests share: charts are drawn only where a test looks at them, and how many examples are tried."""

import hypothesis
import pytest

from curate.report.drawing import charts, vega
from thorough import examples
from undrawn import Undrawn

collect_ignore = ["dangerous_stage"]
"""A stage of somebody else's: to import it for doctests would install it for all tests."""

hypothesis.settings.register_profile("part", hypothesis.settings(), max_examples=examples(100))
hypothesis.settings.load_profile("part")


@pytest.fixture(scope="module", autouse=True)
def _charts(request):
    """Drawing takes a quarter of the processor time of a small run, and starting the engine as much as a whole one.

    Modules that set ``DRAWS_CHARTS`` get real ones.
    """
    with pytest.MonkeyPatch.context() as patch:
        if not getattr(request.module, "DRAWS_CHARTS", False):
            patch.setattr(vega, "_Process", Undrawn)
            patch.setattr(vega, "_running", [])
        charts._histogram_spec.cache_clear()
        yield
        charts._histogram_spec.cache_clear()
