"""What a run would do."""

from typing import Any, NamedTuple

import msgspec

from curate.events import Warned
from curate.pipeline.mix_forecast import MixForecast
from curate.pipeline.planning.engines import processes_of
from curate.pipeline.planning.estimate import Estimate, Travels
from curate.pipeline.planning.plan import Plan
from curate.store.objects.bucket import is_url


class Planned(NamedTuple):
    """What a run would do; nothing was written.

    Attributes:
        plan: files, parts, passes, stages and settings.
        estimate: seconds and bytes of disk, each with its error, from trying the plan on pieces of its input.
        workers: number of cores that it would use.
        warnings: warnings that it would give before it begins.
        output: folder that it would write to.
        mixture: estimated result of ``[mix]``, from some pieces of the input.
    """

    plan: Plan
    estimate: Estimate
    workers: int
    warnings: list[Warned]
    output: str = ""
    mixture: MixForecast | None = None

    def as_data(self) -> dict[str, Any]:
        """The plan as plain data: what ``curate run --dry-run --json`` prints."""
        plan = self.plan
        return {
            "files": len(plan.files),
            "input_bytes": plan.input_bytes,
            "parts": len(plan.parts),
            "passes": [one.name for one in plan.passes],
            "stages": {stage.name: stage.plan() for stage in plan.stages},
            "workers": self.workers,
            "processes": processes_of(plan),
            "config": plan.config.resolved(),
            "estimate": msgspec.to_builtins(self.estimate._asdict()),
            "travels": self.travels._asdict(),
            **({"mixture": msgspec.to_builtins(self.mixture)} if self.mixture else {}),
        }

    @property
    def travels(self) -> Travels:
        """Bytes that would come from object stores and go to one."""
        return Travels(self.plan.remote_bytes, round(self.estimate.disk_bytes.value) if is_url(self.output) else 0)
