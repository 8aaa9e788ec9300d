"""A stage from another package that ends its process, or takes long, where a text says so."""

import os
import time
from typing import ClassVar

import pyarrow as pa

from curate.settings.base import Settings
from curate.stages.contract import Stage, reasons_where


class DangerousSettings(Settings, frozen=True):
    """Nothing to set."""


class Dangerous(Stage):
    name = "dangerous"
    version = 1
    about = "Ends its process at the word POISON, fails at FAULT, and takes a second for SLOW."
    settings_type = DangerousSettings
    adds: ClassVar = {"length": pa.int64()}
    reasons = ()
    needs = ("text",)

    def __init__(self, settings):
        self.settings = settings

    @property
    def fingerprint(self):
        """Of a model that this machine has."""
        return os.environ.get("DANGEROUS_MODEL", "")

    def measure(self, batch):
        for text in batch.column("text").to_pylist():
            if "POISON" in text:
                os.abort()
            if "FAULT" in text:
                raise ValueError("a fault in the stage")
            if "SLOW" in text:
                time.sleep(1)
        return pa.RecordBatch.from_arrays([pa.array([len(t) for t in batch.column("text").to_pylist()])], ["length"])

    def judge(self, measures):
        return reasons_where({}, len(measures))
