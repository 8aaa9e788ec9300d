"""What words without end cost a tokenizer, beside prose: CPU time for a megabyte, and how it grows.

    python -m benchmarks.long_words [TOKENIZER …] [--kb 200] [--whole]

Each kind of text by itself, at a size and eight times that, as Markdown: milliseconds of CPU for a MB of the larger
one, its ratio to prose (words of the documentation, shuffled), and the time of the larger one for one time of the
smaller one. Every text is seen for the first time. ``--whole`` hands texts to the library as they are, uncut.
"""

import argparse
import random
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from curate.text.tokenizers import Tokenizer, load_tokenizer
from curate.text.tokenizers.pieces import Piecewise

SMALL = "abcdefghijklmnopqrstuvwxyz"
MARKS = "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~"
PAGES = sorted((Path(__file__).parent.parent / "docs").rglob("*.md"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tokenizers", nargs="*", default=["cl100k_base", "o200k_base"])
    parser.add_argument("--kb", type=int, default=200)
    parser.add_argument("--whole", action="store_true", help="uncut")
    options = parser.parse_args()
    for name in options.tokenizers:
        tokenizer = load_tokenizer(name)
        encode = encoder(tokenizer, whole=options.whole)
        encode("a page of words, so that all is loaded")
        print(f"\n| {name}, {tokenizer.backend} | ms for a MB | to prose | 8 times the text |")
        print("| --- | ---: | ---: | ---: |")
        base = None
        for kind, make in kinds(random.Random(1)).items():
            small, large = (seconds(encode, make(size)) for size in (options.kb * 1000, options.kb * 8000))
            base = base or large
            print(f"| {kind} | {large:.1f} | {large / base:.1f} | {8 * large / small:.1f} |", flush=True)


def encoder(tokenizer: Tokenizer, *, whole: bool) -> Callable[[str], object]:
    """What encodes a text."""
    encode = tokenizer.prepare().encode
    if whole and isinstance(encode, Piecewise):
        encode = encode.backend
    return lambda text: encode(pa.array([text], pa.large_string()))


def seconds(encode: Callable[[str], object], text: str) -> float:
    """Milliseconds of CPU for a MB."""
    started = time.process_time()
    encode(text)
    return (time.process_time() - started) / len(text.encode()) * 1e9


def kinds(dice: random.Random) -> dict[str, Callable[[int], str]]:
    """Makers of texts of about so many bytes, prose first."""
    prose = "\n".join(page.read_text() for page in PAGES)

    def drawn(letters: str, width: int = 1) -> Callable[[int], str]:
        return lambda size: "".join(dice.choices(letters, k=size // width))

    def repeated(fragment: str) -> Callable[[int], str]:
        return lambda size: fragment * (size // len(fragment.encode()))

    def shuffled(size: int) -> str:
        words = prose.split(" ")
        return " ".join(dice.choices(words, k=size // 5))[:size]

    return {
        "prose": shuffled,
        "prose without blanks": lambda size: "".join(shuffled(2 * size).split())[:size],
        "random letters": drawn(SMALL),
        "one letter": repeated("a"),
        "random digits": drawn("0123456789"),
        "base64": drawn(SMALL + SMALL.upper() + "0123456789+/"),
        "random marks": drawn(MARKS),
        "`=`": repeated("="),
        "blanks": repeated(" "),
        "line feeds": repeated("\n"),
        "random Chinese": drawn("".join(map(chr, range(0x4E00, 0x9FA5))), 3),
        "random Thai": drawn("".join(map(chr, range(0xE01, 0xE3A))), 3),
        "emoji": drawn("".join(map(chr, range(0x1F300, 0x1F600))), 4),
        "emoji joined": repeated("👩\u200d"),
        "scripts by turns": drawn("aбγאबक中あ", 2),
        "marks on one letter": repeated("\u0301"),
        "U+FFFD": repeated("\ufffd"),
        "NUL": repeated("\0"),
    }


if __name__ == "__main__":
    main()
