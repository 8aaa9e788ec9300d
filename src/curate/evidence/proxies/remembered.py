"""Trainings that are done are kept beside the run: a measurement that was stopped goes on, another one shares them."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import xxhash

from curate.evidence.proxies.kneser_ney import Tokens
from curate.evidence.proxies.proxy import Evaluation, Proxy
from curate.store.digest import digest
from curate.store.files import entries, remove, write_whole

_SUFFIX = ".npz"


class Remembered:
    """A proxy whose losses are looked up before it is trained; what is known follows from all that it learns from.

    Args:
        proxy: what is trained.
        folder: where losses are kept; it may be deleted, they are then measured again.
        run_id: losses of other states of the run are removed.
    """

    def __init__(self, proxy: Proxy, folder: Path, run_id: str) -> None:
        self.key = proxy.key
        self.proxy, self.folder, self._prefix = proxy, folder, digest(run_id)[:12]
        self.name, self.about, self.largest, self.raw_most = proxy.name, proxy.about, proxy.largest, proxy.raw_most
        for entry in entries(folder):
            if entry.name.endswith(_SUFFIX) and not entry.name.startswith(self._prefix):
                remove(entry.path)

    def losses(
        self, tokens: Tokens, budgets: Sequence[int], evaluations: Mapping[str, Evaluation], seed: int
    ) -> dict[str, npt.NDArray[np.float64]]:
        """See `curate.evidence.proxies.proxy.Proxy.losses`."""
        learnt = xxhash.xxh3_128_hexdigest(tokens.tobytes())
        scored = {name: xxhash.xxh3_128_hexdigest(each.tokens.tobytes()) for name, each in evaluations.items()}
        key = digest(self.proxy.key, learnt, list(budgets), scored, seed)
        file = self.folder / f"{self._prefix}-{key}{_SUFFIX}"
        known = _read(file)
        if known is None or known.keys() != evaluations.keys():
            known = self.proxy.losses(tokens, budgets, evaluations, seed)
            sink = io.BytesIO()
            np.savez_compressed(sink, **{f"of {name}": losses for name, losses in known.items()})  # type: ignore[arg-type]
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(file, sink.getvalue())
        return known


def _read(file: Path) -> dict[str, npt.NDArray[np.float64]] | None:
    """The losses in a file; None if there is none, or it is damaged."""
    try:
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as content:
            return {name.removeprefix("of "): content[name] for name in content.files}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
