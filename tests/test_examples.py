"""What lies in `examples/`, and the files by which other tools use curate: each runs."""

import re
import shlex
import shutil
from pathlib import Path

import pytest

from curate.cli import command

ROOT = Path(__file__).parent.parent
NOTEBOOKS = ("pretrain", "threshold", "finetune")


@pytest.fixture
def examples(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    monkeypatch.chdir(tmp_path / "examples")
    return tmp_path / "examples"


def said(cell):
    """What a cell shows as text; tables of polars look a little different in each version."""
    streams = "".join(one["text"] for one in cell.outputs if one["output_type"] == "stream" and one["name"] == "stdout")
    results = [one["data"]["text/plain"] for one in cell.outputs if one["output_type"] == "execute_result"]
    return streams, [one for one in results if not one.startswith("shape:")]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_notebooks_show_what_they_show(examples, monkeypatch):
    pytest.importorskip("nbclient")
    pytest.importorskip("datasets")
    import nbformat
    from jupyter_client.manager import KernelManager
    from nbclient import NotebookClient

    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    manager = KernelManager(kernel_name="python3")
    client = None
    try:  # one process for all of them: most of the time is that of imports
        for name in NOTEBOOKS:
            kept = nbformat.read(examples / f"{name}.ipynb", as_version=4)
            made = nbformat.read(examples / f"{name}.ipynb", as_version=4)
            runner = NotebookClient(made, km=manager, timeout=300, resources={"metadata": {"path": str(examples)}})
            if client is not None:
                runner.kc = client
                client.execute("%reset -f", silent=True)
            runner.execute()
            client = runner.kc
            for old, new in zip(kept.cells, made.cells, strict=True):
                if old.cell_type == "code":
                    assert said(new) == said(old), f"{name}: {old.source}"
    finally:
        if client is not None:
            client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_the_data_job_runs_and_its_page_has_the_summary(tmp_path, monkeypatch, capsys):
    yaml = pytest.importorskip("yaml")
    job = yaml.safe_load((ROOT / "examples" / "ci.yml").read_text("utf-8"))["jobs"]["curate"]
    shutil.copytree(ROOT / "sample_data" / "etcd", tmp_path / "corpus")
    monkeypatch.chdir(tmp_path)
    ran = []
    for line in (step["run"] for step in job["steps"] if "curate " in step.get("run", "")):
        if "pip install" in line:
            continue
        typed, _, target = re.sub(r"\s*>>?\s*", "\0", line, count=1).partition("\0")
        assert command(shlex.split(typed)[1:]) == 0
        (tmp_path / target.strip('"$')).write_text(capsys.readouterr().out)
        ran.append(typed)
    assert len(ran) == 2
    assert "## curate: passed" in (tmp_path / "GITHUB_STEP_SUMMARY").read_text()
    named = [path for step in job["steps"] if "with" in step for path in str(step["with"].get("path", "")).split()]
    assert len(named) == 4
    assert all((tmp_path / path).exists() for path in named)


def test_the_hook_lints_recipes(tmp_path, capsys):
    client = pytest.importorskip("pre_commit.clientlib")
    (hook,) = client.load_manifest(str(ROOT / ".pre-commit-hooks.yaml"))
    assert re.search(hook["files"], "recipes/mine.toml")
    assert not re.search(hook["files"], "curate.toml")
    good, bad = tmp_path / "good.toml", tmp_path / "bad.toml"
    shutil.copy(ROOT / "src" / "curate" / "recipes" / "gopher.toml", good)
    bad.write_text(good.read_text("utf-8").replace("min_words", "min_wrods"))
    words = hook["entry"].split()[1:]
    assert command([*words, str(good)]) == 0
    assert command([*words, str(good), str(bad)]) != 0
    assert "min_words" in capsys.readouterr().out


def test_the_image_holds_what_its_build_takes():
    text = (ROOT / "Dockerfile").read_text("utf-8")
    taken = {path for line in re.findall(r"^COPY (?!--)(.*) \S+$", text, re.MULTILINE) for path in line.split()}
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").split() if line.startswith("!")}
    assert taken == allowed
    assert all((ROOT / path).exists() for path in taken)
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    assert re.search(r'readme = "README.md"', project)
    assert 'ENTRYPOINT ["curate"]' in text
