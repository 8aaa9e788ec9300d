"""The text of HTML pages.

    python resiliparse_job.py PAGES.jsonl OUT.jsonl

A line of ``PAGES.jsonl`` has the page as ``text``; a line of ``OUT.jsonl`` is its main text.
"""

import json
import sys
from pathlib import Path

from resiliparse.extract.html2text import extract_plain_text


def main() -> None:
    pages, out = sys.argv[1:]
    with Path(pages).open() as lines, Path(out).open("w") as written:
        written.writelines(
            json.dumps(extract_plain_text(json.loads(line)["text"], main_content=True)) + "\n" for line in lines
        )


if __name__ == "__main__":
    main()
