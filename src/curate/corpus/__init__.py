"""Reading the corpus: files found, fingerprinted and cut into parts; documents read, or put in quarantine.

::

    discover ── paths → input files, and what was passed over
    inspect  ── one read of each file: fingerprint, where lines begin, which field is the text
    cut      ── files → strands of parts, the units of work and of resume
    chunks   ── strand → chunks (I/O and decompression); ``Chunk.parse`` → documents and quarantine
"""
