"""One virtual environment for each rival, and one for the floors, so that none decides the versions of another."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "rivals"


def folder() -> Path:
    """``$CURATE_BENCH_RIVALS``, else ``benchmarks/.rivals``."""
    return Path(os.environ.get("CURATE_BENCH_RIVALS", HERE / ".rivals"))


def python(name: str) -> Path | None:
    """The interpreter of a rival's environment, None where it is not installed."""
    path = folder() / name / "bin" / "python"
    return path if (folder() / name / ".ready").exists() else None


def install(names: list[str]) -> list[str]:
    """Make what is missing.

    Returns:
        The names that could not be installed; pip's words are on stderr.
    """
    failed = []
    for name in names or sorted(path.stem for path in REQUIREMENTS.glob("*.txt")):
        home, wanted = folder() / name, (REQUIREMENTS / f"{name}.txt").read_text()
        ready = home / ".ready"
        if ready.exists() and ready.read_text() == wanted:
            print(f"{name}: there already", flush=True)
            continue
        ready.unlink(missing_ok=True)
        print(f"{name}: installing into {home}", flush=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        try:
            subprocess.run([sys.executable, "-m", "venv", home], check=True)
            # An old pip searches for minutes before it finds versions that fit dolma.
            subprocess.run([*pip, "--upgrade", "pip"], check=True)
            subprocess.run([*pip, *_options(wanted), "--requirement", REQUIREMENTS / f"{name}.txt"], check=True)
        except subprocess.CalledProcessError as error:
            print(f"{name}: not installed: {error}", flush=True)
            failed.append(name)
            continue
        ready.write_text(wanted)
    return failed


def _options(requirements: str) -> list[str]:
    """What a line ``# pip: …`` tells pip besides."""
    return [word for line in requirements.splitlines() if line.startswith("# pip:") for word in line.split()[2:]]
