"""The documentation: what is made from the code is up to date, links lead somewhere, every page is in the menu."""

import re
import shlex
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
import typer

from curate.cli import app

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), ROOT / "benchmarks" / "README.md"],
)
SETTINGS = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def without_code(text: str) -> str:
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^(```+).*?^\1", "", text, flags=re.DOTALL | re.MULTILINE))


def anchors(page: Path) -> set[str]:
    """As GitHub and Python-Markdown name headings."""
    text = re.sub(r"^(```+).*?^\1", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE):
        plain = unicodedata.normalize("NFKD", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading))
        name = re.sub(r"[^\w\s-]", "", plain).strip().lower().replace(" ", "-")
        found |= {name, f"{name}-{seen[name]}" if seen[name] else name}
        seen[name] += 1
    return found


def test_the_reference_is_what_the_code_says(tmp_path):
    """In a process of its own, which knows nothing of stages that other tests install."""
    subprocess.run([sys.executable, "-W", "error", ROOT / "scripts" / "reference.py", tmp_path], check=True)
    made = {page.relative_to(tmp_path): page.read_text("utf-8") for page in tmp_path.rglob("*.md")}
    there = {Path("reference", page.name) for page in (ROOT / "docs" / "reference").iterdir()}
    assert there <= made.keys()
    old = [str(name) for name, text in made.items() if (ROOT / "docs" / name).read_text("utf-8") != text]
    assert old == [], "python scripts/reference.py"


def test_links_lead_somewhere():
    dead = []
    for page in PAGES:
        for link in LINK.findall(without_code(page.read_text("utf-8"))):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
                dead.append(f"{page.relative_to(ROOT)}: {link}")
    assert dead == []


def test_every_page_is_in_the_menu():
    config = (ROOT / "mkdocs.yml").read_text("utf-8")
    menu = re.findall(r"(\S+\.md)\b", config)
    pages = {str(page.relative_to(ROOT / "docs")) for page in PAGES if ROOT / "docs" in page.parents}
    assert Counter(menu) == Counter(page for page in pages if not page.startswith("decisions/0"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_site_is_built_without_a_warning(tmp_path, monkeypatch):
    config = pytest.importorskip("mkdocs.config")
    build = pytest.importorskip("mkdocs.commands.build")
    monkeypatch.chdir(ROOT)
    build.build(config.load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path), strict=True))
    assert (tmp_path / "reference" / "settings" / "index.html").exists()


def test_hints_name_settings_that_there_are():
    hints = [
        (path.name, key)
        for path in sorted((ROOT / "src").rglob("*.py"))
        for key in re.findall(r"--set '?([a-z_]+\.[a-z_]+)=", path.read_text("utf-8"))
    ]
    assert len(hints) > 50
    assert [hint for hint in hints if hint[1] not in known_settings()] == []


def known_settings() -> set[str]:
    sections = re.findall(r"^## (\S+)$(.*?)(?=^## |\Z)", SETTINGS, re.MULTILINE | re.DOTALL)
    return {f"{name}.{key}" for name, text in sections for key in re.findall(r"^\| `([\w.]+)`", text, re.MULTILINE)}


def shown_commands() -> list[tuple[str, list[str]]]:
    """Every `curate` command that a page shows, without remarks and redirections."""
    found = []
    pages = [page for page in PAGES if "decisions" not in page.parts and page.name != "CHANGELOG.md"]
    files = [*pages, ROOT / "examples" / "ci.yml", ROOT / "Dockerfile"]
    for page in files:
        for line in re.findall(r"^\s*(?:\$ |# +\$ |- ?run: |run: )(curate .*)$", page.read_text("utf-8"), re.MULTILINE):
            words = shlex.split(line, comments=True)
            words = words[: next((at for at, word in enumerate(words) if word in ("|", ">", ">>", "&&", "<")), None)]
            found.append((f"{page.relative_to(ROOT)}: {line}", words[1:]))
    return found


def test_commands_that_pages_show_have_these_options_and_settings():
    """Nothing is executed: command lines are read as they would be, and the names of settings are looked up."""
    known, shown = known_settings(), shown_commands()
    assert len(shown) > 100
    wrong = []
    for where, words in shown:
        found, rest = typer.main.get_command(app), words
        try:
            while hasattr(found, "commands") and rest and not rest[0].startswith("-"):
                found, rest = found.commands[rest[0]], rest[1:]
            found.make_context("curate", [*rest])
        except Exception as error:  # noqa: BLE001  (of several kinds; each is told)
            if type(error).__name__ not in ("Exit", "NoArgsIsHelpError"):
                wrong.append(f"{where}: {error!r}")
        keys = re.findall(r"--set '?([\w.]+)=", where)
        wrong += [f"{where}: there is no setting {key}" for key in keys if key.replace("\\", "") not in known]
    assert wrong == []
