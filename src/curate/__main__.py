"""``python -m curate`` and the ``curate`` command."""

import gc
import sys

from curate.cli import command

YOUNG_OBJECTS = 100_000
"""New objects between two garbage collections: parsing makes many, none of them garbage; 700 costs 5 % of a run."""


def main() -> None:
    """Run the command line and exit with its code."""
    gc.set_threshold(YOUNG_OBJECTS)
    sys.exit(command(sys.argv[1:]))


if __name__ == "__main__":
    main()
