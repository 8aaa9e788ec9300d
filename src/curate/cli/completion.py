"""Values that a shell offers where a flag takes a name; what they come from is loaded only then."""

import json
from collections.abc import Iterable

import typer

from curate.errors import CurateError


def recipes(incomplete: str) -> list[str]:
    """Names of recipes.

    Example:
        >>> recipes("fineweb-")
        ['fineweb-code', 'fineweb-paper']
    """
    from curate.recipes import recipe_names

    return _beginning(incomplete, recipe_names())


def stages(incomplete: str) -> list[str]:
    """Names of stages.

    Example:
        >>> stages("near")
        ['near_dup']
    """
    from curate.stages import stage_names

    return _beginning(incomplete, stage_names())


def reasons(incomplete: str) -> list[str]:
    """Names of reasons, with their stage in front.

    Example:
        >>> reasons("language.")
        ['language.low_score', 'language.not_in_keep']
    """
    from curate.cli.display.questions.explanation import all_reasons

    return _beginning(incomplete, all_reasons())


def sources(context: typer.Context, incomplete: str) -> list[str]:
    """Sources of the run that was typed before, as its report names them; none where there is no report yet."""
    from curate.store.files import place
    from curate.store.run_directory import REPORT_JSON

    run = context.params.get("run") or next(iter(context.args), "")  # typer parses no further than the unfinished flag
    try:
        report = json.loads((place(run) / REPORT_JSON).read_bytes())
        names = [str(group["name"]) for group in report["sources"]]
    except (OSError, ValueError, KeyError, TypeError, CurateError):  # a shell that asks wants no error
        return []
    return _beginning(incomplete, (name for name in names if not name.startswith("(")))


def settings(incomplete: str) -> list[str]:
    """Settings as ``--set`` takes them.

    Example:
        >>> settings("near_dup.sim")
        ['near_dup.similarity=']
    """
    return _beginning(incomplete, (f"{name}=" for name in _settings()))


def sections(incomplete: str) -> list[str]:
    """Sections of the settings.

    Example:
        >>> sections("s")
        ['shards', 'storage']
    """
    from curate.pipeline.planning.config import FIXED
    from curate.stages import stage_names

    return _beginning(incomplete, (*FIXED, *stage_names()))


def engines(incomplete: str) -> list[str]:
    """Where a run can work.

    Example:
        >>> engines("")
        ['local', 'ray']
    """
    return _beginning(incomplete, ("local", "ray"))


def shard_formats(incomplete: str) -> list[str]:
    """Formats of shards.

    Example:
        >>> shard_formats("m")
        ['mds', 'megatron']
    """
    from curate.shards.formats import FORMATS

    return _beginning(incomplete, FORMATS)


def tokenizers(incomplete: str) -> list[str]:
    """Names of tokenizers that come along.

    Example:
        >>> tokenizers("cl")
        ['cl100k_base']
    """
    from curate.models.tokenizers.rank_file import PACKAGED

    return _beginning(incomplete, (*PACKAGED, "bytes"))


def numbers(incomplete: str) -> list[str]:
    """Numbers of a run that `curate diff --fail-on` compares.

    Example:
        >>> numbers("k"), numbers("language.")
        (['kept'], ['language.low_score', 'language.not_in_keep'])
    """
    from curate.cli.display.questions.explanation import all_reasons
    from curate.stages import stage_names

    known = ("read", "kept", "removed", "quarantined", "tokens")
    return _beginning(incomplete, {*known, *stage_names(), *all_reasons()})


def explained(incomplete: str) -> list[str]:
    """Whatever `curate explain` has a page for.

    Example:
        >>> explained("near_dup.s")[:2]
        ['near_dup.scope', 'near_dup.seed']
    """
    from curate.cli.display.questions.explanation import all_reasons
    from curate.stages import stage_names

    pages = (f"config.{section}" for section in sections(""))
    return _beginning(incomplete, {*stage_names(), *all_reasons(), *_settings(), *pages})


def _settings() -> list[str]:
    from curate.pipeline.planning.config import FIXED, settings_class
    from curate.stages import stage_names

    sections = (*FIXED, *stage_names())
    return [f"{section}.{key}" for section in sections for key in settings_class(section).__struct_fields__]


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
