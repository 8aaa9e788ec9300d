"""Install the lowest version that `pyproject.toml` allows of each core dependency, and curate the sample with it.

    python scripts/lowest_versions.py [--keep FOLDER]

The counts must be those of the versions that are installed here. Lower bounds that nobody tries are guesses.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BOUND = re.compile(r"(?P<name>[\w.-]+)>=(?P<lowest>[\d.]+)")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--keep", type=Path, help="work in this folder and leave it there")
    keep = asked.parse_args().keep
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        tried(keep.resolve())
        return
    with tempfile.TemporaryDirectory() as folder:
        tried(Path(folder))


def tried(folder: Path) -> None:
    bounds = [BOUND.fullmatch(each) for each in project()["dependencies"]]
    lowest = [f"{bound['name']}=={bound['lowest']}" for bound in bounds if bound]
    (folder / "lowest.txt").write_text("\n".join(lowest) + "\n")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    called(python, "-m", "pip", "install", "--quiet", "--constraint", folder / "lowest.txt", ROOT)
    counts = {}
    for name, started in (("lowest", python), ("here", Path(sys.executable))):
        out = folder / name
        called(started, "-m", "curate", "run", ROOT / "sample_data", "-o", out, "-qq", "--fresh")
        counts[name] = json.loads((out / "run.json").read_text())["counts"]
    if counts["lowest"] != counts["here"]:
        raise SystemExit(f"other counts: {counts}")
    for verb, *words in (("shards", "verify", "OUT"), ("report", "OUT"), ("sample", "OUT"), ("doctor",)):
        called(python, "-m", "curate", verb, *(folder / "lowest" if word == "OUT" else word for word in words))
    sys.stdout.write(
        f"{len(lowest)} dependencies at their lowest: {counts['lowest']['kept']:,} documents kept as here\n"
    )


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def called(*words: object) -> str:
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
