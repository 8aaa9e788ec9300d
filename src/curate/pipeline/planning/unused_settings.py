"""Settings of the user that change nothing: reported before the run if settings and files show it, else afterwards.

A setting without an effect is mostly a mistake: a section of a stage that does not run, the field of another way to
choose survivors, a language that no document is in. Only what a file, a variable or a flag says is worth a word;
defaults and recipes hold many settings for other cases.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from curate.corpus.formats.registry import formats
from curate.corpus.input import InputFile, Skipped, excluded_by
from curate.events import Warned
from curate.pipeline.planning.config import Config, settings_class
from curate.settings.base import Settings, Unused
from curate.settings.file import leaves
from curate.stages import stage_names
from curate.stages.language import ALL, LanguageSettings, advice_on
from curate.store.manifest_entries import Mention

_COPIED = 4
"""So many settings of a section, all with their defaults, are a copy of these."""
_SHOWN = 3
"""Settings named one by one in a note."""


def unused_notes(
    config: Config, runs: Sequence[str], files: Sequence[InputFile], skipped: Sequence[Skipped]
) -> list[Warned]:
    """One note for each reason why settings of the user change nothing.

    Args:
        config: all settings, and where they come from.
        runs: names of the stages of the run, in order.
        files: of the corpus.
        skipped: files that are not read.
    """
    found: dict[tuple[str, str, str], list[str]] = {}
    meant = _meant(config)
    for one in (*unused(config, runs), *_unused_of_input(files)):
        given = [key for key in meant if f"{key}.".startswith(f"{one.key}.")]
        if given:
            found.setdefault((one.key.partition(".")[0], one.why, one.hint), []).extend(given)
    return [
        Warned(f"{_named(keys)} {'have' if len(keys) > 1 else 'has'} no effect: {why}", hint)
        for (_, why, hint), keys in found.items()
    ] + [*_excluding_nothing(config, files, skipped)]


def unused(config: Config, runs: Sequence[str]) -> Iterator[Unused]:
    """Settings that change nothing, whatever the corpus holds; given or not. Keys are ``section.key``.

    Args:
        config: all settings.
        runs: names of the stages of the run, in order.
    """
    for name in stage_names():
        if name not in runs:
            yield _of_no_stage(name, config)
    for name, section in _at_work(config, runs):
        for one in section.unused(runs):
            yield one._replace(key=f"{name}.{one.key}".rstrip("."))
    yield from _unkept_languages(config, runs)


def mentions_of(config: Config, runs: Sequence[str]) -> tuple[Mention, ...]:
    """What settings of the user name that may not be in the corpus.

    `curate.stages.contract.Mentions` with ``section.key`` for the key, and the ``stage``.
    """
    found = []
    for name, section in _at_work(config, runs):
        for one in section.mentions():
            key = f"{name}.{one.key}".rstrip(".")
            if (name in runs and not one.key) or any(f"{given}.".startswith(f"{key}.") for given in config.given):
                found.append(Mention(**one._replace(key=key)._asdict(), stage=name))
    return tuple(found)


def _meant(config: Config) -> list[str]:
    """The settings given, but for headings of empty sections and sections copied from the list of defaults."""
    copied, headings = set(), set()
    for name in config.sections:
        given = [key for key in config.given if key.startswith(f"{name}.")]
        plain = dict(leaves({name: msgspec.to_builtins(settings_class(name)())}))
        if len(given) >= _COPIED and all(key in plain and plain[key] == config.value(key) for key in given):
            copied.add(name)
        headings |= {key for key in config.given if any(one.startswith(f"{key}.") for one in plain)}
    return [key for key in config.given if key not in headings and key.partition(".")[0] not in copied]


def _at_work(config: Config, runs: Sequence[str]) -> Iterator[tuple[str, Settings]]:
    """The sections that are not those of stages that do not run."""
    for name, section in config.sections.items():
        if name in runs or name not in stage_names():
            yield name, section


def _of_no_stage(name: str, config: Config) -> Unused:
    if name in config.pipeline.stages:
        return Unused(name, f"`--skip` or `--only` excludes the stage `{name}`")
    hint = f"pipeline.stages names the stages that run; curate explain {name}"
    return Unused(name, f"the stage `{name}` is not in `pipeline.stages`", hint)


def _unkept_languages(config: Config, runs: Sequence[str]) -> Iterator[Unused]:
    """Settings for documents in languages that are not kept, or that no label names."""
    language = config.sections.get("language")
    if "language" not in runs or not isinstance(language, LanguageSettings):
        return
    for name in runs[runs.index("language") + 1 :]:
        for one in config.stage(name).mentions():
            for code in one.languages:
                if code not in language.labels:
                    why = f"the language stage gives no document the label `{code}`"
                    yield Unused(f"{name}.{one.key}", why, advice_on(code, language.labels))
                elif code not in language.keep and ALL not in language.keep:
                    why = f"`language.keep` removes all documents in `{code}`"
                    yield Unused(f"{name}.{one.key}", why, f'put "{code}" in language.keep')


def _unused_of_input(files: Iterable[InputFile]) -> Iterator[Unused]:
    found = {file.format for file in files}
    if not found & {"text", "lines", "pieces"}:
        yield Unused("input.split", "there is no text or Markdown file")
    if found and not any(formats()[name].fields for name in found):
        for key in ("text", "id", "source"):
            yield Unused(f"input.{key}", "text and Markdown files have no fields")


def _excluding_nothing(config: Config, files: Sequence[InputFile], skipped: Sequence[Skipped]) -> Iterator[Warned]:
    """Of each pattern of ``input.exclude`` that is the name of no file."""
    excluded = [one.path for one in skipped if one.kind == "excluded"]
    for pattern in config.input.exclude if "input.exclude" in config.given else ():
        alone = msgspec.structs.replace(config.input, exclude=(pattern,))
        if not any(excluded_by(name, alone) for name in excluded):
            hint = f"patterns are compared with whole names, such as `{files[0].name}`" if files else ""
            yield Warned(f"`{pattern}` in `input.exclude` has no effect: no file has such a name", hint)


def _named(keys: Sequence[str]) -> str:
    """Names of settings, a few of them.

    Example:
        >>> _named(["shards.format"]), _named(["a.b", "a.c"])
        ('`shards.format`', '`a.b` and `a.c`')
        >>> _named([f"a.{letter}" for letter in "bcdef"])
        '`a.b`, `a.c`, `a.d` and 2 more'
    """
    quoted = [f"`{key}`" for key in keys]
    if len(quoted) > _SHOWN:
        return f"{', '.join(quoted[:_SHOWN])} and {len(quoted) - _SHOWN} more"
    return " and ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1])))
