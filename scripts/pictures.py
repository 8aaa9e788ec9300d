"""Draw the pictures of README: python scripts/pictures.py. Needs Chromium and Pillow.

docs/images/terminal.svg is what `curate run` prints; docs/images/report.png is the top of the page.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
WIDTH = 124
TIMES = 4
"""Runs, of which the quickest is shown: the first compiles kernels, others may share the machine."""
COMMAND = ["run", "sample_data/", "-o", "curated"]


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        took, said, quickest = min(ran(Path(folder) / str(number)) for number in range(TIMES))
        print(f"the quickest of {TIMES} took {took:.1f} s")
        terminal(said)
        page(quickest)


def ran(folder: Path) -> tuple[float, str, Path]:
    """How long the command took in a folder of its own, and what it said, in colour."""
    folder.mkdir()
    (folder / "sample_data").symlink_to(ROOT / "sample_data")
    curate = [sys.executable, "-P", "-m", "curate", *COMMAND, "--color", "always", "--no-progress"]
    environment = os.environ | {"COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    began = time.monotonic()
    done = subprocess.run(curate, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return time.monotonic() - began, done.stderr, folder


def terminal(said: str) -> None:
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(Text.assemble(("$ ", "bold green"), f"curate {' '.join(COMMAND)}"))
        console.print(Text.from_ansi(said), soft_wrap=True)
        svg = console.export_svg(title="curate", unique_id="curate")
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # nothing is fetched from elsewhere
    (IMAGES / "terminal.svg").write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", "utf-8")


def page(folder: Path) -> None:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    shot = folder / "report.png"
    subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1280,1000",
         f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=2000", f"--screenshot={shot}",
         (folder / "curated" / "report.html").as_uri()],
        check=True, capture_output=True,
    )  # fmt: skip
    with Image.open(shot) as picture:
        picture.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(IMAGES / "report.png", optimize=True)


if __name__ == "__main__":
    main()
