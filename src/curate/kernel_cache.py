"""Where compiled kernels are kept between processes."""

import os
import tempfile
from pathlib import Path


def choose_kernel_cache(package: Path) -> None:
    """Make sure that numba has a folder to write to, without which it refuses to define a kernel at all.

    It takes the folder of the source, else the user's cache folder. Where neither can be written, a temporary
    folder serves this process alone.

    Args:
        package: the folder of the kernels' source.
    """
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    if "NUMBA_CACHE_DIR" in os.environ or _writable(package / "__pycache__") or _writable(Path(home) / "numba"):
        return
    os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="curate-kernels-")


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
