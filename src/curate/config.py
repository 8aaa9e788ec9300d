"""Settings: which there are, where each value came from, and what is wrong with them.

Values come in layers: built-in default, then ``curate.toml`` (or ``[tool.curate]`` in ``pyproject.toml``), then
``CURATE_*`` variables, then flags; the last one wins. A section is a frozen struct; a stage's
section is the stage's own. All problems are reported together, each with its line.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from curate.corpus.input import InputSettings
from curate.errors import ConfigError, nearest
from curate.report.settings import ReportSettings
from curate.shards.settings import ShardSettings
from curate.stages import DEFAULT as DEFAULT_STAGES
from curate.stages import stage_class, stage_names
from curate.stages.contract import Settings

S = TypeVar("S", bound=Settings)

FILE_NAME = "curate.toml"
DEFAULT = "default"


class PipelineSettings(Settings, frozen=True):
    """Which stages run, in which order."""

    stages: tuple[str, ...] = DEFAULT_STAGES

    def __post_init__(self) -> None:
        repeated = [name for name in self.stages if self.stages.count(name) > 1]
        if repeated:
            raise ValueError(f"`pipeline.stages` must name each stage once, but has `{repeated[0]}` twice")


class RunSettings(Settings, frozen=True):
    """Where and with how much the run works. Nothing here changes a result."""

    engine: Literal["local"] = "local"
    workers: int = 0
    memory: str = "75%"
    seed: int = 42

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ValueError(f"`run.workers` must be 0 (all cores) or more, but is {self.workers}")
        memory_bytes(self.memory, total=1 << 34)


class GateSettings(Settings, frozen=True):
    """Limits a finished run must meet; breaking one makes the exit code 1."""

    max_quarantined: float = 0.01
    min_kept: float = 0.0
    max_source_near_dup: float = 1.0
    """Share of the documents of any one source that near_dup may remove; 1 looks at no source."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"`gates.{name}` is a share between 0 and 1, but is {getattr(self, name)}")


FIXED: dict[str, type[Settings]] = {
    "input": InputSettings,
    "pipeline": PipelineSettings,
    "shards": ShardSettings,
    "run": RunSettings,
    "report": ReportSettings,
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
    def run(self) -> RunSettings:
        """Where and with how much."""
        return self._section("run", RunSettings)

    @property
    def report(self) -> ReportSettings:
        """What the report shows and assumes."""
        return self._section("report", ReportSettings)

    @property
    def gates(self) -> GateSettings:
        """Limits a run must meet."""
        return self._section("gates", GateSettings)

    def stage(self, name: str) -> Settings:
        """The section of one stage."""
        return self.sections[name]

    def origin(self, key: str) -> str:
        """Where ``section.key`` came from: ``default``, ``curate.toml:14``, ``--set`` …"""
        return self.origins.get(key, DEFAULT)

    def resolved(self) -> dict[str, dict[str, Any]]:
        """Every value of every section as plain data."""
        return {name: section.effective() for name, section in self.sections.items()}

    def _section(self, name: str, kind: type[S]) -> S:
        section = self.sections[name]
        assert isinstance(section, kind)
        return section


def load(file: Path | None = None, flags: Mapping[str, Any] | None = None, assignments: Sequence[str] = ()) -> Config:
    """The settings of a run.

    Args:
        file: a config file; when None, ``curate.toml`` (else ``[tool.curate]`` in ``pyproject.toml``) of the current
            folder is used if there is one.
        flags: ``section.key`` → value given by a flag or its variable; None means not given.
        assignments: ``section.key=value`` texts of ``--set``; values are TOML, bare words are strings.

    Raises:
        ConfigError: any unknown section or key, value of a wrong type or out of range; all of them in one message.
    """
    layers: list[_Layer] = []
    found = file or _config_in_folder()
    if found is not None:
        layers.append(_file_layer(found))
    layers.append(_assignment_layer(assignments))
    layers.append(_Layer({key: value for key, value in (flags or {}).items() if value is not None}, "flag"))
    return _build(layers)


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


@dataclass(frozen=True)
class _Layer:
    values: Mapping[str, Any]
    name: str
    lines: Mapping[str, str] = field(default_factory=dict)

    def where(self, key: str) -> str:
        return self.lines.get(key, f"--set {key}" if self.name == "--set" else self.name)


def _config_in_folder() -> Path | None:
    if Path(FILE_NAME).is_file():
        return Path(FILE_NAME)
    project = Path("pyproject.toml")
    return project if project.is_file() and "[tool.curate" in project.read_text("utf-8", "replace") else None


def _file_layer(file: Path) -> _Layer:
    try:
        source = file.read_text("utf-8")
        data = tomllib.loads(source)
    except FileNotFoundError:
        raise ConfigError(f"there is no config file `{file}`", hint="curate init writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"`{file}` cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"`{file}` is not valid TOML: {error}", where=str(file)) from error
    prefix = "tool.curate." if file.name == "pyproject.toml" else ""
    if prefix:
        data = data.get("tool", {}).get("curate", {})
    values: dict[str, Any] = {}
    for section, content in data.items():
        if isinstance(content, dict):
            values |= {f"{section}.{key}": value for key, value in content.items()} or {f"{section}.": None}
        else:
            values[section] = content
    return _Layer(values, str(file), _lines(source, str(file), prefix))


def _lines(source: str, file: str, prefix: str) -> dict[str, str]:
    """``section.key`` → ``file:line   the line itself``."""
    section = ""
    lines: dict[str, str] = {}
    for number, line in enumerate(source.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([\w.\"-]+)\s*\]", line):
            section = header[1].replace('"', "").removeprefix(prefix)
            lines.setdefault(f"{section}.", f"{file}:{number}   {line.strip()}")
        elif assignment := re.match(r"\s*([\w\"-]+)\s*=", line):
            key = assignment[1].strip('"')
            lines[f"{section}.{key}" if section else key] = f"{file}:{number}   {line.strip()}"
    return lines


def _assignment_layer(assignments: Sequence[str]) -> _Layer:
    values: dict[str, Any] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not equals or "." not in key:
            raise ConfigError(f"`--set {text}` must have the form section.key=value", hint="--set quality.min_words=40")
        values[key.strip()] = _toml_value(value.strip())
    return _Layer(values, "--set")


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _build(layers: Iterable[_Layer]) -> Config:
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    problems: list[ConfigError] = []
    known = {*FIXED, *stage_names()}
    for layer in layers:
        for key, value in layer.values.items():
            section, _, name = key.partition(".")
            if section not in known:
                problems.append(
                    ConfigError(
                        f"there is no section `{section}`",
                        where=layer.where(key),
                        hint=nearest(section, known),
                    )
                )
            elif name:
                merged[key], origins[key] = value, layer.where(key)
    sections: dict[str, Settings] = {}
    for section in (*FIXED, *stage_names()):
        given = {key.partition(".")[2]: value for key, value in merged.items() if key.partition(".")[0] == section}
        kind = FIXED.get(section) or stage_class(section).settings_type
        problems += _unknown_keys(section, kind, given, origins)
        usable = {key: value for key, value in given.items() if key in kind.__struct_fields__}
        try:
            sections[section] = msgspec.convert(usable, kind)
        except msgspec.ValidationError as error:
            problems.append(_explained(section, error, usable, origins))
    if problems:
        raise _together(problems)
    short = {key: origin.split("   ")[0] for key, origin in origins.items()}
    return Config(sections, short)


def _unknown_keys(
    section: str, kind: type[Settings], given: Mapping[str, Any], origins: Mapping[str, str]
) -> list[ConfigError]:
    fields = kind.__struct_fields__
    return [
        ConfigError(
            f"`{section}` has no setting `{key}`",
            where=origins[f"{section}.{key}"],
            hint=nearest(key, fields),
        )
        for key in given
        if key not in fields
    ]


def _explained(
    section: str, error: msgspec.ValidationError, given: Mapping[str, Any], origins: Mapping[str, str]
) -> ConfigError:
    """The message of msgspec in the user's words: which setting, which value, which line."""
    message, _, path = str(error).partition(" - at `$")
    key = re.match(r"\.?(\w+)", path)
    named = key[1] if key else next((name for name in given if f"{section}.{name}`" in message), "")
    if key:
        message = f"`{section}.{named}` is {given.get(named)!r}: {message[0].lower()}{message[1:]}"
    return ConfigError(message, where=origins.get(f"{section}.{named}", ""), hint=f"curate config {section}")


def _together(problems: Sequence[ConfigError]) -> ConfigError:
    if len(problems) == 1:
        return problems[0]
    lines = [f"{p.message}\n  {p.where}" + (f"\n  hint: {p.hint}" if p.hint else "") for p in problems]
    return ConfigError(f"{len(problems)} settings are wrong\n\n" + "\n\n".join(lines))


def default_file() -> str:
    """The commented ``curate.toml`` with every default: what ``curate init`` writes."""
    return (Path(__file__).parent / FILE_NAME).read_text("utf-8")
