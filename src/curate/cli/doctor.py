"""``curate doctor``: is this machine ready."""

from curate.cli.options import JsonOption


def doctor(json: JsonOption = False) -> int:
    """Check the machine: versions, memory, disk, models, compiled kernels; each problem with its remedy."""
    from curate.ui.checkup import show_checkup

    return show_checkup(json=json)
