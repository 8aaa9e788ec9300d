"""What stages say of documents that they never saw, or saw with other text.

Who asks what a stage contributes has to know which of its documents would have been kept without it, and what kept
documents would read without its edits. Those are measured here, in the sample alone, and nothing is written.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curate.pipeline.planning.config import Config
from curate.pipeline.step import Step, settle, with_edits, with_moves
from curate.stages import stage_class
from curate.stages.contract import CorpusStage, Encoder, Rewriter
from curate.store.cost_entries import Timings
from curate.store.objects.ranges import parquet_source
from curate.store.run_directory import DOCUMENTS, RunDirectory
from curate.text.core.arrow import EDITS

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Settled(NamedTuple):
    """What would have become of documents."""

    kept: Mask
    texts: pa.Array
    """With the edits of the stages that looked at them."""
    same: Mask
    """Not looked at, as they have the text that they had: what became of them holds."""


class EditAblation(NamedTuple):
    """A stage that edits texts, or one of its edit rules, to be switched off."""

    kind: str
    """``stage`` or ``rule``."""
    name: str
    """``stage`` or ``stage.rule``."""
    stage: int
    """Number of the stage."""
    step: Step | None
    """The stage without the rule; None: it is not there."""


class Looking(NamedTuple):
    """Documents of a row group that stages are to look at."""

    directory: RunDirectory
    part: int
    group: int
    start: int
    """Row of the part that the group begins with."""
    rows: Numbers
    """The documents, as rows of the part."""
    cuts: Mapping[int, list[list[str]]]
    """Number of a stage that saw the whole corpus → what it cut out of each document, in order."""

    def only(self, inside: Numbers) -> "Looking":
        """Some of the documents."""
        cuts = {stage: [cut[row] for row in inside.tolist()] for stage, cut in self.cuts.items()}
        return self._replace(rows=self.rows[inside], cuts=cuts)


class Later:
    """The stages of a run, ready to look again.

    Args:
        config: the settings of the run.
        names: its stages, in order.
        kinds: what is asked for: ``stage``, ``rule``.

    Stages that must see the whole corpus do not run: their verdicts hold, what they cut out of a document is cut out
    again, and duplicates among the sample are looked for elsewhere.
    """

    def __init__(self, config: Config, names: Sequence[str], kinds: Sequence[str] = ()) -> None:
        self.names, self.kinds = tuple(names), tuple(kinds)
        self.stages = [stage_class(name)(config.stage(name)) for name in names]  # type: ignore[call-arg]
        self._steps = [
            None if isinstance(stage, CorpusStage | Encoder | Rewriter) else Step(stage, "judge")
            for stage in self.stages
        ]

    def whole_corpus(self) -> list[int]:
        """Numbers of the stages that must see the whole corpus."""
        return [number for number, stage in enumerate(self.stages) if isinstance(stage, CorpusStage)]

    def ablations(self, editors: Sequence[int]) -> list[EditAblation]:
        """Of stages that edited texts, the ones and the rules to switch off one by one, as far as it was asked for."""
        found = []
        for number in editors:
            name, stage = self.names[number], self.stages[number]
            if "stage" in self.kinds:
                found.append(EditAblation("stage", name, number, None))
            elif not stage.edit_rules():
                found.append(EditAblation("rule", name, number, None))  # all its edits are one rule
            if "rule" in self.kinds:
                for rule, settings in stage.edit_rules().items():
                    step = Step(stage_class(name)(settings), "judge")  # type: ignore[call-arg]
                    found.append(EditAblation("rule", f"{name}.{rule}", number, step))
        return found

    def seconds(self, sizes: Floats, first: Numbers, ablations: Sequence[EditAblation], timings: Timings) -> float:
        """How long looking will take at most, by how long stages took in the run.

        Args:
            sizes: bytes of documents.
            first: numbers of the stages that removed them; -1: none.
            ablations: stages and rules to be switched off.
            timings: of the run.
        """
        spent = [timings.stages.get(name) for name in self.names]
        per_byte = np.array(
            [
                each.seconds / max(1, each.bytes) if each and step else 0.0
                for each, step in zip(spent, self._steps, strict=True)
            ]
        )
        behind = np.append(np.cumsum(per_byte[::-1])[::-1], 0.0)
        spared = float((sizes * behind[np.where(first < 0, len(self.names), first + 1)]).sum())
        entered = [
            sizes[(first < 0) | (first >= each.stage)].sum() * behind[each.stage + (not each.step)]
            for each in ablations
        ]
        return spared + float(sum(entered))

    def settle(self, looking: Looking, texts: pa.Array, at: int) -> Settled:
        """Have documents looked at by the stages from number ``at`` on; ``texts`` have the edits of those before."""
        return self._settle(_Anew(looking, self.names[:at], texts), at, np.zeros(len(texts), np.bool_))

    def settle_without(
        self, ablation: EditAblation, looking: Looking, texts: pa.Array, had: pa.Array, removed: Mask
    ) -> Settled:
        """Have documents looked at with an editing stage, or one of its rules, switched off.

        Args:
            ablation: the stage or rule that is switched off.
            looking: the documents.
            texts: theirs, as its stage saw them.
            had: the same with the edits of its stage.
            removed: those that its stage removed.
        """
        anew = _Anew(looking, self.names[: ablation.stage], texts)
        anew.run([ablation.step] if ablation.step else [])
        same = np.asarray(pc.equal(anew.texts, had).to_numpy(zero_copy_only=False), np.bool_)
        if not ablation.step:
            same &= ~removed
        return self._settle(anew, ablation.stage + 1, same)

    def _settle(self, anew: "_Anew", at: int, same: Mask) -> Settled:
        anew.kept = anew.kept & ~same
        waiting, cuts = list[Step](), anew.looking.cuts
        for number in range(at, len(self.names)):
            if step := self._steps[number]:
                waiting.append(step)
            elif number in cuts:
                anew.run(waiting)
                anew.cut(cuts[number])
                waiting = []
        anew.run(waiting)
        return Settled(anew.kept, anew.texts, same)


class _Anew:
    """Documents on their way through stages."""

    def __init__(self, looking: Looking, seen: Sequence[str], texts: pa.Array) -> None:
        self.looking, self.seen, self.texts = looking, seen, texts
        self.kept: Mask = np.ones(len(texts), np.bool_)
        self._columns = dict[str, pa.Array]()

    def run(self, steps: Sequence[Step]) -> None:
        """Through stages that look at one document at a time."""
        if not steps:
            return
        done = settle(tuple(steps), self._column, self.kept, {})
        for step, each in zip(steps, done, strict=True):
            self._columns |= {f"{step.stage.name}.{name}": each.rows.column(name) for name in each.rows.schema.names}
            if step.edits:
                self._edit(each.rows.column("edits"))
        self.kept = done[-1].staying

    def cut(self, cuts: Sequence[Sequence[str]]) -> None:
        """What a stage that saw the whole corpus cut out of each document."""
        if any(cuts):
            texts = self.texts.to_pylist()
            self._edit(pa.array([found_again(*each) for each in zip(texts, cuts, strict=True)], EDITS))

    def _edit(self, edits: pa.Array) -> None:
        self.texts = with_edits(self.texts, edits)
        if "turns" in self._columns:
            self._columns["turns"] = with_moves(self._columns["turns"], edits)

    def _column(self, name: str) -> pa.Array:
        if name == "text":
            return self.texts
        if name not in self._columns:
            self._columns[name] = self._turns() if name == "turns" else self._read(name)
        return self._columns[name]

    def _read(self, name: str) -> pa.Array:
        """A column of the documents, or a measure of a stage that saw them."""
        directory, part, group, start, rows, _ = self.looking
        stage, dot, measure = name.partition(".")
        if not dot:
            with pq.ParquetFile(parquet_source(directory.checked(DOCUMENTS, part, [name], group=group))) as file:
                if name not in file.schema_arrow.names:
                    raise KeyError(name)
                return file.read_row_group(group, columns=[name]).column(0).combine_chunks().take(rows - start)
        if stage not in self.seen or measure not in pq.read_schema(parquet_source(directory.part(stage, part))).names:
            raise KeyError(name)
        return directory.columns(stage, part, [measure]).column(0).combine_chunks().take(rows)

    def _turns(self) -> pa.Array:
        """Turns of conversations in texts that have the edits of the stages that saw them."""
        turns = self._read("turns")
        for name in self.seen:
            if "edits" in pq.read_schema(parquet_source(self.looking.directory.part(name, self.looking.part))).names:
                turns = with_moves(turns, self._read(f"{name}.edits"))
        return turns


def cut_out(text: str, edits: Sequence[Mapping[str, Any]] | None) -> list[str]:
    r"""The passages that edits took out of a text.

    Example:
        >>> cut_out("née\nb\n", [{"start": 0, "end": 5, "replacement": ""}])
        ['née\n']
    """
    data = text.encode()
    return [data[edit["start"] : edit["end"]].decode() for edit in edits or ()]


def found_again(text: str, passages: Sequence[str]) -> list[dict[str, Any]]:
    r"""Edits that take the same passages, whole lines in order, out of another version of the text, where they are.

    Example:
        >>> found_again("a, b\nb\nc", ["b\n", "gone"])
        [{'start': 5, 'end': 7, 'replacement': ''}]
    """
    found, at = list[dict[str, Any]](), 0
    for passage in passages:
        place = text.find(passage, at)
        while passage and place >= 0 and not _whole_lines(text, place, place + len(passage)):
            place = text.find(passage, place + 1)
        if passage and place >= 0:
            start = len(text[:place].encode())
            at = place + len(passage)
            found.append({"start": start, "end": start + len(passage.encode()), "replacement": ""})
    return found


def _whole_lines(text: str, start: int, end: int) -> bool:
    """Whether a passage begins and ends where lines do."""
    return (start == 0 or "\n" in text[start - 1 : start + 1]) and (end == len(text) or "\n" in text[end - 1 : end + 1])
