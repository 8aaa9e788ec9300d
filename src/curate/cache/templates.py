"""Compiled templates of pages: compiling that of the report takes as long as importing pyarrow and polars together.

What is kept is code, which runs when it is read. So it lies where Python keeps that of the modules beside it, and where
nobody may write there, in the user's cache folder: never in a folder of a corpus.
"""

import hashlib
from contextlib import suppress
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket

from curate.cache.folder import keep_whole, user_cache_folder


class KeptTemplates(jinja2.BytecodeCache):
    """Code of templates, kept between processes; made again when a template, its options, jinja2 or Python change.

    Args:
        folder: of the templates.

    Example:
        >>> kept = KeptTemplates(Path(__file__).parent)
        >>> environment = jinja2.Environment(loader=jinja2.DictLoader({"a": "{{ 1 + 1 }}"}), bytecode_cache=kept)
        >>> environment.get_template("a").render()
        '2'
    """

    def __init__(self, folder: Path) -> None:
        self._folders = (folder / "__pycache__", user_cache_folder() / "curate-pages")

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill the bucket, if there is something for it."""
        for folder in self._folders:
            with suppress(OSError, ValueError, EOFError), (folder / self._name(bucket)).open("rb") as file:
                bucket.load_bytecode(file)
            if bucket.code is not None:
                return

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep what is in the bucket, where that is possible."""
        for folder in self._folders:
            with suppress(OSError):
                keep_whole(folder / self._name(bucket), bucket.write_bytecode)
                return

    @staticmethod
    def _name(bucket: Bucket) -> str:
        used = bucket.environment
        made_with = (jinja2.__version__, used.autoescape, used.trim_blocks, used.lstrip_blocks)
        return f"{bucket.key}-{hashlib.sha256(repr(made_with).encode()).hexdigest()[:16]}.jinja"
