"""The stage ``extract``: the text of HTML pages."""

from curate.stages.extract.settings import ExtractSettings as ExtractSettings
from curate.stages.extract.stage import Extract as Extract
