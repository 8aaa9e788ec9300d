"""From a finished run directory to numbers (`report.json`) and a page for people (`report.html`).

::

    judgments ── model.findings_of ──> Findings ── model.build_report (with run.json) ──> Report
                   │ sources, measures, duplicates, samples: one question each, asked of the judgments
                   └ drawing/: the charts                    saved/, alerts/: what it is worth, what to look at again

    Report ── html.page.write_report ──> report.json, report.html

`html.page.ReportMaker` does all of it. Findings need the judgments alone, so it begins while a run still writes its
shards.

Nothing here reads a text except the few that are shown, and nothing is imported before it is used.
"""
