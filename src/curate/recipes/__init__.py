"""Recipes: whole pipelines as data.

A recipe is a TOML file with the sections of ``curate.toml`` below a header::

    title = "FineWeb as its paper says"
    version = 1
    extends = "gopher"               # one recipe, or a list of them: a later one wins
    source = "arXiv:2406.17557"      # of the numbers below that name no other
    notes = ["…"]                    # what a reader should know
    left_out = ["…"]                 # what the original does and this does not
    [sources]                        # a section or a setting → where its numbers come from
    [accepted]                       # a setting → why a finding of `curate recipes lint` on it is right as it is

Those that ship lie beside this file; anybody's own is named by its path. A recipe says all its rules of quality: one
that it does not name is off, whatever the defaults.
"""

import functools
from collections.abc import Iterator, Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, NamedTuple

from curate.errors import ConfigError, nearest
from curate.settings.file import Layer, Tree, leaves, merged, read_layer

HEADER: Mapping[str, type] = {
    "title": str,
    "version": int,
    "extends": str,
    "source": str,
    "notes": list,
    "left_out": list,
    "sources": dict,
    "accepted": dict,
}
"""Keys of a recipe that are not sections of the settings."""


class Recipe(NamedTuple):
    """A named, versioned pipeline."""

    name: str
    title: str
    version: int
    source: str
    extends: tuple[str, ...]
    notes: tuple[str, ...]
    left_out: tuple[str, ...]
    accepted: Mapping[str, str]
    layers: tuple[Layer, ...]
    """Its settings, those of what it extends first; later ones win."""
    sources: Mapping[str, str]
    """``section.key`` → where its number comes from, for every setting of the recipe."""
    strangers: tuple[str, ...]
    """Names in ``sources`` and ``accepted`` that no setting of the recipe has."""

    @property
    def tree(self) -> Tree:
        """All its settings."""
        return functools.reduce(merged, (layer.tree for layer in self.layers), {})

    @property
    def own(self) -> Layer:
        """The settings in its own file."""
        return self.layers[-1]


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes that ship.

    Example:
        >>> "gopher" in recipe_names()
        True
    """
    entries = (entry.name for entry in files(__package__).iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in entries if name.endswith(".toml")))


def recipe(name: str, where: str = "") -> Recipe:
    """A recipe by its name or its file.

    Args:
        name: of a shipped recipe, or the path of a file (ends in ``.toml``).
        where: what asked for it, for the error.

    Raises:
        ConfigError: there is none of that name, or its header is wrong.

    Example:
        >>> gopher = recipe("gopher")
        >>> gopher.tree["quality"]["min_words"], gopher.sources["quality.min_words"]
        (50, 'Gopher, arXiv:2112.11446, section A1.1')
    """
    found = _recipe(name, where, ())
    own = f"recipe {name}"
    layers = [Layer(one.tree, f"{own} via {one.name}", _called(one.lines)) for one in found.layers[:-1]]
    return found._replace(layers=(*layers, Layer(found.own.tree, own, _called(found.own.lines))))


def _called(lines: Mapping[str, str]) -> dict[str, str]:
    return {key: f"recipe {line}" for key, line in lines.items()}


def _recipe(name: str, where: str, extending: tuple[str, ...]) -> Recipe:
    if name in extending:
        raise ConfigError(f"recipe `{name}` extends itself: {' → '.join((*extending, name))}", where=where)
    if name.endswith(".toml"):
        return _composed(name, _in_file(name, where), (*extending, name))
    if name not in recipe_names():
        raise ConfigError(f"there is no recipe `{name}`", where=where, hint=nearest(name, recipe_names()))
    return _composed(name, _shipped(name), (*extending, name))


@functools.cache
def _shipped(name: str) -> Layer:
    with as_file(files(__package__).joinpath(f"{name}.toml")) as file:
        layer = read_layer(file, name=name)
    return Layer(layer.tree, layer.name)  # its lines are of no use to those who cannot change them


def _in_file(path: str, where: str) -> Layer:
    if not Path(path).is_file():
        raise ConfigError(f"there is no recipe file `{path}`", where=where, hint="curate recipes list")
    return read_layer(Path(path))


def _composed(name: str, layer: Layer, extending: tuple[str, ...]) -> Recipe:
    header = _header(layer)
    extends = header.get("extends", [])
    below = [
        _recipe(_beside(other, name), layer.where("extends"), extending)
        for other in ([extends] if isinstance(extends, str) else extends)
    ]
    own = Layer({key: value for key, value in layer.tree.items() if key not in HEADER}, layer.name, layer.lines)
    source = header.get("source", name)
    by_name: Mapping[str, str] = header.get("sources", {})
    accepted: Mapping[str, str] = header.get("accepted", {})
    sources = {key: _source(key, by_name, source) for key, _ in leaves(own.tree)}
    everything = {key: text for other in below for key, text in other.sources.items()} | sources
    return Recipe(
        name=name,
        title=header.get("title", ""),
        version=header.get("version", 1),
        source=source,
        extends=tuple(other.name for other in below),
        notes=tuple(header.get("notes", ())),
        left_out=tuple(header.get("left_out", ())),
        accepted={key: text for other in below for key, text in other.accepted.items()} | dict(accepted),
        layers=(*(one for other in below for one in other.layers), own),
        sources=everything,
        strangers=tuple(
            [one for one in by_name if not any(_within(key, one) for key in sources)]
            + [one for one in accepted if not any(_within(key, one) for key in everything)]
        ),
    )


def _header(layer: Layer) -> dict[str, Any]:
    """The header, checked.

    Raises:
        ConfigError: a key that is none, or a value of a wrong type.
    """
    for key, value in layer.tree.items():
        if key not in HEADER:
            if not isinstance(value, dict):
                raise ConfigError(f"a recipe has no `{key}`", where=layer.where(key), hint=nearest(key, HEADER))
        elif not (isinstance(value, HEADER[key]) or (key == "extends" and isinstance(value, list))):
            kind = {str: "a text", int: "a whole number", list: "a list", dict: "a table"}[HEADER[key]]
            raise ConfigError(f"`{key}` of a recipe must be {kind}, but is {value!r}", where=layer.where(key))
    return {key: layer.tree[key] for key in HEADER if key in layer.tree}


def _beside(other: str, name: str) -> str:
    """A file that a file extends is looked for beside it."""
    return str(Path(name).parent / other) if other.endswith(".toml") and name.endswith(".toml") else other


def _source(key: str, by_name: Mapping[str, str], otherwise: str) -> str:
    """The source of a setting: its own, else that of the nearest table around it, else the recipe's."""
    return next((by_name[one] for one in _around(key) if one in by_name), otherwise)


def _around(key: str) -> Iterator[str]:
    path = key.split(".")
    return (".".join(path[:end]) for end in range(len(path), 0, -1))


def _within(key: str, name: str) -> bool:
    return f"{key}.".startswith(f"{name}.")
