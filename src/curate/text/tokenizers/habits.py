# ruff: noqa: RUF001  (letters of many scripts are the point)
"""What a tokenizer does to text besides splitting it, found out before a run by trying letters of many scripts.

Three things are not the same: its *normalizer* writes text otherwise (lower case, compatibility forms) because its
maker wanted that; white space may go the same way; and characters that its vocabulary *does not know* are lost.
"""

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from curate.text.tokenizers.backends import Backend

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
    "control characters": "\x00\x01\x1b\x7f\x85\u200b\u200d\u200e\u2028\ufeff\ufffd",
}

_SHOWN = 4
_PLAIN = "Hello world, 12 of them."
_BLANKS = ("a  b", "a\tb", "a\n\nb", " a", "a ", "a b")


def habits_of(
    name: str, tokenizer: "tokenizers.Tokenizer", encode: Backend, back: Callable[[str], str], *, lost: str
) -> Iterator[str]:
    """Sentences about what becomes of text.

    Args:
        name: of the tokenizer's file.
        tokenizer: whose normalizer is tried.
        encode: says what is unknown.
        back: a text encoded and decoded.
        lost: what happens to a character that is unknown, as the end of a sentence.
    """
    changed = {
        letter: written for letter, written in _rewritten(tokenizer).items() if not _is_equivalent(letter, written)
    }
    if changed:
        shown = ", ".join(f"`{_shown(a)}` → `{_shown(b)}`" for a, b in list(changed.items())[:_SHOWN])
        yield f"`{name}` rewrites text before it splits it ({shown} …); this is its maker's wish and counts as no loss."
    yield from _back_again(name, tokenizer, encode, back)
    unknown = {script: letter for script, letters in SCRIPTS.items() if (letter := _first_unknown(encode, letters))}
    if unknown:
        shown = ", ".join(f"{script} (`{_shown(letter)}`)" for script, letter in unknown.items())
        yield f"`{name}` does not know all letters of {shown}; what it does not know {lost}, and the run counts it."


def _back_again(
    name: str, tokenizer: "tokenizers.Tokenizer", encode: Backend, back: Callable[[str], str]
) -> Iterator[str]:
    """What does not come back when its ids are decoded, though every letter is known."""
    normalize = tokenizer.normalizer.normalize_str if tokenizer.normalizer else str
    wanted, got = ("".join(text.replace("\u2581", " ").split()) for text in (normalize(_PLAIN), back(_PLAIN)))
    if wanted != got and not _first_unknown(encode, wanted):
        yield f"`{name}` does not say how ids are decoded: `{_PLAIN}` comes back as `{back(_PLAIN)}`; ids are right."
        return
    for blanks in _BLANKS:
        if back(blanks) != blanks and not _first_unknown(encode, blanks):
            yield f"`{name}` does not give back blanks as they are: {blanks!r} comes back as {back(blanks)!r}."
            return


def _first_unknown(encode: Backend, letters: str) -> str | None:
    """The first of some letters that is unknown by itself."""
    unknown = encode(pa.array(list(letters), pa.large_string())).unknown
    if unknown is None or not unknown.any():
        return None
    return letters[int(np.flatnonzero(unknown)[0])]


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


def _shown(letter: str) -> str:
    return (
        letter if letter.isprintable() and not unicodedata.combining(letter[:1] or "a") else f"U+{ord(letter[0]):04X}"
    )
