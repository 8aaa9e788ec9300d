"""``line_dup``: lines or paragraphs that many documents share are cut, all copies but one.

1. *Observe* every batch: the distinct passages of each document, as hashes (`stage`).
2. *Repeated*: passages with equal values are counted; those in enough documents are sent to the parts
   that hold them, each with the document that keeps it (`repeated`).
3. *Cuts*: every part looks its own passages up and reads only the documents that lose some (`cuts`).
"""

from curate.stages.line_dup.settings import LineDupSettings
from curate.stages.line_dup.stage import LineDup

__all__ = ["LineDup", "LineDupSettings"]
