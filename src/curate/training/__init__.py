"""Training of quality models: examples of good and bad text in, a measured and calibrated model and its card out.

::

    examples ── paths → different documents of one side, read as a run reads them
    split    ── two sides → weights are fitted on one share, calibrated on another, measured on a third
    fit      ── documents → `curate.text.ngram_model.NgramModel`
    figures  ── its scores on documents it never saw → AUC, calibration
    card     ── all of that as a page
"""
