"""What curation is worth on this corpus, measured: the same small model trained on raw and on kept text.

::

    pool        ── a finished run → documents of the raw and of the curated arm, whole duplicate clusters
    held_out    ── texts to be scored on: independent, held-out raw, held-out curated; none of them in an arm
    proxies     ── texts → tokens → loss at every budget of a small model
    multiplier  ── two loss curves → compute multiplier with its interval, and what follows from it
    result      ── all figures, with their intervals
    attribution ── stages and rules switched off one by one
    tuning      ── thresholds and recipes searched by the same measure
    measuring   ── all of that for one run → `curate.report.saved.measured.Evidence`
"""
