"""Law 4: whoever is removed as a duplicate names a document that is kept in the end, and the best that passes stays."""

import itertools
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from chat_templates import FAMILIES
from contrary_engine import ContraryEngine
from corpus_maker import prose
from curate.cli.session import Session
from curate.engine.local import LocalEngine
from curate.pipeline.execute import execute
from curate.pipeline.planning.lint import load_recipe
from curate.pipeline.record.outcome import Outcome, manifest_of
from curate.recipes import recipe_names
from curate.stages.near_dup import NearDup, NearDupSettings
from curate.store import files
from curate.store.life import edited_text
from curate.store.manifest import write_manifest
from curate.store.ownership.claim import claimed
from curate.store.run_directory import RunDirectory
from fake_run import files_of
from reference_shingles import jaccard, shingle_set
from test_laws import contents, modified
from test_near_dup import Document, naive
from thorough import THOROUGH, settings

SAMPLE = Path(__file__).resolve().parents[1] / "sample_data"
BLOCKED, QUESTION = "blocked.example", "which of the seven quick foxes never once jumped over a lazy dog"


class Draft(NamedTuple):
    """A document to be: a story, how its text is varied, what makes a stage remove it, and what may be preferred."""

    story: int
    variation: int
    bad: str
    source: str
    year: int

    def row(self, number: int) -> dict:
        sentences = prose(self.story, words=90).split(". ")
        text = ". ".join(
            [*sentences[self.variation % 3 :], *["So it went on and on for many a day."] * (self.variation // 3)]
        )
        text += {"symbols": "\n" + "# " * 60, "test set": f"\n{QUESTION}\n"}.get(self.bad, "")
        host = BLOCKED if self.bad == "address" else "fine.example"
        url = f"https://{host}/{number}"
        return {"id": f"{number % 5}-{number}", "text": text, "source": self.source, "url": url, "date": str(self.year)}


DRAFTS = st.lists(
    st.builds(
        Draft,
        story=st.integers(0, 2),
        variation=st.integers(0, 8),
        bad=st.sampled_from(["", "", "symbols", "address", "test set"]),
        source=st.sampled_from(["a", "b"]),
        year=st.integers(1, 3),
    ),
    min_size=2,
    max_size=24,
)
PER_DOCUMENT = ("language", "quality", "url_filter", "decontaminate")
ORDERS = st.permutations([*PER_DOCUMENT, "near_dup"])
PREFERENCES = st.sampled_from(["longest", "first", "newest", "source_priority"])
HOW = NearDupSettings(similarity=0.5, bands=16, rows=1, source_priority=("b",))


class Corpus(NamedTuple):
    folder: Path
    rows: list[dict]

    @property
    def settings(self) -> list[str]:
        benchmark, domains = self.folder / "benchmark.jsonl", self.folder / "domains.txt"
        return [
            "input.part_bytes=7000", "shards.shard_tokens=700", "tokenize.tokenizer=bytes", "quality.min_words=10",
            f"near_dup.similarity={HOW.similarity}", "near_dup.bands=16", "near_dup.rows=1",
            'near_dup.source_priority=["b"]', f'url_filter.domains=["{domains}"]',
            f'decontaminate.benchmarks=["{benchmark}"]',
            "line_dup.min_documents=3", "line_dup.min_words_left=60", "line_dup.scope=corpus",
        ]  # fmt: skip

    def run(
        self, out: str, stages: list[str], preference: str, *more: str, engine: LocalEngine | None = None
    ) -> Outcome:
        assignments = [
            *self.settings,
            f"pipeline.stages={json.dumps(stages)}",
            f"near_dup.survivor={preference}",
            *more,
        ]
        session = Session([str(self.folder / "in")], str(self.folder / out), assignments=assignments)
        return worked(session, engine)


class InOneThread(LocalEngine):
    """One thing after another."""

    def __init__(self) -> None:
        super().__init__(workers=1, lanes=1, ahead=1)

    def spread(
        self, task: Callable, items: Iterable, takes: Callable | None = None, *, for_file: bool = False
    ) -> Iterator:
        return (task(item) for item in items)


def worked(session: Session, engine: LocalEngine | None = None) -> Outcome:
    """All of a run but its report."""
    engine = engine or InOneThread()
    config = session.config()
    plan = session.plan(config, session.stages(config))
    directory = RunDirectory(Path(session.output), [part.name for part in plan.parts])
    with claimed(directory.path, "curate run"):
        outcome = execute(plan, directory, engine, lambda _: None)
        write_manifest(directory.manifest, manifest_of(outcome, directory, "curate run", []))
    engine.close()
    return outcome


def corpus_of(drafts: list[Draft], folders: pytest.TempPathFactory) -> Corpus:
    folder = folders.mktemp("corpus")
    (folder / "in").mkdir()
    rows = [draft.row(number) for number, draft in enumerate(drafts)]
    (folder / "in" / "all.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "domains.txt").write_text(BLOCKED)
    (folder / "benchmark.jsonl").write_text(json.dumps({"question": QUESTION}))
    return Corpus(folder, rows)


def judged(out: Path, stage: str) -> pl.DataFrame:
    return pl.concat([pl.read_parquet(file) for file in files_of(out, stage)])


def reasons(out: Path, stages: list[str]) -> dict[str, list]:
    return {stage: judged(out, stage)["reasons"].to_list() for stage in stages}


def check_law(out: Path, stages: list[str], how: NearDupSettings) -> int:
    """Recompute every removal from text, in plain Python; how many there are."""
    rows_of_parts = (pl.read_parquet(file, columns=["id"]).height for file in files_of(out, "documents"))
    firsts = [0, *itertools.accumulate(rows_of_parts)]
    documents = judged(out, "documents")
    texts = documents["text"].to_list()
    for stage in stages[: stages.index("near_dup")]:
        rows = judged(out, stage)
        if "edits" in rows.columns:
            texts = [edited_text(text, edits) for text, edits in zip(texts, rows["edits"].to_list(), strict=True)]
    given = [judged(out, stage)["reasons"].to_list() for stage in stages]
    kept = [all(one == [] for one in each) for each in zip(*given, strict=True)]
    rows, proven = judged(out, "near_dup"), 0
    assert set(rows["standing"].unique()) <= {None, "kept", "passed_over"}
    for at, row in enumerate(rows.iter_rows(named=True)):
        if row["standing"] is not None:
            assert (row["standing"] == "kept") == kept[at]
        if not row["reasons"]:
            continue
        survivor = firsts[row["survivor_at"]["part"]] + row["survivor_at"]["row"]
        assert kept[survivor], (documents["id"][at], documents["id"][survivor])
        assert documents["id"][survivor] == row["survivor"]
        exact = jaccard(*(shingle_set(texts[one], how.shingle_words) for one in (at, survivor)))
        assert row["exact"] or row["jaccard"] == pytest.approx(exact)
        assert texts[at] == texts[survivor] if row["exact"] else exact >= how.similarity
        proven += 1
    return proven


BAD_FIRST = [
    Draft(0, 6, "symbols", "a", 3),
    Draft(0, 3, "", "b", 2),
    Draft(0, 0, "", "a", 1),
    Draft(0, 3, "address", "b", 2),
]


@settings(max_examples=4, quick=1, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drafts=DRAFTS, order=ORDERS, preference=PREFERENCES)
@example(
    drafts=BAD_FIRST,
    order=["near_dup", "quality", "language", "url_filter", "decontaminate"],
    preference="longest",
)
@example(
    drafts=BAD_FIRST,
    order=["url_filter", "near_dup", "decontaminate", "language", "quality"],
    preference="newest",
)
def test_what_stays_is_the_best_of_those_that_pass_everything(tmp_path_factory, drafts, order, preference):
    corpus = corpus_of(drafts, tmp_path_factory)
    stages = ["normalize", *order]
    without = [stage for stage in stages if stage != "near_dup"]
    corpus.run("alone", without, preference)
    corpus.run("out", stages, preference)
    alone, out = reasons(corpus.folder / "alone", without), corpus.folder / "out"
    check_law(out, stages, HOW)

    before = stages[: stages.index("near_dup")]
    ids, texts = (judged(out, "documents")[name].to_list() for name in ("id", "text"))
    comes = [all(alone[stage][at] == [] for stage in before) for at in range(len(ids))]
    passes = [all(alone[stage][at] == [] for stage in without) for at in range(len(ids))]
    drafted = [Document(texts[at] if comes[at] else None, ids[at], draft.source, None, str(draft.year), None)
               for at, draft in enumerate(drafts)]  # fmt: skip
    how = NearDupSettings(**{**HOW.effective(), "survivor": preference})
    expected = naive(drafted, how, {at for at in range(len(ids)) if not passes[at]}, words=5)
    found = judged(out, "near_dup")
    assert found["jaccard"].to_list() == [similarity for _, similarity in expected]
    assert found["survivor"].to_list() == [at if at is None else ids[at] for at, _ in expected]
    removed = [at for at, _ in expected]
    for stage, given_with in reasons(out, stages).items():
        if stage != "near_dup":
            after = stages.index(stage) > len(before)
            assert given_with == [
                None if after and removed[at] is not None else alone[stage][at] for at in range(len(ids))
            ]


@settings(max_examples=3, quick=1, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drafts=DRAFTS, order=st.permutations([*PER_DOCUMENT, "near_dup", "line_dup"]), preference=PREFERENCES)
@example(
    drafts=BAD_FIRST,
    order=["near_dup", "line_dup", "quality", "language", "url_filter", "decontaminate"],
    preference="longest",
)
def test_removals_name_kept_documents_where_other_stages_see_the_whole_corpus_too(
    tmp_path_factory, drafts, order, preference
):
    corpus = corpus_of(drafts, tmp_path_factory)
    stages = ["normalize", *order]
    corpus.run("out", stages, preference)
    check_law(corpus.folder / "out", stages, HOW)
    corpus.run("again", stages, preference, engine=LocalEngine(2, lanes=2, ahead=2))
    assert contents(corpus.folder / "out") == contents(corpus.folder / "again")


LONG_CHAIN = [
    Draft(0, variation, bad, "a", 1) for variation in (8, 7, 6, 5, 4, 3) for bad in ("symbols", "", "address")
]
ORDER = ["normalize", "language", "near_dup", "quality", "url_filter", "tokenize"]
BEHIND = ["normalize", "language", "near_dup", "line_dup", "quality", "url_filter", "tokenize"]


class Killed(BaseException):
    """What no code catches."""


@pytest.mark.parametrize("order", [pytest.param(ORDER, marks=pytest.mark.slow), BEHIND], ids=["before", "behind"])
def test_killed_at_any_file_it_continues_to_the_same_bytes(tmp_path_factory, order):
    corpus = corpus_of(LONG_CHAIN, tmp_path_factory)
    corpus.run("out", order, "longest")
    finished = contents(corpus.folder / "out")
    written = itertools.count()
    original = files._sync

    def dies_at(file: int) -> Callable[[Path], None]:
        def sync(path: Path) -> None:
            if next(written) == file:
                raise Killed
            original(path)

        return sync

    out = corpus.folder / "killed"
    for file in range(5, 400, 37 if THOROUGH else 61):
        shutil.rmtree(out, ignore_errors=True)
        written = itertools.count()
        with mock.patch.object(files, "_sync", dies_at(file)):
            try:
                corpus.run("killed", order, "longest")
            except Killed:
                pass
            else:
                break
        corpus.run("killed", order, "longest")
        assert contents(out) == finished
    assert file > 100


@pytest.mark.parametrize(
    ("drafts", "order"), [(LONG_CHAIN, ORDER), (LONG_CHAIN, BEHIND), (BAD_FIRST, BEHIND), (BAD_FIRST[:2], ORDER)]
)
def test_the_same_command_again_redoes_nothing(tmp_path_factory, order, drafts):
    corpus = corpus_of(drafts, tmp_path_factory)
    corpus.run("out", order, "longest")
    before = {stage: modified(corpus.folder / "out", stage) for stage in ("documents", *order)}
    again = corpus.run("out", order, "longest")
    assert {stage: modified(corpus.folder / "out", stage) for stage in before} == before
    assert not again.profile.made_something


def test_a_changed_threshold_of_a_later_stage_comes_to_what_a_new_run_does(tmp_path_factory, monkeypatch):
    corpus, observe, observed = corpus_of(LONG_CHAIN, tmp_path_factory), NearDup.observe, []
    corpus.run("out", ORDER, "longest")
    monkeypatch.setattr(NearDup, "observe", lambda stage, batch: observed.append(1) or observe(stage, batch))
    for limit in ("0.9", "0.1"):
        change = f"quality.max_symbol_ratio={limit}"
        observed.clear()
        corpus.run("out", ORDER, "longest", change)
        assert not observed
        corpus.run(f"fresh-{limit}", ORDER, "longest", change)
        assert contents(corpus.folder / "out") == contents(corpus.folder / f"fresh-{limit}")
        assert observed


def test_the_engine_does_not_matter(tmp_path_factory):
    corpus = corpus_of(LONG_CHAIN, tmp_path_factory)
    corpus.run("out", ORDER, "longest")
    corpus.run("contrary", ORDER, "longest", engine=ContraryEngine())
    corpus.run("several", ORDER, "longest", engine=LocalEngine(3, lanes=2, ahead=2))
    assert contents(corpus.folder / "contrary") == contents(corpus.folder / "out")
    assert contents(corpus.folder / "several") == contents(corpus.folder / "out")


DEDUPLICATING = [name for name in recipe_names() if "near_dup" in load_recipe(name).pipeline.stages]


QUICK = ("fineweb-paper", "nemotron", "sft")  # rules alone, models too, and chats
assert set(QUICK) <= set(DEDUPLICATING)


@pytest.mark.parametrize(
    "recipe", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in DEDUPLICATING]
)
def test_every_recipe_keeps_the_law(recipe, tmp_path):
    flags = {"pipeline.recipe": recipe}
    (tmp_path / "chat.jinja").write_text(FAMILIES["chatml"][0])
    assignments = ["tokenize.tokenizer=bytes"]
    assignments += [f"tokenize.chat_template={tmp_path / 'chat.jinja'}"] if recipe == "sft" else []
    session = Session([str(SAMPLE)], str(tmp_path / "out"), flags=flags, assignments=assignments)
    stages = [stage.name for stage in session.stages(session.config())]
    worked(session)
    removed = check_law(tmp_path / "out", stages, session.config().stage("near_dup"))
    assert removed > 0 or recipe == "fineweb2"  # its quality rules remove both of the only two copies


@pytest.mark.slow
def test_rules_in_front_or_behind_leave_the_same_documents(tmp_path):
    kept = []
    for order in (["quality", "near_dup"], ["near_dup", "quality"]):
        stages = ["normalize", "language", *order, "tokenize"]
        assignments = ["tokenize.tokenizer=bytes", f"pipeline.stages={json.dumps(stages)}"]
        out = tmp_path / order[0]
        worked(Session([str(SAMPLE)], str(out), assignments=assignments))
        check_law(out, stages, NearDupSettings())
        kept.append(judged(out, "tokenize")["reasons"].is_not_null().to_list())
    assert kept[0] == kept[1]
