"""The result file as Markdown: the jobs, the stages of curate, and how cost grows."""

from typing import Any

from benchmarks.jobs import KINDS, RIVAL_OF
from benchmarks.results import ratios, summary

JOBS = "| job | what it does | MB | CPU s | MB/CPU-s | wall s | peak MB | documents kept | tokens | curate's CPU is |"
STAGES = ("| stage of curate | MB read | CPU s | MB/CPU-s |", "| --- | ---: | ---: | ---: |")


def markdown(content: dict[str, Any]) -> str:
    """The tables; every figure is a median."""
    found = summary(content["measurements"])
    order = list(KINDS)
    keys = sorted(found, key=lambda key: (key[1], order.index(key[0])))
    about = content["about"]
    lines = [
        f"{about['machine']['cpu']}, {about['machine']['cores']} cores; {about['date']}; curate {about['version']}.",
        f"Recipe `{about['recipe']}`; medians, with the range of more than one run in brackets.",
        "",
        JOBS,
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
        *(_job(found, *key) for key in keys),
        "",
        *_stages(found),
        "",
        "| ratio (a cost: smaller is better) | |",
        "| --- | ---: |",
        *(f"| {name} | {value:.3f} |" for name, value in ratios(found).items()),
    ]
    return "\n".join(lines) + "\n"


def _job(found: dict[tuple[str, int], dict[str, Any]], job: str, size: int) -> str:
    one = found[job, size]
    if one["status"] != "done":
        return f"| {job} | {KINDS[job]} | {size} | {one['status']} | | | | | | |"
    low, high = one["range"]["cpu_seconds"]
    cpu = f"{one['cpu_seconds']:.1f}" + (f" ({low:.1f}–{high:.1f})" if one["runs"] > 1 else "")
    # The second decimal matters only to the slow.
    speed = f"{one['mb_per_cpu_second']:.{1 if one['mb_per_cpu_second'] >= 2 else 2}f}"
    kept = f"{one['kept']:,} of {one['read']:,}" if one.get("read") else f"{one.get('kept', 0):,}"
    tokens = f"{one['tokens']:,}" if one.get("tokens") else "–"
    return (
        f"| {job} | {KINDS[job]} | {size} | {cpu} | {speed} | {one['wall_seconds']:.1f} | {one['peak_mb']:,.0f} "
        f"| {kept} | {tokens} | {_against(found, job, size)} |"
    )


def _against(found: dict[tuple[str, int], dict[str, Any]], job: str, size: int) -> str:
    ours = found.get((RIVAL_OF.get(job, "curate"), size), {"status": ""})
    if ours["status"] != "done" or job.startswith("curate"):
        return ""
    factor = found[job, size]["cpu_seconds"] / ours["cpu_seconds"]
    name = " (its near_dup)" if RIVAL_OF.get(job) == "curate-near-dup" else ""
    return f"1/{factor:.1f}{name}" if factor >= 1 else f"{1 / factor:.1f}×{name}"


def _stages(found: dict[tuple[str, int], dict[str, Any]]) -> list[str]:
    size = max((size for job, size in found if job == "curate" and found[job, size]["status"] == "done"), default=None)
    if size is None:
        return []
    one = found["curate", size]
    rows = [
        f"| {name} | {read / 1e6:.1f} | {seconds:.2f} | {read / 1e6 / seconds:.0f} |"
        if seconds
        else f"| {name} | | 0 | |"
        for name, (seconds, read) in one.get("stages", {}).items()
    ]
    rest = one["cpu_seconds"] - sum(seconds for seconds, _ in one.get("stages", {}).values())
    rows.append(f"| reading, writing, start, report | {one['text_mb']:.1f} | {rest:.2f} | |")
    return [f"At {size} MB:", "", *STAGES, *rows]


def placed(page: str, name: str, content: str) -> str:
    """The page with what stands between the markers of that name replaced; unchanged without markers.

    >>> placed("a <!-- bench:x --> old <!-- /bench:x --> b", "x", "new")
    'a <!-- bench:x -->\\n\\nnew\\n\\n<!-- /bench:x --> b'
    """
    opening, closing = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    if opening not in page or closing not in page:
        return page
    before, _, rest = page.partition(opening)
    return f"{before}{opening}\n\n{content.strip()}\n\n{closing}{rest.partition(closing)[2]}"
