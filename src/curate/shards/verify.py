"""Re-read everything that was written, and say in sentences what is wrong.

Bytes are compared with their hashes, ids with the vocabulary and the end mark, counts with the index, samples
with the decoder; and where the run is still around the shards, every span with the run's record and sample
texts with its documents.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import UserError
from curate.models.chats import ChatEncoder
from curate.models.tokenizers import Tokenizer
from curate.shards.block import Block
from curate.shards.entry import At, ShardEntry
from curate.shards.files.hashed_file import xxh3_of
from curate.shards.index import TEMPLATE_FILE, chats_of, index_path, read_index, tokenizer_of
from curate.shards.provenance.lineage import lineage
from curate.shards.provenance.origin import Origin, Spans, UnreadableRun
from curate.shards.reader import read_blocks
from curate.text.chats.loss import LOSS, has_loss, with_loss, without_loss

SAMPLES = 100
"""Documents that are decoded and compared with their text where not all are."""


class Problem(msgspec.Struct, frozen=True):
    """Something that is wrong: the file, the document's id (or empty), and a sentence."""

    file: str
    document: str
    sentence: str


class VerifyReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was read, and what is wrong with it.

    Attributes:
        shards: shards read to their end.
        documents: documents read.
        tokens: tokens read.
        bytes: bytes hashed.
        decoded: documents decoded, all of them or a sample.
        compared: documents whose decoded text was compared with the run's document, with its edits.
        rewritten: of these, how many come back as the tokenizer writes them (in lower case, say) with nothing lost.
        lacking: of these, how many come back without characters that the tokenizer does not know. Where it leaves no
            trace of them, not even an unknown token, that is a problem, too.
        first_lacking: id of the first of them, and what it lacks.
        traced: documents whose span was compared with the run's record.
        problems: empty when all is well.
    """

    shards: int
    documents: int
    tokens: int
    bytes: int
    decoded: int
    compared: int
    rewritten: int
    lacking: int
    first_lacking: str
    traced: int
    problems: list[Problem]

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.problems


def verify(folder: Path, run: Path | None = None, *, every: bool = False) -> VerifyReport:
    """Check a folder of shards against its index, its tokenizer and, if it is there, its run.

    Args:
        folder: holds ``index.json``.
        run: folder of the run; when not given, the one around ``folder``, or around the shards that these were
            converted from.
        every: decode all documents, not `SAMPLES` of them, spread evenly over the corpus.

    Raises:
        InputError: there is no readable index.
        PlanError: the tokenizer does not load.
    """
    try:
        if run is None and read_index(folder).made_from:
            followed = lineage(folder)
            origin = Origin.of(followed.shards.absolute().parent, followed.renumbered) if followed else None
        else:
            origin = Origin.of(run or folder.absolute().parent)
        return _Verification(folder, origin, every=every).report()
    except UnreadableRun as error:
        report = _Verification(folder, None, every=every).report()
        unread = Problem(error.file, "", f"The shards were not compared with their run: {error.reason}")
        return msgspec.structs.replace(report, problems=[unread, *report.problems])


class _Verification:
    """One walk over all shards; the attributes of a `VerifyReport` fill up on the way."""

    def __init__(self, folder: Path, origin: Origin | None, *, every: bool) -> None:
        self.folder = folder
        self.index = read_index(folder)
        self.index_file = index_path(folder).name
        self.problems: list[Problem] = []
        self.tokenizer: Tokenizer
        self.chats: ChatEncoder | None = None
        self.origin = origin
        spread = np.linspace(0, self.index.documents - 1, SAMPLES).astype(np.int64)
        self.samples = np.arange(self.index.documents) if every else np.unique(spread)
        self.first = 0  # ordinal of the next block's first document, by the index
        self.shards = self.documents = self.tokens = self.bytes = self.decoded = self.compared = self.traced = 0
        self.rewritten = self.lacking = 0
        self.first_lacking = self.lacking_file = ""

    def report(self) -> VerifyReport:
        damaged = self._check_folder()
        decodes = not damaged & {self.index.tokenizer.file, TEMPLATE_FILE}
        if decodes:
            self.tokenizer = tokenizer_of(self.folder, self.index)
            self.chats = chats_of(self.folder, self.index, self.tokenizer)
        for number, entry in enumerate(self.index.shards):
            if self._check_hashes(entry) and decodes:
                self._check_shard(number, entry)
            if self.origin is not None:
                self.origin.drop(number)
        self._check_totals()
        self._check_lacking()
        counts = {name: getattr(self, name) for name in VerifyReport.__struct_fields__}
        return VerifyReport(**counts)

    def _problem(self, file: str, sentence: str, document: str = "") -> None:
        self.problems.append(Problem(file, document, sentence))

    def _check_folder(self) -> set[str]:
        """Compare files that stand for the whole folder with the index; names of those that are damaged or gone."""
        tokenizer, damaged = self.index.tokenizer, set()
        copy = {tokenizer.file: tokenizer.xxh3} if tokenizer.file and tokenizer.xxh3 else {}
        for name, xxh3 in {**copy, **self.index.files}.items():
            unread = _UNREAD if name in {tokenizer.file, TEMPLATE_FILE} else ""
            if not (self.folder / name).is_file():
                self._problem(name, _MISSING + unread)
            elif xxh3_of(self.folder / name) != xxh3:
                self._problem(name, f"The file has changed since it was written: its XXH3 is not the index's.{unread}")
            else:
                continue
            damaged.add(name)
        return damaged

    def _check_hashes(self, entry: ShardEntry) -> bool:
        """Whether all files of a shard are there."""
        found = True
        for file, xxh3 in entry.files.items():
            path = self.folder / file
            if not path.is_file():
                self._problem(path.name, _MISSING)
                found = False
                continue
            self.bytes += path.stat().st_size
            if xxh3_of(path) != xxh3:
                self._problem(path.name, "The file has changed since it was written: its checksum is not the index's.")
        return found

    def _check_shard(self, number: int, entry: ShardEntry) -> None:
        documents, tokens, padding, learnt = self.documents, self.tokens, 0, 0
        places: list[At] = []
        self.first = sum(earlier.documents for earlier in self.index.shards[:number])
        try:
            for block in read_blocks(self.folder, self.index, entry, loss=True):
                documents_only, starts = block.documents()
                if len(documents_only.ids):
                    spans = self._trace(number, entry, documents_only, starts + self.tokens - tokens)
                    self._check_block(entry, documents_only, spans)
                    places += _ends(spans)
                self._check_padding(entry, block)
                learnt += int(np.count_nonzero(has_loss(block.tokens))) if self.chats else 0
                padding += len(block.tokens) - len(documents_only.tokens)
                self.first += len(documents_only.ids)
                self.documents += len(documents_only.ids)
                self.tokens += len(block.tokens)
        except (UserError, OSError, pa.ArrowException, ValueError) as error:
            self._problem(entry.file, f"The file cannot be read: {_first_line(error)}")
        else:
            self.shards += 1
            self._check_count(entry.file, "documents", self.documents - documents, entry.documents)
            self._check_count(entry.file, "tokens", self.tokens - tokens, entry.tokens)
            self._check_count(entry.file, "tokens of padding", padding, entry.padding)
            self._check_count(entry.file, "tokens with loss", learnt, entry.loss_tokens)
            self._check_rest(number, entry)
            self._check_places(entry, places)

    def _check_rest(self, number: int, entry: ShardEntry) -> None:
        missing = self.origin.drop(number) if self.origin is not None else 0
        if missing:
            self._problem(entry.file, f"The run records {missing:,} more documents in this shard.")

    def _check_places(self, entry: ShardEntry, places: list[At]) -> None:
        recorded = [place for place in (entry.first, entry.last) if place is not None]
        if places and recorded and recorded != [places[0], places[-1]]:
            self._problem(self.index_file, f"The first and last document of `{entry.file}` lie elsewhere in the run.")

    def _check_block(self, entry: ShardEntry, block: Block, spans: Spans | None) -> None:
        if (block.n_tokens < 1).any():
            return self._at_rows(entry, block, block.n_tokens < 1, "The document has no tokens, not even a mark.")
        self._check_tokens(entry, block)
        here = self.samples - self.first
        for row in here[(here >= 0) & (here < len(block.ids))]:
            self._decode(entry, block, int(row), spans)
        return None

    def _check_padding(self, entry: ShardEntry, block: Block) -> None:
        where = block.is_padding
        if where.any():
            strange = block.tokens[np.repeat(where, block.n_tokens)] != self.tokenizer.end_of_document_id
            if strange.any():
                self._problem(entry.file, f"{np.count_nonzero(strange):,} tokens of padding are not end marks.")

    def _check_tokens(self, entry: ShardEntry, block: Block) -> None:
        if self.chats:
            return self._check_vocabulary(entry, block._replace(tokens=without_loss(block.tokens)))
        return self._check_marks(entry, block)

    def _check_marks(self, entry: ShardEntry, block: Block) -> None:
        end = self.tokenizer.end_of_document_id
        marks = block.tokens == end
        begin, starts = self.tokenizer.begin_of_document_id, block.offsets[:-1]
        if begin is not None:
            begins = block.tokens == begin
            self._at_rows(entry, block, ~begins[starts], "The document does not begin with the begin mark.")
            marks[starts] &= begin != end
            if begin != end and np.count_nonzero(begins) > np.count_nonzero(begins[starts]):
                inside = np.add.reduceat(begins, starts, dtype=np.int64) > begins[starts]
                self._at_rows(entry, block, inside, "The document has a begin mark inside.")
        unended = ~marks[block.offsets[1:] - 1]
        self._at_rows(entry, block, unended, "The document does not end with the end mark.")
        if np.count_nonzero(marks) != len(block.ids) - np.count_nonzero(unended):
            inside = np.add.reduceat(marks, block.offsets[:-1], dtype=np.int64) > ~unended
            self._at_rows(entry, block, inside, "The document has an end mark before its end.")
        self._check_vocabulary(entry, block)

    def _check_vocabulary(self, entry: ShardEntry, block: Block) -> None:
        size = self.tokenizer.vocabulary_size
        if int(block.tokens.max()) >= size or int(block.tokens.min()) < 0:
            strange = np.logical_or.reduceat((block.tokens >= size) | (block.tokens < 0), block.offsets[:-1])
            self._at_rows(entry, block, strange, f"The document has an id outside the vocabulary of {size}.")

    def _trace(self, number: int, entry: ShardEntry, block: Block, starts: npt.NDArray[np.int64]) -> Spans | None:
        if self.origin is None:
            return None
        spans = self.origin.take(number, len(block.ids))
        found = len(spans.ids)
        same = np.zeros(len(block.ids), bool)
        same[:found] = (
            (spans.shard == number)
            & (spans.offset == starts[:found])
            & (spans.n_tokens == block.n_tokens[:found])
            & pc.equal(spans.ids, block.ids[:found]).to_numpy(zero_copy_only=False)
        )
        self.traced += int(np.count_nonzero(same))
        self._at_rows(entry, block, ~same, "The run records another document, or another span, at this place.")
        return spans if bool(same.all()) else None

    def _decode(self, entry: ShardEntry, block: Block, row: int, spans: Spans | None) -> None:
        name = str(block.ids[row])
        tokens = block.tokens[block.offsets[row] : block.offsets[row + 1]]
        if self.chats:
            return self._encode_again(entry, name, tokens, spans, row)
        try:
            text = self.tokenizer.decode(tokens)
        except ValueError as error:
            return self._problem(entry.file, f"The document cannot be decoded: {error}.", name)
        self.decoded += 1
        if spans is None or self.origin is None:
            return None
        original = self.origin.text(int(spans.part[row]), int(spans.row[row]))
        self.compared += 1
        if text == original:
            return None
        if not self._encodes_to(original, tokens):
            return self._problem(entry.file, "The decoded text is not the text of the run's document.", name)
        return self._count_as_lossy(entry, name, original)

    def _encode_again(
        self, entry: ShardEntry, name: str, tokens: npt.NDArray[Any], spans: Spans | None, row: int
    ) -> None:
        """Compare a conversation with what the template and the tokenizer make of the run's record, mask included."""
        self.decoded += 1
        if spans is None or self.origin is None or self.chats is None:
            return None
        self.compared += 1
        part, at = int(spans.part[row]), int(spans.row[row])
        found = self.origin.conversation(part, at)
        if found is None:
            text = pa.array([self.origin.text(part, at)], pa.large_string())
            expected = self.tokenizer.encode(text).values.to_numpy() | LOSS
        else:
            one = self.chats.encode_document(*found)
            expected = with_loss(one.ids, one.loss)
        if not np.array_equal(expected, tokens):
            return self._problem(entry.file, "The tokens or their loss mask are not those of the run's document.", name)
        return None

    def _count_as_lossy(self, entry: ShardEntry, name: str, original: str) -> None:
        """The ids are the tokenizer's, but do not give the text back: is it written otherwise, or is something lost?"""
        places = self.tokenizer.unknown_places(original)
        if not places:
            self.rewritten += 1
            return
        self.lacking += 1
        if self.lacking == 1:
            letters = list(dict.fromkeys(original[place] for place in places))[:8]
            lost = " ".join(f"{letter!r} (U+{ord(letter):04X})" for letter in letters)
            self.first_lacking = f"{name}: {lost}"
            self.lacking_file = entry.file

    def _check_lacking(self) -> None:
        if self.lacking and self.tokenizer.drops_unknown:
            documents = f"{self.lacking:,} of {self.compared:,} compared documents"
            sentence = f"{documents} lack characters that the tokenizer drops without a trace: {self.first_lacking}."
            self._problem(self.lacking_file, sentence)

    def _encodes_to(self, text: str, tokens: npt.NDArray[Any]) -> bool:
        """Whether the ids are right all the same: a tokenizer that normalises cannot give the text back."""
        encoded = self.tokenizer.encode(pa.array([text], pa.large_string()))
        return np.array_equal(encoded.values.to_numpy(), tokens)

    def _check_totals(self) -> None:
        listed = {name for entry in self.index.shards for name in entry.files}
        for path in sorted((*self.folder.glob("shard-*"), *self.folder.glob("validation-*"))):
            if path.name not in listed:
                self._problem(path.name, "The file is not in the index.")
        for name in ("documents", "tokens", "padding", "divided"):
            total = sum(getattr(entry, name) for entry in self.index.shards)
            self._check_count(self.index_file, name, total, getattr(self.index, name))
        if self.origin is not None and self.origin.drop(_BEYOND):
            self._problem(self.index_file, "The run has documents beyond the last shard.")

    def _check_count(self, file: str, what: str, found: int, expected: int) -> None:
        if found != expected:
            self._problem(file, f"The index says {expected:,} {what}, but there are {found:,}.")

    def _at_rows(self, entry: ShardEntry, block: Block, wrong: npt.NDArray[np.bool_], sentence: str) -> None:
        """One problem for the first document that is wrong, with the number of others in the block."""
        rows: Sequence[int] = np.flatnonzero(wrong).tolist()
        if rows:
            more = f" (and {len(rows) - 1:,} more near it)" if len(rows) > 1 else ""
            self._problem(entry.file, sentence[:-1] + more + ".", str(block.ids[rows[0]]))


def _ends(spans: Spans | None) -> list[At]:
    if spans is None:
        return []
    return [At(int(spans.part[row]), int(spans.row[row])) for row in (0, -1)]


_BEYOND = 2**31
_MISSING = "The file is missing."
_UNREAD = " Of the shards only checksums were compared, as their ids cannot be read without it."


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
