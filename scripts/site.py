"""What `make docs` adds to pages: the list of decisions, and nothing that they do not say themselves."""

import re
from pathlib import Path
from typing import Any


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:  # noqa: ARG001  (names of MkDocs)
    if page.file.src_uri != "decisions/index.md":
        return markdown
    listed = []
    for file in sorted((Path(config.docs_dir) / "decisions").glob("0*.md")):
        title = re.search(r"^# (.*)$", file.read_text("utf-8"), re.MULTILINE)[1]
        listed.append(f"- [{title}]({file.name})")
    return "\n".join([markdown, *listed])
