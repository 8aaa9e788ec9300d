"""What all tests share: how many examples are tried."""

import hypothesis

from thorough import examples

collect_ignore = ["dangerous_stage"]
"""A stage of somebody else's: to import it for doctests would install it for all tests."""

hypothesis.settings.register_profile("part", hypothesis.settings(), max_examples=examples(100))
hypothesis.settings.load_profile("part")
