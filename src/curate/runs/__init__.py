"""What may be done with a run, from Python or for the command line: plan it, make it, open it, ask it.

::

    door ── run, open, plan: what `import curate` offers
      ├─ job        what the user asked for, carried out; says what happens as events, prints nothing
      └─ finished   a finished run: counts, documents, reasons
           ├─ documents   its documents as a lazy table
           ├─ questions   one document, or a few to read
           └─ whatif      what other settings would have kept; `rejudged` tells it document by document
"""
