"""What all tests share: how many examples are tried, what is not waited for, and a browser."""

import os
import shutil

import hypothesis
import pytest

from thorough import examples

collect_ignore = ["dangerous_stage"]
"""A stage of somebody else's: to import it for doctests would install it for all tests."""

hypothesis.settings.register_profile("part", hypothesis.settings(), max_examples=examples(100), deadline=None)
hypothesis.settings.load_profile("part")


os.fsync = lambda _: None
"""A test kills processes, but cuts no power: to wait for the disk at each of a few hundred thousand files proves
nothing, and takes a fifth of the time."""


@pytest.fixture(scope="module")
def chromium():
    """The Chromium of this machine."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("there is no Chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()
