"""The stage ``decontaminate``: documents that hold items of benchmarks."""

from curate.stages.decontaminate.settings import DecontaminateSettings
from curate.stages.decontaminate.stage import Decontaminate

__all__ = ["Decontaminate", "DecontaminateSettings"]
