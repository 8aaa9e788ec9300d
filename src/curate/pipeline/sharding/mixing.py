"""What ``[mix]`` is applied to: the group of each kept document, how many copies it stands for, and where it may go."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import PlanError, listed
from curate.pipeline.step import Step
from curate.shards.mixture import Draw, Lengths, Share, mixed, steps_of
from curate.shards.mixture.settings import OTHERS, MixSettings
from curate.shards.mixture.shares import too_often
from curate.stages.contract import Deduplicating, Stage
from curate.store.row_file import read_columns
from curate.store.run_directory import DOCUMENTS, RunDirectory
from curate.text.core.arrow import one_array

Int64 = npt.NDArray[np.int64]
METADATA = "metadata."
COPIES = "copies"
_NAMES = {"language": "language.label"}


class Seen(NamedTuple):
    """What a mixture goes by, of the kept documents of one part: names of groups, and of each document the number of
    its group among these and the step of copies.
    """

    names: tuple[str, ...]
    groups: Int64
    steps: Int64


class Summary(NamedTuple):
    """What a mixture needs to know of one part: its tokens, and how long documents to train on are.

    Attributes:
        tokens: of all kept documents.
        names: of groups.
        lengths: of documents; groups by their place in ``names``.
    """

    tokens: int
    names: tuple[str, ...]
    lengths: Lengths

    @classmethod
    def of(cls, seen: Seen, n_tokens: Int64, held_out: npt.NDArray[np.bool_]) -> "Summary":
        """Look at the kept documents of a part."""
        train = ~held_out
        lengths = Lengths.of(seen.groups[train], seen.steps[train], n_tokens[train])
        used, group = np.unique(lengths.group, return_inverse=True)
        smaller = (each.astype(np.min_scalar_type(int(each.max(initial=0)))) for each in (group, *lengths[1:]))
        return cls(int(n_tokens.sum()), tuple(seen.names[at] for at in used.tolist()), Lengths(*smaller))


class Mixture(NamedTuple):
    """How often each document is taken, known from sums over documents of one group and length alone.

    Attributes:
        names: number of each group.
        draw: says how often.
        before: for each part and each group and length that it has, the sum of shares before its first document.
        table: the groups.
        tokens: of all kept documents.
    """

    names: Mapping[str, int]
    draw: Draw
    before: tuple[Int64, ...]
    table: list[Share]
    tokens: int

    @classmethod
    def of(cls, summaries: Iterable[Summary], settings: MixSettings, seed: int) -> "Mixture":
        """Make it.

        Raises:
            PlanError: it cannot be made.
        """
        parts = list(summaries)
        names = {name: number for number, name in enumerate(sorted({name for one in parts for name in one.names}))}
        lengths = [
            one.lengths._replace(group=np.array([names[name] for name in one.names], np.int64)[one.lengths.group])
            for one in parts
        ]
        columns = zip(*lengths, strict=True) if lengths else [()] * 4
        whole = Lengths(*(np.concatenate([np.zeros(0, np.int64), *column]) for column in columns)).counted()
        draw, table = mixed(whole, list(names), settings, seed)
        sums, before = draw.firsts.copy(), []
        for one in lengths:
            places, added = draw.sums(one)
            before.append(sums[places])
            sums[places] += added
        return cls(names, draw, tuple(before), table, sum(one.tokens for one in parts))

    def times(self, part: int, seen: Seen, n_tokens: Int64, held_out: npt.NDArray[np.bool_]) -> Int64:
        """How often each kept document of a part is taken; those for validation once."""
        train, times = ~held_out, np.ones(len(n_tokens), np.int64)
        groups = np.array([self.names.get(name, -1) for name in seen.names], np.int64)[seen.groups[train]]
        times[train] = self.draw.times(groups, seen.steps[train], n_tokens[train], self.before[part])
        return times


def seen(
    settings: MixSettings, judges: Sequence[Step], directory: RunDirectory, part: int, kept: npt.NDArray[np.bool_]
) -> Seen:
    """What the mixture asks of the documents of a part."""
    mask = pa.array(kept)

    def column(name: str) -> pa.ChunkedArray:
        stage, _, measure = name.rpartition(".")
        if not stage:
            return read_columns(directory.part(DOCUMENTS, part), [name]).column(0)
        step = next(step for step in judges if step.stage.name == stage)
        return read_columns(step.file(directory, part), [measure]).column(0)

    names = groups_of(settings, column).filter(mask).dictionary_encode()
    copies = np.ones(int(np.count_nonzero(kept)), np.int64)
    if settings.copies:
        step = next(step for step in judges if isinstance(step.stage, Deduplicating))
        counts = read_columns(step.file(directory, part), [COPIES]).column(0).combine_chunks().filter(mask)
        copies = pc.fill_null(counts, 1).to_numpy(zero_copy_only=False)
    groups = names.indices.to_numpy().astype(np.int64)
    return Seen(tuple(names.dictionary.to_pylist()), groups, steps_of(copies, settings))


def groups_of(settings: MixSettings, column: "Callable[[str], pa.ChunkedArray | pa.Array]") -> pa.Array:
    """The name of the group of each document.

    Args:
        settings: what makes a group.
        column: a column of documents, or ``stage.measure``.
    """
    by = _NAMES.get(settings.by, settings.by)
    if by.startswith(METADATA):
        metadata = column("metadata")
        whole = metadata if isinstance(metadata, pa.ChunkedArray) else pa.chunked_array([metadata])
        names = _field(whole, by.removeprefix(METADATA))
    else:
        names = column(by)
    names = pc.fill_null(names.cast(pa.string()), "")
    return one_array(names) if isinstance(names, pa.ChunkedArray) else names


def check_mix(settings: MixSettings, stages: Sequence[Stage]) -> None:
    """See that the run gives what the mixture asks for.

    Raises:
        PlanError: it does not.
    """
    if not settings.active:
        return
    by = _NAMES.get(settings.by, settings.by)
    stage, dot, _ = by.partition(".")
    measures = [f"{one.name}.{name}" for one in stages for name in one.adds]
    if by != "source" and not by.startswith(METADATA) and by not in measures:
        found = [one for one in measures if one.startswith(f"{stage}.")] if dot else []
        raise PlanError(
            f"`mix.by` is `{settings.by}`, which no stage of this run measures",
            hint=f"known: {listed(['source', 'language', 'metadata.FIELD', *found])}",
        )
    least = min([1.0, *settings.copies.values()])
    for group, epochs in settings.epochs.items():
        if group != OTHERS and epochs * least > settings.max_epochs:
            raise PlanError(
                f"`mix.epochs` repeats `{group}` for {epochs * least:.1f} epochs, more than `mix.max_epochs` ="
                f" {settings.max_epochs:g}",
                hint=too_often(epochs * least),
            )
    if settings.copies and not any(isinstance(one, Deduplicating) for one in stages):
        raise PlanError(
            "`mix.copies` counts near-duplicates, and no stage finds them", hint="add `near_dup` to pipeline.stages"
        )


def _field(metadata: pa.ChunkedArray, field: str) -> pa.ChunkedArray:
    """One field of JSON objects as text; null where it is missing."""
    import polars as pl

    objects = pl.Series("metadata", metadata, dtype=pl.String)
    found = objects.str.json_path_match(f"$['{field}']").to_arrow()
    return pa.chunked_array([found])
