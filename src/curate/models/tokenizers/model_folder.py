"""The tokenizer in a folder of a model, as its ``tokenizer_config.json`` has it.

Transformers reads more than the file of the tokenizer: it adds tokens that only the configuration has, and some of its
classes take blanks and lower case from there. Where that gives other ids than the file does, the folder is refused.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from curate.errors import PlanError
from curate.models.tokenizers.added_tokens import AddedTokens, is_mark
from curate.models.tokenizers.hugging_face.json_steps import adds_blank, lowers
from curate.models.tokenizers.sentencepiece_file import SentencePieceVocabulary
from curate.models.tokenizers.vocabulary import Vocabulary

_FILES = ("tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model")
_CONFIG = "tokenizer_config.json"


class ModelFolder(NamedTuple):
    """A folder's tokenizer.

    Attributes:
        file: of the vocabulary.
        config: what ``tokenizer_config.json`` says; empty if there is none.
        added: ids of ordinary tokens that the configuration or ``added_tokens.json`` adds, by their text.
    """

    file: Path
    config: Mapping[str, Any]
    added: Mapping[str, int]

    @property
    def end_mark(self) -> str | None:
        """The mark with which the model's texts end, where the folder says one."""
        return _text(self.config.get("eos_token"))

    @property
    def begin_mark(self) -> str | None:
        """The mark that the configuration puts before each text."""
        return _text(self.config.get("bos_token")) if self.config.get("add_bos_token") is True else None

    def check(self, vocabulary: Vocabulary, added_tokens: AddedTokens) -> None:
        """See that the vocabulary's file alone gives the ids that the folder asks for.

        Args:
            vocabulary: of the file.
            added_tokens: which ordinary added tokens text may become.

        Raises:
            PlanError: it does not.
        """
        sought = [text for text in self.added if added_tokens == "all" or not is_mark(text)]
        if sought:
            found = vocabulary.open(vocabulary.backends[-1])(pa.array(sought, pa.large_string()))
            for row, text in enumerate(sought):
                ids = found.ids[found.offsets[row] : found.offsets[row + 1]]
                if self.added[text] not in ids:
                    raise self._refused(f"the added token `{text}` with the id {self.added[text]}", "has not")
        kind = str(self.config.get("tokenizer_class") or "").removesuffix("Fast").removesuffix("Tokenizer")
        if isinstance(vocabulary, SentencePieceVocabulary) and (
            kind not in _NUMBERED_AS_THE_FILE if kind else self.file.name == _RENUMBERED
        ):
            named = f"the class `{kind}Tokenizer`" if kind else "a class of transformers"
            raise self._refused(f"{named}, which may give other ids to the pieces of a file", "has its own")
        for said in self._contradictions(vocabulary):
            raise self._refused(f"`{said}` = {str(self.config[said]).lower()}", "says otherwise")

    def _contradictions(self, vocabulary: Vocabulary) -> Iterator[str]:
        """What transformers' class for this model takes from the configuration, and the file has otherwise."""
        blank: bool | None
        lower: bool | None
        if isinstance(vocabulary, SentencePieceVocabulary):
            blank, lower = vocabulary.adds_blank, False
        elif self.file.suffix == ".json" and self.config.get("tokenizer_class") not in _FOLLOW_THE_FILE:
            document = msgspec.json.decode(self.file.read_bytes())
            blank, lower = adds_blank(document), lowers(document)
        else:
            return
        for name, of_file in (("add_prefix_space", blank), ("do_lower_case", lower)):
            wanted = self.config.get(name)
            if isinstance(wanted, bool) and of_file is not None and wanted != of_file:
                yield name

    def _refused(self, said: str, other: str) -> PlanError:
        folder = str(self.file.parent)
        return PlanError(
            f"the configuration in `{folder}` has {said}, and `{self.file.name}` {other}",
            hint=f"AutoTokenizer.from_pretrained({folder!r}).save_pretrained(…) writes both again;"
            f" --set tokenize.tokenizer={self.file} takes the file as it is",
        )


_FOLLOW_THE_FILE = (None, "PreTrainedTokenizerFast", "TokenizersBackend")
_NUMBERED_AS_THE_FILE = {
    *("Llama", "CodeLlama", "Gemma", "Phi3", "T5", "Reformer", "BertGeneration"),
    *("PreTrained", "TokenizersBackend"),
}
"""Classes of transformers whose ids are those of a SentencePiece model; XLM-R, mBART, NLLB and Pegasus add to them, and
ALBERT and XLNet rewrite text before."""
_RENUMBERED = "sentencepiece.bpe.model"
"""Only classes that renumber call their file so."""


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
    config = _object(folder / _CONFIG)
    listed = config.get("added_tokens_decoder") or {}
    added = dict(_object(folder / "added_tokens.json"))
    try:
        added |= {entry["content"]: int(number) for number, entry in listed.items()}
        special = {entry["content"] for entry in listed.values() if entry.get("special")}
        ordinary = {text: int(number) for text, number in added.items() if text not in special}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise PlanError(f"the added tokens of `{folder}` are not texts with their ids: {error!r}") from error
    return ModelFolder(found[0], config, ordinary)


def _object(path: Path) -> Mapping[str, Any]:
    """What a file says; nothing if there is none."""
    if not path.is_file():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"`{path}` is not a JSON object: {error}", where=str(path)) from error


def _text(token: Any) -> str | None:
    """A token as text, written as it is or as an object."""
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) and text else None
