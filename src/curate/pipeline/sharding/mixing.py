"""What ``[mix]`` is applied to: the group of each kept document, how many copies it stands for, and where it may go."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import PlanError, listed
from curate.pipeline.row_group import one_array
from curate.pipeline.step import Step
from curate.shards.mixture.settings import OTHERS, MixSettings
from curate.shards.mixture.shares import Share, mixed, too_often
from curate.stages.contract import Deduplicating, Stage
from curate.store.row_file import read_columns
from curate.store.run_directory import DOCUMENTS, RunDirectory

Int64 = npt.NDArray[np.int64]
METADATA = "metadata."
COPIES = "copies"
_NAMES = {"language": "language.label"}


class Instances(NamedTuple):
    """Documents as often as they are taken: all once, then all of the second time, and so on; validation last.

    Attributes:
        document: number of the document of each.
        firsts: how many of them are first ones of documents that are trained on.
        validation: the first that is for validation.
        table: the groups, where there is a mixture.
    """

    document: Int64
    firsts: int
    validation: int
    table: list[Share]

    @property
    def is_first(self) -> npt.NDArray[np.bool_]:
        """Which of them are the first of their documents."""
        found = np.ones(len(self.document), np.bool_)
        found[self.firsts : self.validation] = False
        return found


def instances(
    n_tokens: Int64, held_out: npt.NDArray[np.bool_], seen: "Sequence[Seen]", settings: MixSettings, seed: int
) -> Instances:
    """What goes into the shards.

    Args:
        n_tokens: of each kept document.
        held_out: which of them are for validation: these are taken once.
        seen: groups and copies of the documents of each part.
        settings: section ``[mix]``.
        seed: of its draw.

    Raises:
        PlanError: the mixture cannot be made.
    """
    train = np.flatnonzero(~held_out)
    times = np.ones(len(train), np.int64)
    table: list[Share] = []
    if settings.active:
        groups = pa.chunked_array([one.groups for one in seen], pa.dictionary(pa.int32(), pa.string()))
        whole = groups.unify_dictionaries().combine_chunks()
        whole = pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole
        of_document = whole.indices.to_numpy()[train]
        used, of_document = np.unique(of_document, return_inverse=True)
        names = [whole.dictionary[int(at)].as_py() for at in used]
        copies = np.concatenate([np.zeros(0, np.int64), *(one.copies for one in seen)])[train]
        times, table = mixed(n_tokens[train], copies, of_document, names, settings, seed)
    rounds = [train[times > number] for number in range(int(times.max(initial=0)))]
    firsts = len(rounds[0]) if rounds else 0
    document = np.concatenate([np.zeros(0, np.int64), *rounds, np.flatnonzero(held_out)])
    return Instances(document, firsts, sum(map(len, rounds)), table)


class Seen(NamedTuple):
    """Groups (dictionary of strings) and copies of the kept documents of one part."""

    groups: pa.Array
    copies: Int64


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

    names = groups_of(settings, column).filter(mask)
    copies = np.ones(int(np.count_nonzero(kept)), np.int64)
    if settings.copies:
        step = next(step for step in judges if isinstance(step.stage, Deduplicating))
        counts = read_columns(step.file(directory, part), [COPIES]).column(0).combine_chunks().filter(mask)
        copies = pc.fill_null(counts, 1).to_numpy(zero_copy_only=False)
    return Seen(names.dictionary_encode(), copies)


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
