"""Whether a run can make tokens of the conversations that it reads."""

from collections.abc import Sequence

from curate.corpus.input import InputFile
from curate.errors import PlanError
from curate.shards.formats import FORMATS
from curate.shards.settings import ShardSettings
from curate.stages.contract import Stage
from curate.text.chats.shape import parsed

_WITH = "--set tokenize.tokenizer=MODEL_FOLDER --set tokenize.chat_template=MODEL_FOLDER"
_WITHOUT = "or keep them as they are: --skip tokenize, then curate export"


class ConversationsError(PlanError):
    """Conversations are there that this run cannot make tokens of; all but that it can."""


def check_conversations(files: Sequence[InputFile], stages: Sequence[Stage], shards: ShardSettings) -> None:
    """Nothing where the stage that makes tokens knows how to write what is read.

    Args:
        files: inspected.
        stages: of the run.
        shards: how tokens are written.

    Raises:
        ConversationsError: conversations without a template, preferences.
        PlanError: a loss mask that the format cannot hold.
    """
    by_template = [f"--skip {each.name}" for each in stages if each.name in {"chat", "tokenize"}]
    chats = [file for file in files if file.conversation and not file.problem and not file.empty]
    preferences = [file for file in chats if parsed(file.conversation).is_preference]
    if preferences and by_template:
        raise ConversationsError(
            f"`{preferences[0].name}` holds preferences (`{preferences[0].conversation}`), which are curated and"
            " exported, but not tokenized",
            hint=f"{' '.join(by_template)}, then curate export",
        )
    template = next((getattr(each.settings, "chat_template", "") for each in stages if each.name == "tokenize"), None)
    if template is None:
        return
    if chats and not template:
        raise ConversationsError(
            f"`{chats[0].name}` holds conversations (`{chats[0].conversation}`), and `tokenize.chat_template` does not"
            " say how the model reads them",
            hint=f"{_WITH}, {_WITHOUT}" if shards.format == "sft" else f"--recipe sft {_WITH}, {_WITHOUT}",
        )
    known = FORMATS[shards.format]
    has_mask = template not in {"", "plain"}
    if has_mask and not known.keeps_loss(loss_mask=shards.loss_mask):
        raise PlanError(
            f"`tokenize.chat_template` makes a loss mask, and shards of format `{shards.format}` do not hold one",
            hint="--set shards.loss_mask=true" if "loss_mask" in known.options else "--set shards.format=sft",
        )
    if known.has_loss and not has_mask:
        raise PlanError(
            f"shards of format `{shards.format}` have a loss mask, and `tokenize.chat_template` makes none",
            hint="--set tokenize.chat_template=MODEL_FOLDER",
        )
