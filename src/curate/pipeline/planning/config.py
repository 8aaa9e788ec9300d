"""Settings: which there are, where each value came from, and what is wrong with them.

Values come in layers: built-in default, then the recipe (`curate.recipes`), then ``curate.toml`` (or ``[tool.curate]``
in ``pyproject.toml``), then ``CURATE_*`` variables, then flags; the last one wins. A section is a frozen struct; a
stage's section is the stage's own. All problems are reported together, each with its line.
"""

import functools
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from curate import recipes
from curate.cache.tables import shipped
from curate.corpus.input import InputSettings
from curate.errors import ConfigError, nearest
from curate.settings.base import Settings, Unused
from curate.settings.check import checked, origin_of, together
from curate.settings.evidence import EvidenceSettings
from curate.settings.file import Layer, leaves, merged, nested, read_layer, toml_value
from curate.settings.report import ReportSettings
from curate.settings.storage import StorageSettings
from curate.shards.mixture.settings import MixSettings
from curate.shards.settings import ShardSettings
from curate.stages import DEFAULT as DEFAULT_STAGES
from curate.stages import stage_class, stage_names
from curate.store.objects.endpoint import Endpoint

S = TypeVar("S", bound=Settings)

FILE_NAME = "curate.toml"
DEFAULT = "default"


class PipelineSettings(Settings, frozen=True):
    """Which stages run, in which order, and which recipe all other settings start from."""

    recipe: str = DEFAULT
    """Name of a shipped recipe, or the path of a recipe file."""
    stages: tuple[str, ...] = DEFAULT_STAGES

    def __post_init__(self) -> None:
        repeated = [name for name in self.stages if self.stages.count(name) > 1]
        if repeated:
            raise ValueError(f"`pipeline.stages` must name each stage once, but has `{repeated[0]}` twice")


class RunSettings(Settings, frozen=True):
    """Where and with how much the run works. Nothing here but the seed changes a result."""

    engine: Literal["local", "ray"] = "local"
    workers: int = 0
    processes: int = 0
    memory: str = "75%"
    seed: int = 42

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ValueError(f"`run.workers` must be 0 (all cores) or more, but is {self.workers}")
        if self.processes < 0:
            raise ValueError(f"`run.processes` must be 0 (chosen by curate) or more, but is {self.processes}")
        if not 0 <= self.seed < 2**64:
            raise ValueError(f"`run.seed` must be 0 or more, and less than 2^64, but is {self.seed}")
        memory_bytes(self.memory, total=1 << 34)


class GateSettings(Settings, frozen=True):
    """Limits a finished run must meet; breaking one makes the exit code 1."""

    max_quarantined: float = 0.01
    """Share of the documents that could not be read."""
    max_lost_bytes: float = 0.01
    """Share of the input's stored bytes that could not be read, where nobody knows how many documents they hold."""
    max_skipped: float = 1.0
    """Share of the files found that are skipped: of other formats, of text nobody asked for, without the text."""
    min_kept: float = 0.0
    """Share of the documents that must stay."""
    min_documents: int = 1
    """Documents that must stay; those that a run of `input.against` holds already count. 0 lets a run keep nothing."""
    max_source_near_dup: float = 1.0
    """Share of the documents of any one source that near_dup may remove; 1 looks at no source."""
    max_unknown: float = 0.05
    """Share of the characters of the kept text that the tokenizer may not know."""

    def __post_init__(self) -> None:
        if self.min_documents < 0:
            raise ValueError(f"`gates.min_documents` is a number of documents, but is {self.min_documents}")
        for name in self.__struct_fields__:
            if name != "min_documents" and not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"`gates.{name}` is a share between 0 and 1, but is {getattr(self, name)}")

    def unused(self, runs: Sequence[str]) -> Iterator[Unused]:
        """Gates on stages that do not run."""
        for key, stage in (("max_source_near_dup", "near_dup"), ("max_unknown", "tokenize")):
            if stage not in runs:
                yield Unused(key, f"the stage `{stage}` does not run")


FIXED: dict[str, type[Settings]] = {
    "input": InputSettings,
    "pipeline": PipelineSettings,
    "shards": ShardSettings,
    "mix": MixSettings,
    "run": RunSettings,
    "storage": StorageSettings,
    "report": ReportSettings,
    "evidence": EvidenceSettings,
    "gates": GateSettings,
}
"""Sections that belong to no stage."""


@dataclass(frozen=True)
class Config:
    """All sections, validated, and where every value that is not a default came from."""

    sections: Mapping[str, Settings]
    origins: Mapping[str, str] = field(default_factory=dict)

    @property
    def input(self) -> InputSettings:
        """How the corpus is read."""
        return self._section("input", InputSettings)

    @property
    def pipeline(self) -> PipelineSettings:
        """Which stages run."""
        return self._section("pipeline", PipelineSettings)

    @property
    def shards(self) -> ShardSettings:
        """How shards are cut."""
        return self._section("shards", ShardSettings)

    @property
    def mix(self) -> MixSettings:
        """How often documents go into the shards."""
        return self._section("mix", MixSettings)

    @property
    def run(self) -> RunSettings:
        """Where and with how much."""
        return self._section("run", RunSettings)

    @property
    def storage(self) -> StorageSettings:
        """Where object stores are."""
        return self._section("storage", StorageSettings)

    @property
    def endpoint(self) -> Endpoint:
        """Which server ``s3://`` means: what was typed comes before the variables, a file after them."""
        return Endpoint(self.storage.endpoint, self.origin("storage.endpoint").startswith(("--", "argument")))

    @property
    def report(self) -> ReportSettings:
        """What the report shows and assumes."""
        return self._section("report", ReportSettings)

    @property
    def evidence(self) -> EvidenceSettings:
        """How it is measured what curation is worth."""
        return self._section("evidence", EvidenceSettings)

    @property
    def gates(self) -> GateSettings:
        """Limits a run must meet."""
        return self._section("gates", GateSettings)

    def stage(self, name: str) -> Settings:
        """The section of one stage."""
        return self.sections[name].completed(self.sections)

    def origin(self, key: str) -> str:
        """Where ``section.key``, or the first value of such a table, came from: ``default``, ``curate.toml:14`` …"""
        return origin_of(key, self.origins) or DEFAULT

    def resolved(self) -> dict[str, dict[str, Any]]:
        """Every value that holds as plain data, and what a file or a flag switched off."""
        values = {name: section.effective() for name, section in self.sections.items()}
        for key, origin in self.origins.items():
            section, _, name = key.partition(".")
            if "." not in name and name not in values[section] and not origin.startswith("recipe "):
                values[section][name] = self.value(key)
        return values

    @property
    def given(self) -> tuple[str, ...]:
        """Settings that a file, a variable or a flag of the user says: ``section.key``, dots for those in tables."""
        return tuple(key for key, origin in self.origins.items() if not origin.startswith("recipe "))

    def value(self, key: str) -> Any:
        """The value of ``section.key``, of a table in a section too, as plain data."""
        section, *path = key.split(".")
        return functools.reduce(lambda table, name: table[name], path, msgspec.to_builtins(self.sections[section]))

    def _section(self, name: str, kind: type[S]) -> S:
        section = self.sections[name]
        assert isinstance(section, kind)
        return section


def load(
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    assignments: Sequence[str] = (),
    *,
    arguments: Mapping[str, Any] | None = None,
    in_folder: bool = True,
) -> Config:
    """The settings of a run.

    Args:
        file: a config file; when None, ``curate.toml`` (else ``[tool.curate]`` in ``pyproject.toml``) of the current
            folder is used if there is one.
        flags: ``section.key`` (or ``section`` → table) → value given by a flag or its variable; None means not given.
        assignments: ``section.key=value`` texts of ``--set``; values are TOML, bare words are strings.
        arguments: section → table of settings, as a Python program gives them.
        in_folder: whether a file of the current folder is used.

    Raises:
        ConfigError: any unknown section or key, value of a wrong type or out of range; all of them in one message.
    """
    layers: list[Layer] = []
    found = file or (_config_in_folder() if in_folder else None)
    if found is not None:
        layers.append(read_layer(found, "tool.curate." if found.name == "pyproject.toml" else ""))
    layers.append(_assignment_layer(assignments))
    typed = {key: value for key, value in (flags or {}).items() if value is not None}
    layers.append(Layer(nested(typed), "flag", {key: flag_of(key) for key in typed}))
    layers.append(Layer(dict(arguments or {}), "argument"))
    return _build([*_recipe_layers(layers), *layers])


def reconfigured(
    resolved: Mapping[str, Any], assignments: Sequence[str] = (), arguments: Mapping[str, Any] | None = None
) -> Config:
    """The settings of a finished run, with changes.

    Args:
        resolved: ``config`` of its ``run.json``.
        assignments: ``section.key=value`` texts.
        arguments: section → table of settings.

    Raises:
        ConfigError: a change is wrong, or the settings of the run do not hold in this version.
    """
    known = {name: settings_class(name) for name in (*FIXED, *stage_names()) if name in resolved}
    kept = {
        name: {**kind.blank, **{key: value for key, value in resolved[name].items() if key in kind.__struct_fields__}}
        for name, kind in known.items()
    }
    return _build([Layer(kept, "run.json"), _assignment_layer(assignments), Layer(dict(arguments or {}), "argument")])


def flag_of(key: str) -> str:
    """The flag that gives a setting.

    Example:
        >>> flag_of("run.workers")
        '--workers'
    """
    return f"--{key.rpartition('.')[2].replace('_', '-')}"


def memory_bytes(text: str, total: int) -> int:
    """Bytes meant by ``4GB``, ``512MiB`` or ``75%`` (of ``total``).

    Example:
        >>> memory_bytes("1.5GB", total=0), memory_bytes("50%", total=1000)
        (1500000000, 500)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%|[kmgt]?i?b?)\s*", text.lower())
    if not match:
        raise ValueError(f"`run.memory` must be like `4GB`, `512MiB` or `75%`, but is `{text}`")
    number, unit = float(match[1]), match[2]
    if unit == "%":
        return int(total * number / 100)
    base = 1024 if "i" in unit else 1000
    return int(number * base ** (" kmgt".index(unit[0]) if unit and unit[0] in "kmgt" else 0))


def _config_in_folder() -> Path | None:
    if Path(FILE_NAME).is_file():
        return Path(FILE_NAME)
    project = Path("pyproject.toml")
    return project if project.is_file() and b"[tool.curate" in project.read_bytes() else None


def _assignment_layer(assignments: Sequence[str]) -> Layer:
    values: dict[str, Any] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals or "." not in key:
            homes = _homes(key.strip())
            meant = f"{homes[0]}.{text if equals else f'{text}=VALUE'}" if homes else "quality.min_words=40"
            raise ConfigError(
                f"`--set {text}` must have the form section.key=value", hint=f"--set {shlex.quote(meant)}"
            )
        values[key.strip()] = toml_value(value.strip())
    return Layer(nested(values), "--set")


def _recipe_layers(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers of the recipe that the others name last; a recipe says all its rules, so it starts from none."""
    chosen, where = DEFAULT, ""
    for layer in layers:
        pipeline = layer.tree.get("pipeline")
        if isinstance(pipeline, Mapping) and "recipe" in pipeline:
            chosen, where = pipeline["recipe"], layer.where("pipeline.recipe")
    if chosen == DEFAULT:
        return ()
    if not isinstance(chosen, str):
        raise ConfigError(f"`pipeline.recipe` must be the name or file of a recipe, but is {chosen!r}", where=where)
    recipe = recipes.recipe(chosen, where)
    blank = {name: stage_class(name).settings_type.blank for name in stage_names()}
    return Layer({name: tree for name, tree in blank.items() if tree}, f"recipe {recipe.name}"), *recipe.layers


def _build(layers: Iterable[Layer]) -> Config:
    tree: dict[str, Any] = {}
    origins: dict[str, str] = {}
    problems: list[ConfigError] = []
    known = (*FIXED, *stage_names())
    for layer in layers:
        for section, content in layer.tree.items():
            if section in known and isinstance(content, Mapping):
                tree = merged(tree, {section: content})
            else:
                problems.append(_no_section(section, layer, content))
        origins |= {key: layer.where(key) for key, _ in leaves(layer.tree)}
    sections: dict[str, Settings] = {}
    for section in known:
        made, wrong = checked(section, settings_class(section), tree.get(section, {}), origins)
        problems += wrong
        if made is not None:
            sections[section] = made
    if problems:
        raise together(problems)
    short = {key: origin.split("   ")[0] for key, origin in origins.items()}
    return Config(sections, short)


def settings_class(section: str) -> type[Settings]:
    """The struct that a section of the settings is."""
    return FIXED.get(section) or stage_class(section).settings_type


def _no_section(name: str, layer: Layer, content: object) -> ConfigError:
    """An unknown name at the top: a table that is no section, or a setting outside its section."""
    known = (*FIXED, *stage_names())
    if isinstance(content, Mapping):
        return ConfigError(f"there is no section `{name}`", where=layer.where(name), hint=nearest(name, known))
    homes = _homes(name)
    hint = f"did you mean `{homes[0]}.{name}`?" if homes else nearest(name, known)
    return ConfigError(f"`{name}` is outside any section", where=layer.where(name), hint=hint)


def _homes(name: str) -> list[str]:
    """The sections that have a setting of that name."""
    return [section for section in (*FIXED, *stage_names()) if name in settings_class(section).__struct_fields__]


def default_file() -> str:
    """The ``curate.toml`` that ``curate init`` writes: every setting, commented out, so that a recipe still holds."""
    source = shipped("curate", FILE_NAME)
    says_nothing = r"\s*(#|$)|\[[\w.]+\]"  # comments, blank lines and names of sections
    return "".join(line if re.match(says_nothing, line) else f"# {line}" for line in re.findall(r".*\n", source))
