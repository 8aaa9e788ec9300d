# ruff: noqa: RUF001  (letters of many scripts are the point)
"""What a tokenizer does to text besides splitting it, found out before a run by trying letters of many scripts.

Three things are not the same: its *normalizer* writes text otherwise (lower case, compatibility forms) because its
maker wanted that; white space may go the same way; and characters that its vocabulary *does not know* are lost.
"""

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from curate.models.tokenizers.hugging_face.huggingface import HuggingFaceBackend, covered

if TYPE_CHECKING:
    import tokenizers

SCRIPTS: Mapping[str, str] = {
    "white space": "\t\n\u00a0\u3000",
    "ASCII": "".join(map(chr, range(0x21, 0x7F))),
    "Latin": "éèêëñçüöäßøåæœłśžčřőığşđțâîÉÜÖÄÑÇ¿¡«»",
    "punctuation": "–—‘’“”…•·€£§©®°×÷−≤≥→✓",
    "Greek": "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώΑΓΔΘΛΞΠΣΦΨΩ",
    "Cyrillic": "абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґЖЯЮЩ",
    "Hebrew": "אבגדהוזחטיכלמנסעפצקרשתםןףץך",
    "Arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهويةىءآأإؤئپچگ٠١٢٣",
    "Devanagari": "अआइईउऊएऐओऔकखगघचछजझटठडढतथदधनपफबभमयरलवशषसहािीुूेैोौं्।०१२",
    "Thai": "กขคงจชซดตถทนบปผพฟมยรลวสหอะาำิีึืุูเแโใไ่้์",
    "Chinese": "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出会要于下，。",
    "Japanese": "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもアイウエオカキクケコー「」",
    "Korean": "가나다라마바사아자차카타파하고는도를을이에의한국어",
    "emoji": "😀😂👍🎉🔥🙂🚀✨",
    "combining marks": "\u0301\u0308\u0303\u0327",
}

_SHOWN = 4
_SPACED = "a b  c\td\n\ne"


def habits_of(name: str, tokenizer: "tokenizers.Tokenizer", backend: HuggingFaceBackend, *, lost: str) -> Iterator[str]:
    """Sentences about what becomes of text.

    Args:
        name: of the tokenizer's file.
        tokenizer: the same as the backend's.
        backend: encodes, and says what is unknown.
        lost: what happens to a character that is unknown, as the end of a sentence.
    """
    changed = {
        letter: written for letter, written in _rewritten(tokenizer).items() if not _is_equivalent(letter, written)
    }
    if changed:
        shown = ", ".join(f"`{_shown(a)}` → `{_shown(b)}`" for a, b in list(changed.items())[:_SHOWN])
        yield f"`{name}` rewrites text before it splits it ({shown} …), as its author intended; this is not a loss."
    in_tokens = covered(len(_SPACED), np.array(tokenizer.encode(_SPACED).offsets, np.int64).reshape(-1, 2))
    if any(letter.isspace() for letter, kept in zip(_SPACED, in_tokens, strict=True) if not kept):
        yield f"`{name}` keeps no white space between tokens: line breaks and indentation are not in its ids."
    if letters := unknown_letters(backend.unknown_places):
        yield f"`{name}` does not know all letters of {letters}; what it does not know {lost}, and the run counts it."


def unknown_letters(places: Callable[[str], list[int]]) -> str:
    """The scripts of which some letters are unknown, each with the first of them; empty if there are none.

    Args:
        places: of what is unknown in a text.
    """
    return ", ".join(f"{script} (`{_shown(letter)}`)" for script, letter in _unknown(places).items())


def _rewritten(tokenizer: "tokenizers.Tokenizer") -> dict[str, str]:
    """Letters that the normalizer changes, and what it writes; blanks around them aside."""
    if tokenizer.normalizer is None:
        return {}
    tried = (letter for letters in ("Aé½ﬁＡ…\u00ad", *SCRIPTS.values()) for letter in letters if not letter.isspace())
    written = {letter: tokenizer.normalizer.normalize_str(letter) for letter in tried}
    return {a: b.replace("\u2581", " ").strip() for a, b in written.items() if b.replace("\u2581", " ").strip() != a}


def _is_equivalent(letter: str, written: str) -> bool:
    """Whether both are the same text by Unicode, composed or not."""
    return unicodedata.normalize("NFD", letter) == unicodedata.normalize("NFD", written)


def _unknown(places: Callable[[str], list[int]]) -> dict[str, str]:
    """For each script the first letter that has no token."""
    found = {}
    for script, letters in SCRIPTS.items():
        unknown = [letter for letter in letters if places(letter)]
        if unknown:
            found[script] = unknown[0]
    return found


def _shown(letter: str) -> str:
    return (
        letter if letter.isprintable() and not unicodedata.combining(letter[:1] or "a") else f"U+{ord(letter[0]):04X}"
    )
