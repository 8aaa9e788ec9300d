"""The small models that raw and kept text are compared by: texts → tokens → loss at every budget.

::

    vocabulary  ── texts → tokens of 11 bits, one tokenizer for all
    proxy       ── tokens → loss at every budget, whichever model
    kneser_ney  ── an n-gram model, exact counts
    transformer ── a second opinion, with torch
    remembered  ── losses that an earlier measurement of this run has trained for
"""
