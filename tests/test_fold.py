"""Folding: what is written alike is one word to an identifier, what is no word is none."""

import re
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curate.models.langid import LID176_CODES
from curate.text.core.scripts import SCRIPTS, scripts_of
from curate.text.language.fold import LONGEST, folded
from thorough import settings

SENTENCES = {
    "en": "The committee will publish its findings before the end of the year.",
    "fr": "La commission publiera ses conclusions avant la fin de l'année, où qu'elle siège.",
    "de": "Der Ausschuss wird seine Ergebnisse noch vor Ende des Jahres veröffentlichen.",
    "tr": "Komisyon yıl sonundan önce bulgularını yayımlayacak, ışık içinde.",
    "vi": "Ủy ban sẽ công bố kết quả trước cuối năm.",
    "ru": "Комиссия опубликует свои выводы до конца года, и ещё кое-что.",
    "el": "Η επιτροπή θα δημοσιεύσει τα πορίσματά της πριν από το τέλος του έτους.",
    "hy": "Հանձնաժողովը կհրապարակի իր եզրակացությունները տարվա վերջին.",
    "ko": "위원회는 올해 말까지 조사 결과를 발표할 예정입니다.",
    "ja": "委員会は年末までに調査結果を公表する予定です。",
    "hi": "समिति वर्ष के अंत से पहले अपने निष्कर्ष प्रकाशित करेगी।",
    "fa": "کمیته یافته\u200cهای خود را پیش از پایان سال منتشر می\u200cکند.",
}


def fold(*texts: str) -> list[str]:
    found = folded(pa.array(texts, pa.large_string())).texts
    found.validate(full=True)
    return found.to_pylist()


A, SMALL_A = ord("A"), ord("a")


def styled(text: str, capitals: int, small: int) -> str:
    """ASCII letters moved to where another alphabet of 26 letters begins."""
    return "".join(
        chr(ord(char) - A + capitals)
        if "A" <= char <= "Z"
        else chr(ord(char) - SMALL_A + small)
        if "a" <= char <= "z"
        else char
        for char in text
    )


CASES = {
    "THE END": "the end",
    "iPhone aLtErNaTiNg": "iphone alternating",
    "DIE STRASSE IST GROẞ": "die strasse ist groß",
    "L'ÉCOLE EST FINIE": "l'école est finie",
    "ΤΟ ΤΕΛΟΣ ΤΟΥ ΕΤΟΥΣ.": "το τελος του ετους.",
    "İSTANBUL'DA IŞIK YAŞIYOR": "istanbul'da ışık yaşıyor",
    "İstanbul, and I am IN": "istanbul, and i am in",
    "ﬁne ﬂour, ſo Ĳs": "fine flour, so ijs",
    "ﻢﺣﻣﺩ ﺍﻟﺴﻼﻡ": "محمد السلام",
    "ﾊﾝｶｸ ｶﾞ": "ハンカク ガ",
    "ᴛʜᴇ ʙʀᴏᴡɴ ꜰox": "the brown fox",
    "naïve cafe\u0301 Å": "naïve café å",
    "\u1112\u1161\u11ab\u1100\u1173\u11af": "한글",
    "e\u0323\u0302 e\u0302\u0323": "ệ ệ",
    "лю\u0301ди и\u0306": "люди й",
    "Z\u0327\u0321\u0300a\u0328\u0327\u031b\u0301lgo": "zalgo",
    "s\u0336t\u0336r\u0336u\u0336c\u0336k\u0336": "struck",
    "بِسْمِ اللَّهِ الـــرحمن": "بسم الله الرحمن",
    "soooooo loooong, www": "sooo looong, www",
    "non\u00a0breaking\u202fand\u2003thin\u3000spaces\u0085here\u2028there": "non breaking and thin spaces here there",
    "blank\u2800letters\u3164are\uffa0spaces": "blank letters are spaces",
    "soft\u00adhy\u00adphen\u200bs zero\u200cwidth\ufeff": "softhyphens zerowidth",
    "می\u200cشود": "می\u200cشود",
    "an exam-\nple of hy\u00ad\n  phens, well-known": "an example of hyphens, well-known",
    "H E L L O   W O R L D   I S   IT": "hello world is it",
    "A B C of it": "a b c of it",
    "d&eacute;j&agrave; l&#8217;id&#xE9;e &amp; co": "déjà l'idée co",
    "<p>Hello <b class='x'>world</b></p> a < b": "hello world a b",
    "\x1b[1mbold\x1b[0m te\x07xt": "bold text",
    "\u201cquoted\u201d it\u2019s": '"quoted" it\'s',
    "call foo_bar(x) or a[i] --help 0x3f v1.2 a::b /usr/bin see https://x.example/y": "call or see",
    "(see below) [sic] note: **bold": "(see below) [sic] note: **bold",
    "1990-е 19é": "1990-е 19é",
    "12 34.5 — … 🙂 42%": "",
    "漢字と仮名": "漢字と仮名",
}


@pytest.mark.parametrize("text", CASES)
def test_a_word_is_folded(text):
    assert fold(text) == [CASES[text]]


@settings(deadline=None)
@given(
    language=st.sampled_from(sorted(SENTENCES)),
    change=st.sampled_from(
        [
            lambda text: unicodedata.normalize("NFD", text),
            lambda text: text.replace(" ", "\u00a0"),
            lambda text: text.replace(" ", "\u2009\u3000 \n"),
            "\u00ad".join,
            "\u2060".join,
            lambda text: styled(text, 0xFF21, 0xFF41),
            lambda text: styled(text, 0x1D4D0, 0x1D4EA),
            lambda text: styled(text, 0x24B6, 0x24D0),
            lambda text: styled(text, 0x1F170, 0x1F170),
            lambda text: "".join(f"&#{ord(char)};" if char.isalpha() else char for char in text),
            lambda text: "".join(
                char.upper() if at % 2 and char not in "iıß" else char for at, char in enumerate(text)
            ),
            lambda text: re.sub(r"(\w) ", "\\1 <i>x='y'</i > ".replace("x='y'", ""), text),
        ]
    ),
)
def test_what_differs_in_writing_alone_is_folded_alike(language, change):
    text = SENTENCES[language]
    assert fold(change(text)) == fold(text)


@pytest.mark.parametrize("language", sorted(SENTENCES))
def test_capitals_are_folded_as_small_letters_are(language):
    text = SENTENCES[language]
    capitals = text.replace("i", "İ").upper() if language == "tr" else text.upper()
    expected = fold(text)[0]
    found = fold(("İŞ " if language == "tr" else "") + capitals)[0].removeprefix("iş ")
    assert found == expected


LETTERS = "abzéäßŁñảŞğıжщЯйΣωϋաԱაⴀاىहकา가ᄒ漢かカ"


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=LETTERS + " \u00a0\u0301\u0308.,'", max_size=60))
@example("e\u0301\u0301 Σ ΑΣ.")
def test_letters_become_what_unicode_says(text):
    """Where nothing else plays a part: lower case, composed, marks at most one each, with a space between words."""
    text = re.sub(r"([\u0301\u0308])[\u0301\u0308]+", r"\1", text)
    expected = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
    expected = re.sub(r"(?<=[а-яё])[\u0301\u0308]|(?<![^\W\d_])[\u0301\u0308]", "", expected)
    words = [word for word in expected.replace("\u00a0", " ").split() if re.search(r"[^\W\d_]", word)]
    if re.search(r"(\w)\1{3}|(?<!\S)(\S\s){3}", " ".join(words) + " "):
        return  # repeated and spaced-out letters have cases of their own
    assert [word.replace("ς", "σ") for word in fold(text)[0].split()] == [word.replace("ς", "σ") for word in words]


ANYTHING = st.one_of(
    st.text(st.characters(exclude_categories=("Cs", "Cn")), max_size=60),
    st.text(alphabet="&<>;#xX123amp-\n\u00ad\u0301\u0336ßİIiΣ \u200d\u1100\u1161漢\x1b[m", max_size=60),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(ANYTHING, max_size=6))
def test_a_text_is_folded_alone_into_words_with_letters(texts):
    found = folded(pa.array(texts, pa.large_string()))
    assert found.texts.to_pylist() == [fold(text)[0] for text in texts]
    for text, plain, letters in zip(texts, found.texts.to_pylist(), found.letters, strict=True):
        assert len(plain.encode()) <= LONGEST * len(text.encode())
        words = plain.split(" ") if plain else []
        assert all(any(map(str.isalpha, word)) for word in words)
        assert (letters.sum() > 0) == bool(words)
        assert letters[1:].sum() <= len(plain.encode())


@pytest.mark.parametrize(
    "unit", ["&", "&#", "<a", "\x1b[0", "-\n", "- ", "a b ", "e\u0301", "\u0301", "\u00ad", "x", "漢"]
)
def test_time_grows_with_length_alone(unit):
    """A hundred times the text would take minutes if anything were looked at again and again."""
    text = unit * (1_000_000 // len(unit))
    assert len(fold(text)) == 1


def test_letters_are_counted_by_script():
    names = [script.name for script in SCRIPTS]
    (letters,) = folded(pa.array(["abc дом 漢字 ab12 !"], pa.large_string())).letters
    assert {names[number]: count for number, count in enumerate(letters.tolist()) if count} == {
        "Latin": 3,
        "Cyrillic": 6,
        "Han": 6,
    }


@pytest.mark.parametrize("language", sorted(SENTENCES))
def test_a_language_is_written_in_the_script_of_its_sentence(language):
    (letters,) = folded(pa.array([SENTENCES[language]], pa.large_string())).letters
    assert SCRIPTS[letters.argmax()].name in scripts_of(language)


def test_every_language_has_a_script():
    known = {script.name for script in SCRIPTS}
    assert all(scripts_of(code) <= known and scripts_of(code) for code in LID176_CODES)
