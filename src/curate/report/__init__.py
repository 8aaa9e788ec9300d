"""From a finished run directory to numbers (`report.json`) and a page for people (`report.html`).

::

    run.json + judgments ── model.build_report ──> Report ── page.write_report ──> report.json, report.html
                               │ sources, measures, duplicates, samples: one question each, asked of the
                               judgments │ compute: what a training pass costs on kept and on raw text └
                               alerts: what deserves a second look

`page.make_report` does all of it, and has the charts drawn while texts are looked for.

Nothing here reads a text except the few that are shown, and nothing is imported before it is used.
"""
