"""National numbers: their shapes, and whether words must stand before them.

Shape and context are ours; check digits, dates and reserved ranges are those of python-stdnum. A shape that random
digits meet more often than once in a hundred counts only behind a word that names it.
"""

import re
from typing import NamedTuple

CONTEXT_BYTES = 48
"""How far before a number its name may stand."""


class NationalId(NamedTuple):
    """One kind of number."""

    shape: bytes
    """Expression over bytes; it is anchored at both ends by `SHAPES`."""
    context: bytes = b""
    """Words of which one must stand before it; empty where the number proves itself."""


NATIONAL_IDS: dict[str, NationalId] = {
    "au.tfn": NationalId(rb"\d{3} ?\d{3} ?\d{2,3}", rb"tfn|tax file"),
    "be.nn": NationalId(rb"\d\d\.\d\d\.\d\d-\d{3}\.\d\d"),
    "br.cpf": NationalId(rb"\d{3}\.\d{3}\.\d{3}-\d\d"),
    "ca.sin": NationalId(rb"\d{3}[ -]?\d{3}[ -]?\d{3}", rb"sin\b|social insurance|\bnas\b"),
    "cn.ric": NationalId(rb"[1-8]\d{5}(?:19|20)\d{9}[\dX]"),
    "de.idnr": NationalId(rb"\d\d ?\d{3} ?\d{3} ?\d{3}", rb"steuer|idnr|tin\b|tax id"),
    "dk.cpr": NationalId(rb"\d{6}-?\d{4}", rb"cpr|person"),
    "es.dni": NationalId(rb"\d{8}-?[A-Z]"),
    "es.nie": NationalId(rb"[XYZ]-?\d{7}-?[A-Z]"),
    "fi.hetu": NationalId(rb"\d{6}[-+A]\d{3}[0-9A-Y]"),
    "fr.nir": NationalId(rb"[12] ?\d\d ?[01]\d ?\d[\dAB] ?\d{3} ?\d{3} ?\d\d"),
    "gb.nhs": NationalId(rb"\d{3}[ -]?\d{3}[ -]?\d{4}", rb"nhs"),
    "in_.aadhaar": NationalId(rb"\d{4}[ -]?\d{4}[ -]?\d{4}", rb"aadhaa?r|uidai"),
    "it.codicefiscale": NationalId(rb"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]"),
    "kr.rrn": NationalId(rb"\d{6}-[1-8]\d{6}"),
    "nl.bsn": NationalId(rb"\d{4}[. ]?\d\d[. ]?\d{3}", rb"bsn|burgerservice|sofi"),
    "pl.pesel": NationalId(rb"\d{11}", rb"pesel"),
    "se.personnummer": NationalId(rb"(?:\d\d)?\d{6}[-+]?\d{4}", rb"person|\bpnr"),
    "us.ssn": NationalId(rb"\d{3}-\d\d-\d{4}"),
}
"""Module of python-stdnum → what the number looks like."""


def _whole(shape: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"(?<![\w.,-])(?:" + shape + rb")(?![\w-]|[.,]\d)")


SHAPES = {name: _whole(kind.shape) for name, kind in NATIONAL_IDS.items()}
ANY_SHAPE = _whole(b"|".join(kind.shape for kind in NATIONAL_IDS.values() if not kind.context))
"""All that need no context."""
ANY_CONTEXT = re.compile(b"|".join(kind.context for kind in NATIONAL_IDS.values() if kind.context), re.IGNORECASE)
CONTEXTS = {name: re.compile(kind.context, re.IGNORECASE) for name, kind in NATIONAL_IDS.items() if kind.context}
