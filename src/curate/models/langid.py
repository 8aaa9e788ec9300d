"""Language identifiers behind one small interface, all speaking the same codes.

Why this exists: fastText's lid.176 is fast and the model that published thresholds refer to; langdetect is
the one many pipelines started with. Their labels differ (``als``, ``zh-cn``); thresholds and keep lists must
not.

A code is a BCP 47 primary language subtag. Where an identifier's label is not one, or means another language
there:

============  =====================  ============================================================
identifier    its label              here
============  =====================  ============================================================
lid176        ``als``                ``gsw``, Alemannic (in BCP 47 ``als`` is Tosk Albanian)
lid176        ``eml``                ``eml``, Emilian-Romagnol, which has no subtag of its own
lid176        ``sh`` ``bh`` ``nah``  unchanged: registered subtags for Serbo-Croatian, Bihari and Nahuatl languages
langdetect    ``zh-cn`` ``zh-tw``    ``zh``, their probabilities added up
both          ``no``                 ``no``: Bokmål; lid176 also knows ``nn``
============  =====================  ============================================================

``und`` (undetermined) stands for a text without features to judge by.

Both are trained on sentences as people write them, and see texts so: folded (`curate.text.language.fold`), unless the
raw text is asked for. A label is then one of the languages written in the script of the text's letters
(`curate.text.core.scripts`), else ``und``; and scores of very short texts are `hedged`.
"""

import functools
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from curate.text.core.scripts import Written, believable, written_in

if TYPE_CHECKING:
    from curate.models.fasttext import FastText

UNDETERMINED = "und"
LID176 = Path(__file__).parent / "lid176" / "lid.176.ftz"

LID176_CODES = frozenset(
    """
    af am an ar arz as ast av az azb ba bar bcl be bg bh bn bo bpy br bs bxr ca cbk ce ceb ckb co cs cv cy
    da de diq dsb dty dv el eml en eo es et eu fa fi fr frr fy ga gd gl gn gom gsw gu gv he hi hif hr hsb ht
    hu hy ia id ie ilo io is it ja jbo jv ka kk km kn ko krc ku kv kw ky la lb lez li lmo lo lrc lt lv mai
    mg mhr min mk ml mn mr mrj ms mt mwl my myv mzn nah nap nds ne new nl nn no oc or os pa pam pfl pl pms
    pnb ps pt qu rm ro ru rue sa sah sc scn sco sd sh si sk sl so sq sr su sv sw ta te tg th tk tl tr tt tyv
    ug uk ur uz vec vep vi vls vo wa war wuu xal xmf yi yo yue zh
    """.split()  # noqa: SIM905  (one code a line would fill pages)
)
LANGDETECT_CODES = frozenset(
    """
    af ar bg bn ca cs cy da de el en es et fa fi fr gu he hi hr hu id it ja kn ko lt lv mk ml mr ne nl no pa
    pl pt ro ru sk sl so sq sv sw ta te th tl tr uk ur vi zh
    """.split()  # noqa: SIM905  (one code a line would fill pages)
)

_CODE_OF_LABEL = {"als": "gsw", "zh-cn": "zh", "zh-tw": "zh"}
_LANGDETECT_SEED = 0
_LANGDETECT_ORDER = tuple(sorted(LANGDETECT_CODES))
_LANGDETECT_WRITTEN = written_in(_LANGDETECT_ORDER)
_loading = threading.Lock()


class Identifier(Protocol):
    """Says which language each text is in.

    Args:
        folded: whether words are folded first, and a label is given only where it is believable for their letters.
    """

    labels: frozenset[str]
    """Every code it can return besides ``und``."""
    first_look: int
    """Bytes after which it may already be sure of a text; 0: it always reads all."""

    def __init__(self, *, folded: bool) -> None: ...

    def identify(self, texts: pa.Array) -> tuple[pa.Array, pa.Array]:
        """The most likely code (``string``) and its probability (``float32``, 0 to 1) of each text.

        Args:
            texts: ``large_string`` without nulls. A text's result depends on that text alone.
        """


def has_letter(texts: pa.Array) -> pa.Array:
    """Whether each text holds a letter of any script (``boolean``).

    Example:
        >>> has_letter(pa.array(["42 %", "π", ""], pa.large_string())).to_pylist()
        [False, True, False]
    """
    return pc.match_substring_regex(texts, r"\p{L}")


class Lid176:
    """fastText's lid.176.ftz (Grave 2017, CC BY-SA 3.0), which is packaged in ``lid176/``.

    It reads until it is certain: after `first_look` bytes, twice, four times … as many, a label with a probability of
    at least `confident` is taken. Texts should come as `curate.text.core.excerpt.excerpts` with that ``whole_below``,
    so that what was read is spread over the text.
    """

    labels = LID176_CODES
    first_look = 500
    confident = 0.9
    """With these two, labels are as often right as when all is read, on every labelled set (benchmarks/README.md)."""

    def __init__(self, *, folded: bool) -> None:
        self._folded = folded

    def identify(self, texts: pa.Array) -> tuple[pa.Array, pa.Array]:
        """See `Identifier`."""
        model, codes, written = _lid176()
        best, probability, seen = model.predict(
            texts,
            first_look=self.first_look,
            confident=self.confident,
            folded=written if self._folded else None,
        )
        if not self._folded:
            return _with_letters(texts, codes.take(pa.array(best)), pa.array(probability))
        labels = codes.take(pa.array(best, mask=best < 0)).fill_null(UNDETERMINED)
        return labels, pa.array(hedged(probability, seen))


class LangDetect:
    """langdetect (Nakatani 2010), seeded for each text anew, so that a result never depends on what came before."""

    labels = LANGDETECT_CODES
    first_look = 0

    def __init__(self, *, folded: bool) -> None:
        self._folded = folded

    def identify(self, texts: pa.Array) -> tuple[pa.Array, pa.Array]:
        """See `Identifier`."""
        if not self._folded:
            found = [_best(_langdetect(text)) for text in texts.to_pylist()]
            return _with_letters(texts, *_columns(found))
        from curate.text.language.fold import folded

        plain = folded(texts)
        may_be = believable(_LANGDETECT_WRITTEN, plain.letters)
        found = [
            _best({code: score for code, score in _langdetect(text).items() if codes[_LANGDETECT_ORDER.index(code)]})
            for text, codes in zip(plain.texts.to_pylist(), may_be, strict=True)
        ]
        labels, scores = _columns(found)
        return labels, pa.array(hedged(scores.to_numpy(), pc.binary_length(plain.texts).to_numpy()))


def hedged(probability: npt.NDArray[np.float32], seen: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Probabilities as if two bytes more of each text spoke against its label.

    An identifier is as sure of a word as of a page. With the two bytes, scores of 0.9 are right about nine times in
    ten from a few letters on (``docs/language.md``).

    Args:
        probability: of each label.
        seen: bytes of the text that it rests on.

    Example:
        >>> hedged(np.array([0.9, 0.9], np.float32), np.array([4, 500])).round(2).tolist()
        [0.6000000238418579, 0.8999999761581421]
    """
    return (probability * (seen / (seen + 2.0))).astype(np.float32)


def _columns(found: Sequence[tuple[str, float]]) -> tuple[pa.Array, pa.Array]:
    labels, scores = pa.array([label for label, _ in found], pa.string()), [score for _, score in found]
    return labels, pa.array(np.array(scores, np.float32))


def _with_letters(texts: pa.Array, labels: pa.Array, scores: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The labels and scores of texts that hold a letter; the others have no language."""
    lettered = has_letter(texts)
    return pc.if_else(lettered, labels, UNDETERMINED), pc.if_else(lettered, scores, pa.scalar(0.0, pa.float32()))


def _lid176() -> "tuple[FastText, pa.Array, Written]":
    with _loading:
        return _load_lid176()


@functools.cache
def _load_lid176() -> "tuple[FastText, pa.Array, Written]":
    from curate.models.fasttext import FastText

    model = FastText.load(LID176)
    codes = [_CODE_OF_LABEL.get(label, label) for label in model.labels]
    return model, pa.array(codes, pa.string()), written_in(codes)


def _langdetect(text: str) -> dict[str, float]:
    """Code → probability, of languages above langdetect's floor of 0.1; none where the text has no features."""
    from langdetect.lang_detect_exception import LangDetectException

    with _loading:
        factory = _load_langdetect()
    detector = factory.create()
    detector.append(text)
    scores: dict[str, float] = {}
    with suppress(LangDetectException):
        for candidate in detector.get_probabilities():
            code = _CODE_OF_LABEL.get(candidate.lang, candidate.lang)
            scores[code] = scores.get(code, 0.0) + candidate.prob
    return scores


def _best(scores: Mapping[str, float]) -> tuple[str, float]:
    if not scores:
        return UNDETERMINED, 0.0
    best = max(scores, key=lambda code: (scores[code], code))
    return best, min(1.0, scores[best])


@functools.cache
def _load_langdetect() -> Any:
    """A factory of our own: the library's global one is unseeded and sums in the order of the file system."""
    from langdetect.detector_factory import PROFILES_DIRECTORY, DetectorFactory

    factory = DetectorFactory()
    factory.set_seed(_LANGDETECT_SEED)
    profiles = sorted(Path(PROFILES_DIRECTORY).iterdir())
    factory.load_json_profile([profile.read_text(encoding="utf-8") for profile in profiles if profile.is_file()])
    return factory
