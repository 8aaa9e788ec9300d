"""``python -m curate`` and the ``curate`` command."""

import sys

from curate.cli import command


def main() -> None:
    """Run the command line and exit with its code."""
    sys.exit(command(sys.argv[1:]))


if __name__ == "__main__":
    main()
