"""Training of quality models: examples of good and bad text in, a measured and calibrated model and its card out.

::

    examples ── paths → different documents of one side, read as a run reads them
    split    ── two sides → one share to fit and calibrate on, another to measure on
    fit      ── documents → `curate.models.ngram_model.NgramModel`
    figures  ── its scores on documents it never saw → AUC, calibration
    card     ── all of that as a page
"""
