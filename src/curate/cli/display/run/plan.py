"""The plan as people read it."""

from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from curate import __version__
from curate.cli.display.format import about, duration, size
from curate.cli.display.notes import printable
from curate.pipeline.mix_forecast import MixForecast
from curate.pipeline.planning.config import DEFAULT, Config
from curate.pipeline.planning.engines import processes_of
from curate.pipeline.planning.estimate import Estimate, Travels
from curate.pipeline.planning.plan import Plan
from curate.recipes import recipe
from curate.report.quantities import counted
from curate.settings.file import leaves


def show_header(console: Console, plan: Plan, workers: int) -> None:
    """A few lines before the work: what runs, on what, with which guesses."""
    run = plan.config.run
    _line(
        console,
        f"curate {__version__} ",
        f"{run.engine} · {counted(workers, 'worker')}{_in_processes(plan)} · seed {run.seed}",
    )
    _line(
        console,
        "Input",
        f"{counted(len(plan.files), 'file')}, {size(plan.input_bytes)} ({_formats(plan)})   {_fields(plan)}",
    )
    stages = " → ".join(stage.name for stage in plan.stages) or "no stages"
    _line(console, "Plan", stages)
    _line(console, "", f"{counted(len(plan.passes), 'pass', 'passes')}, {counted(len(plan.parts), 'part')}")
    for line in _recipe_lines(plan.config):
        _line(console, *line)
    for stage in plan.stages:
        if said := stage.describe():
            _line(console, "", f"{stage.name}: {said}")
    console.print()


def _in_processes(plan: Plan) -> str:
    spread = processes_of(plan)
    return f" in {counted(spread, 'process', 'processes')}" if spread > 1 else ""


def _recipe_lines(config: Config) -> Iterator[tuple[str, str]]:
    """The recipe, what it leaves out of the original, and which of its settings others took the place of."""
    name = config.pipeline.recipe
    if name == DEFAULT:
        return
    found = recipe(name)
    ours = found.source.startswith("ours")
    lacking = (
        f"   without {counted(len(found.left_out), 'step')} of the original" if found.left_out and not ours else ""
    )
    yield "Recipe", f"{name} v{found.version}{lacking}: curate recipes show {name}"
    own = {key for key, _ in leaves(found.tree)}
    changed = [key for key, origin in config.origins.items() if key in own and not origin.startswith("recipe ")]
    if changed:
        yield "", f"{counted(len(changed), 'setting')} of it changed: {', '.join(changed)}"


def show_plan(
    console: Console, plan: Plan, guess: Estimate, travels: Travels, mixture: MixForecast | None = None
) -> None:
    """What each pass does, settings that are not defaults, and what it will take."""
    for number, one in enumerate(plan.passes, 1):
        _line(console, f"Pass {number}", one.name or "read")
    for key, origin in sorted(plan.config.origins.items()):
        if not origin.startswith("recipe "):
            _line(console, "Setting", f"{key} = {plan.config.value(key)!r}   ({origin})")
    _line(
        console,
        "Estimate",
        f"{about(guess.seconds, duration)} and {about(guess.disk_bytes, size)} of disk"
        f"   (tried on {counted(guess.sampled_documents, 'document')}, {size(guess.sampled_bytes)})",
    )
    if mixture:
        _show_mixture(console, plan, mixture)
    if travels.read:
        _line(console, "Travels", f"{size(travels.read)} from object stores, each object once")
    if travels.written:
        _line(console, "Travels", f"about {size(travels.written)} to the object store of the run")
    _line(console, "", "Nothing was written.")


def _show_mixture(console: Console, plan: Plan, found: MixForecast) -> None:
    """The table of a mixture, with what it rests on."""
    how = "all" if found.whole else f"{found.documents:,}"
    _line(console, "Mixture", f"by {plan.config.mix.by}, from {how} documents, before near-duplicates are removed")
    width = max((len(one.group) for one in found.groups), default=0)
    for one in found.groups:
        error = one.tokens.error
        about = "" if found.whole else " ± ?" if error is None else f" ± {error / one.tokens.value:.0%}"
        _line(
            console,
            "",
            f"{one.group:<{width}}  {one.tokens.value:>15,.0f} tokens{about:<8}  {one.epochs:>6.2f} ×"
            f"  {one.mixed_tokens:>15,.0f}  {one.share:>6.1%}",
        )
    if found.unseen:
        _line(console, "", f"in none of these documents: {', '.join(found.unseen)}")


def _formats(plan: Plan) -> str:
    kinds = Counter(file.format + (f".{file.compression}" if file.compression else "") for file in plan.files)
    return ", ".join(kind for kind, _ in kinds.most_common())


def _fields(plan: Plan) -> str:
    """Which field holds the text or the conversation (and source), and whether that was guessed."""
    shown = []
    for role in ("text", "conversation", "source"):
        names = Counter(getattr(file, role) for file in plan.files if getattr(file, role))
        guessed = any(role in file.guessed for file in plan.files)
        if names:
            fields = ", ".join(f"`{name}`" for name, _ in names.most_common(3))
            shown.append(f"{role}={fields}{' (guessed)' * guessed}")
    return " ".join(shown)


def _line(console: Console, label: str, text: str) -> None:
    console.print(Text.assemble((f"{label:<13}", "bold"), printable(text)), soft_wrap=True)
