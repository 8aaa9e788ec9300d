"""Heuristic quality: signals measured in one pass, rules kept as data.

``signals.py`` lists what is measured, ``recipes/*.toml`` which rules a recipe has, ``rules.py`` applies them,
``settings.py`` is what users change and ``stage.py`` the stage.
"""

from curate.stages.quality.settings import QualitySettings
from curate.stages.quality.stage import Quality

__all__ = ["Quality", "QualitySettings"]
