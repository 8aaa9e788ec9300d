"""Texts that cost the stages after `normalize` most: what looks like a number or a key, repeats, has no end, or nests.

Each entry of `HOSTILE_VALUES` makes a text of about the size asked for. `python -m benchmarks.cliffs` times them and
`benchmarks.hostile_texts` beside prose.
"""

import base64
import json
import random
import string
from collections.abc import Mapping

from benchmarks.hostile_texts import Maker, nested, numbered, repeated

BASE62 = string.ascii_letters + string.digits
BASE64 = BASE62 + "+/"
CAPITALS = string.ascii_uppercase + string.digits
WORDS = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "a",
    "is",
    "that",
    "for",
    "it",
    "as",
    "was",
    "with",
    "be",
    "by",
    "on",
    "not",
    "he",
    "this",
    "are",
    "or",
    "his",
    "from",
    "at",
    "which",
    "but",
    "have",
]
HAN = "".join(map(chr, range(0x4E00, 0x5E00)))
THAI = "".join(map(chr, range(0xE01, 0xE31)))


def drawn(alphabet: str, before: str = "", size: int = 0, after: str = "") -> Maker:
    """Characters by chance; with a size, between ``before`` and ``after`` again and again."""

    def make(n_bytes: int) -> str:
        dice = random.Random(3)
        width = len(alphabet[-1].encode())
        if not size:
            return "".join(dice.choices(alphabet, k=max(1, n_bytes // width)))
        count = max(1, n_bytes // (size * width + len((before + after).encode())))
        return "".join(before + "".join(dice.choices(alphabet, k=size)) + after for _ in range(count))

    return make


def words(vocabulary: int, separator: str = " ", per_line: int = 0) -> Maker:
    """Words of five letters by chance, of so many."""

    def make(n_bytes: int) -> str:
        dice = random.Random(4)
        all_of = ["".join(dice.choices(string.ascii_lowercase, k=5)) for _ in range(vocabulary)]
        drawn_words = dice.choices(all_of, k=max(1, n_bytes // (5 + len(separator))))
        if not per_line:
            return separator.join(drawn_words)
        starts = range(0, len(drawn_words), per_line)
        return "\n".join(separator.join(drawn_words[start : start + per_line]) for start in starts)

    return make


def period(length: int) -> Maker:
    """So many different words again and again."""
    return repeated(" ".join(f"{letter}word" for letter in string.ascii_lowercase[:length]) + " ")


def in_alphabet(text: str) -> Maker:
    """The base64 of a text in lines."""
    return repeated(base64.encodebytes(text.encode()).decode())


def json_of(value: object) -> Maker:
    """JSON without a blank, one list of it."""
    return repeated(json.dumps(value, separators=(",", ":")) + ",", before="[")


HOSTILE_VALUES: Mapping[str, Maker] = {
    # digits
    "digits by chance": drawn(string.digits),
    "digits by chance in lines of 10": drawn(string.digits, "", 10, "\n"),
    "one digit": repeated("1"),
    "digits between spaces": drawn(string.digits, " ", 1),
    "groups of three digits": drawn(string.digits, " ", 3),
    "groups of four digits": drawn(string.digits, " ", 4),
    "groups of two digits and dashes": drawn(string.digits, "-", 2),
    "groups of three digits and full stops": drawn(string.digits, ".", 3),
    "numbers and commas": drawn(string.digits, ",", 9),
    "16 digits": drawn(string.digits, " 4", 15),
    "right cards": repeated("4111111111111111 "),
    "cards in groups": repeated("4111 1111 1111 1111 "),
    "wrong cards in groups": repeated("4111 1111 1111 1112 "),
    "IBAN without end": drawn(CAPITALS, "DE89"),
    "IBAN-like": drawn(CAPITALS, " DE89", 18),
    "IBAN-like in groups": repeated("DE89 3704 0044 0532 0130 01 "),
    "IBAN heads": repeated("DE89 "),
    "right IBANs": repeated("DE89370400440532013000 "),
    "capitals and digits": drawn(CAPITALS, " ", 4),
    "phones": drawn(string.digits, " (201) 555-", 4),
    "phones with a plus": drawn(string.digits, " +1201555", 4),
    "plus signs and digits": repeated("+1"),
    "phones without end": drawn(string.digits, "+49", 0),
    "phone groups without end": repeated("201 555 0123 "),
    "phone groups and brackets": repeated("(201) "),
    "phones of many countries": numbered("+49 30 {:06d} "),
    "SSN-like": drawn(string.digits, " 123-45-", 4),
    "national numbers with a name": numbered(" BSN: {:09d}"),
    "names of numbers": repeated("BSN TFN SIN pesel "),
    "IPv4": drawn(string.digits, " 8.8.", 1, ".8"),
    "IPv4 chains": repeated("1."),
    "IPv6": repeated("2001:4860:4860::8888 "),
    "IPv6 colons": repeated("2001:"),
    "times": numbered("12:30:{:05d} "),
    "dates": numbered("2024-01-{:05d} "),
    # addresses and keys
    "e-mails": numbered("a{}@mail.example "),
    "e-mails without end": repeated("a@"),
    "e-mail labels without end": repeated("a.", before="x@"),
    "at signs": repeated("@"),
    "e-mail locals": repeated("a.b-c_d+"),
    "URLs": numbered("https://example.org/{}?a=b&c=d "),
    "URLs without end": repeated("http://a"),
    "passwords in URLs": numbered("https://u:p{}@h "),
    "passwords without end": repeated("://u:p"),
    "colons and slashes": repeated("://"),
    "base64": drawn(BASE64),
    "base64 in lines": in_alphabet("some text " * 10),
    "base64 words": drawn(BASE64, " ", 40),
    "hexadecimal": drawn("0123456789abcdef"),
    "hexadecimal in lines": drawn("0123456789abcdef", "", 64, "\n"),
    "UUIDs": numbered("{:08x}-aaaa-4bbb-8ccc-123456789abc "),
    "key-like words": drawn(BASE62, " ", 24),
    "key-like words in lines": drawn(BASE62, "", 40, "\n"),
    "AWS-like": drawn(CAPITALS, " AKIA", 16),
    "AWS heads": repeated("AKIA"),
    "aws without end": repeated("aws key "),
    "GitHub-like": drawn(BASE62, " ghp_", 36),
    "JWT-like": drawn(BASE62, " eyJ", 30, "."),
    "JWT heads": repeated("eyJa."),
    "JWT heads and digits in one word": repeated("eyJ1"),
    "Slack-like": drawn(string.digits, " xoxb-", 12, "-"),
    "Slack digits without end": repeated("1-", before="xoxb-"),
    "OpenAI-like": drawn(BASE62, " sk-", 40),
    "OpenAI heads": repeated("sk-a1"),
    "npm heads": repeated("//a/:_authToken="),
    "Telegram-like": drawn(BASE62, " 12345678:", 35),
    "Mailchimp-like": drawn("0123456789abcdef", "-us1 ", 32),
    "Discord-like": drawn(BASE62, " M", 24, "."),
    "SendGrid-like": drawn(BASE62, " SG.", 22, "."),
    "Twilio-like": drawn("0123456789abcdef", " AC", 32),
    "private keys": drawn(BASE64, "-----BEGIN RSA PRIVATE KEY-----\n", 64, "\n-----END RSA PRIVATE KEY-----\n"),
    "heads of private keys": repeated("-----BEGIN PRIVATE KEY-----\n"),
    "private key without end": drawn(BASE64, "-----BEGIN PRIVATE KEY-----\n" + "A" * 64 + "\n"),
    # words and lines
    "one word": repeated("word "),
    "one letter": repeated("a "),
    "few words by chance": words(5),
    "a thousand words by chance": words(1000),
    "words that are all different": words(200_000),
    **{f"{length} words again and again": period(length) for length in (2, 3, 5, 10, 20)},
    "a salad of stop words": lambda n_bytes: " ".join(random.Random(5).choices(WORDS, k=max(1, n_bytes // 4))),
    "one letter a line": repeated("a\n"),
    "equal lines": repeated("All lines of this document are equal.\n"),
    "lines that are all different": numbered("No two lines are equal, {}.\n"),
    "equal paragraphs": repeated("All paragraphs are equal.\n\n"),
    "lines of one word": words(1000, per_line=1),
    "bullets": repeated("• a\n"),
    "ellipses at the ends of lines": repeated("a …\n"),
    "ellipses of full stops": repeated("... "),
    "full stops": repeated("."),
    "sentences of one letter": repeated("A. "),
    "brackets": repeated("("),
    "nested brackets": nested("([{", "}])"),
    "quotation marks": repeated('"'),
    "apostrophes": repeated("'a"),
    "hyphens": repeated("a-"),
    "low lines": repeated("_"),
    "signs by chance": drawn(string.punctuation),
    "pipes of tables": repeated("| a | 1 "),
    # scripts
    "Han by chance": drawn(HAN),
    "one Han in two": repeated("漢字"),
    "Thai by chance": drawn(THAI),
    "scripts by turns": drawn("aбγאबक中あ"),
    "letters with marks on both sides": repeated("\u0301a"),
    "capitals that grow": repeated("ß ŉ İ "),
    "right-to-left marks": repeated("א\u200f"),
    "joined emoji": repeated("👩\u200d"),
    "flags": repeated("🇫🇷"),
    "digits of other scripts": repeated("١٢٣٤٥٦٧٨٩٠ "),
    # files that are no prose
    "JSON": json_of({"id": 12345678, "name": "a", "mail": None, "list": [1, 2.5, "x"]}),
    "nested JSON": nested('{"a":[', "]}"),
    "minified JavaScript": repeated('function a(b,c){return b[c]||(b[c]={id:1,e:"x1"})};var d=a({},0);'),
    "XML": numbered('<item id="{}"><b/></item>'),
    "nested XML": nested("<a>", "</a>"),
    "LaTeX": repeated(r"\frac{a_{1}}{\sqrt{b^{2}}} \alpha "),
    "SQL": numbered("INSERT INTO t VALUES ({}, 'a', NULL, '2024-01-01');\n"),
    "a diff": numbered("@@ -{0},7 +{0},7 @@\n-old line\n+new line\n"),
    "a stack trace": numbered("    at org.example.A.b(A.java:{})\n"),
    "logs": numbered("192.168.1.1 - - [01/Jan/2024:10:00:00 +0000] GET /{} 200 1234\n"),
    "hexadecimal dump": drawn("0123456789abcdef", " ", 2),
    "CSV of numbers": drawn(string.digits, ",0.", 4),
    "brainfuck": drawn("+-<>[],."),
    "regular expressions": repeated("(a+)+$|"),
}
"""Name → what makes it."""
