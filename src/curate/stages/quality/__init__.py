"""Heuristic quality: signals measured in one pass, rules kept as data.

``signals.py`` lists what is measured, ``rules.toml`` what its rules are called, ``rules.py`` applies them, ``idle.py``
knows which can never decide, ``settings.py`` is what users and recipes (`curate.recipes`) set, ``stage.py`` the stage.
"""

from curate.stages.quality.settings import QualitySettings
from curate.stages.quality.stage import Quality

__all__ = ["Quality", "QualitySettings"]
