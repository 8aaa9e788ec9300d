"""A run in the words of a factory: throughput, cycle time, scrap rate, yield, and the step that takes longest."""

import msgspec

from curate.store.manifest_entries import Manifest


class Production(msgspec.Struct, frozen=True, kw_only=True):
    """What came out for what went in; shares are of 1, None where nobody knows."""

    yield_documents: float
    """Documents kept of those read."""
    yield_tokens: float | None
    """Tokens kept of those of the raw corpus."""
    scrap_documents: float
    """Documents removed or quarantined of those read."""
    scrap_text: float
    """Bytes of text removed of those that could be read."""
    cycle_seconds: float
    """Wall time of the work that made the files."""
    documents_per_second: float | None
    bytes_per_second: float | None
    """Of text."""
    cores_busy: float | None
    """CPU time over wall time and workers."""
    workers: int | None
    bottleneck: str
    """The step that took most wall time; empty where it is not known."""
    bottleneck_share: float | None
    """Of the wall time."""


def production(manifest: Manifest) -> Production:
    """The figures of a finished run.

    Args:
        manifest: ``run.json``.
    """
    counts, timings = manifest.counts, manifest.timings
    flow, tokens, read, steps = manifest.flow, manifest.tokens, counts.read, timings.steps
    came = flow[0].text_bytes_in if flow else 0
    wall, workers = timings.wall_seconds, manifest.profile.workers if manifest.profile else None
    slowest = max(steps, key=lambda name: steps[name], default="")
    return Production(
        yield_documents=counts.kept / read if read else 0.0,
        yield_tokens=tokens.kept / tokens.raw.value if tokens and tokens.raw.value else None,
        scrap_documents=1 - counts.kept / read if read else 0.0,
        scrap_text=1 - flow[-1].text_bytes_kept / came if came else 0.0,
        cycle_seconds=wall,
        documents_per_second=timings.documents_per_second,
        bytes_per_second=timings.bytes_per_second,
        cores_busy=timings.cpu_seconds / (wall * workers) if wall and workers else None,
        workers=workers,
        bottleneck=slowest,
        bottleneck_share=steps[slowest] / sum(steps.values()) if slowest and sum(steps.values()) else None,
    )
