"""The stage ``redact``: personal data and secrets become placeholders."""

from curate.stages.redact.settings import RedactSettings
from curate.stages.redact.stage import Redact

__all__ = ["Redact", "RedactSettings"]
