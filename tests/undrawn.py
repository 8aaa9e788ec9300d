"""In place of the process that draws charts: an empty one at once."""

from typing import Any


class Undrawn:
    """Answers as `curate.report.drawing.vega` expects it."""

    def answer(self, function: str, spec: dict[str, Any]) -> Any:
        return {"data": [], "signals": []} if function == "vegalite_to_vega" else "<svg></svg>"

    def close(self) -> None:
        """There is nothing to end."""
