"""The tokenizer in a folder of a model, as its ``tokenizer_config.json`` has it."""

from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from curate.errors import PlanError

_FILES = ("tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model")
_CONFIG = "tokenizer_config.json"


class ModelFolder(NamedTuple):
    """A folder's tokenizer: its file, and the mark with which the model's texts end, where the folder says one."""

    file: Path
    end_mark: str | None


def model_folder(folder: Path) -> ModelFolder:
    """Look into a folder.

    Raises:
        PlanError: there is no tokenizer that can be read.
    """
    found = [folder / name for name in _FILES if (folder / name).is_file()]
    found += sorted(folder.glob("*.tiktoken"))[:1]
    if not found:
        split = (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file()
        hint = (
            f"AutoTokenizer.from_pretrained({str(folder)!r}).save_pretrained(…) writes a tokenizer.json"
            if split
            else "the path of a tokenizer.json, .model or .tiktoken file"
        )
        raise PlanError(f"the folder `{folder}` has no tokenizer.json, tokenizer.model or .tiktoken file", hint=hint)
    config = folder / _CONFIG
    if not config.is_file():
        return ModelFolder(found[0], None)
    try:
        content = msgspec.json.decode(config.read_bytes())
        return ModelFolder(found[0], _text(content.get("eos_token")))
    except (msgspec.DecodeError, AttributeError) as error:
        raise PlanError(f"`{config}` is no {_CONFIG}: {error}", where=str(config)) from error


def _text(token: Any) -> str | None:
    """A token as text, written as it is or as an object."""
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) and text else None
