"""FineWeb2's configuration of each language, in its own words, from the limits of our recipe: they are the same."""

from typing import Any

from curate.pipeline.planning.config import load
from curate.stages.quality.settings import QualitySettings

NAMES = {
    "af": "afr_Latn",
    "ar": "arb_Arab",
    "az": "azj_Latn",
    "be": "bel_Cyrl",
    "bg": "bul_Cyrl",
    "bn": "ben_Beng",
    "bs": "bos_Latn",
    "ca": "cat_Latn",
    "cs": "ces_Latn",
    "cy": "cym_Latn",
    "da": "dan_Latn",
    "de": "deu_Latn",
    "el": "ell_Grek",
    "eo": "epo_Latn",
    "es": "spa_Latn",
    "et": "ekk_Latn",
    "eu": "eus_Latn",
    "fa": "fas_Arab",
    "fi": "fin_Latn",
    "fr": "fra_Latn",
    "ga": "gle_Latn",
    "gu": "guj_Gujr",
    "he": "heb_Hebr",
    "hi": "hin_Deva",
    "hr": "hrv_Latn",
    "hu": "hun_Latn",
    "hy": "hye_Armn",
    "id": "ind_Latn",
    "is": "isl_Latn",
    "it": "ita_Latn",
    "ja": "jpn_Jpan",
    "ka": "kat_Geor",
    "kk": "kaz_Cyrl",
    "ko": "kor_Hang",
    "la": "lat_Latn",
    "lo": "lao_Laoo",
    "lt": "lit_Latn",
    "lv": "lvs_Latn",
    "mk": "mkd_Cyrl",
    "ml": "mal_Mlym",
    "mn": "khk_Cyrl",
    "mr": "mar_Deva",
    "ms": "zsm_Latn",
    "ne": "npi_Deva",
    "nl": "nld_Latn",
    "nn": "nno_Latn",
    "no": "nob_Latn",
    "pa": "pan_Guru",
    "pl": "pol_Latn",
    "pt": "por_Latn",
    "ro": "ron_Latn",
    "ru": "rus_Cyrl",
    "sk": "slk_Latn",
    "sl": "slv_Latn",
    "so": "som_Latn",
    "sq": "als_Latn",
    "sr": "srp_Cyrl",
    "sv": "swe_Latn",
    "sw": "swh_Latn",
    "ta": "tam_Taml",
    "te": "tel_Telu",
    "th": "tha_Thai",
    "tl": "fil_Latn",
    "tr": "tur_Latn",
    "uk": "ukr_Cyrl",
    "ur": "urd_Arab",
    "uz": "uzn_Latn",
    "vi": "vie_Latn",
    "yo": "yor_Latn",
    "zh": "cmn_Hani",
}
"""Language → language and script as FineWeb2 writes them."""


def configuration(language: str) -> dict[str, Any]:
    """What ``configs/<name>.yml`` says of the filters; a limit of 0 is none there."""
    settings = load(flags={"pipeline.recipe": "fineweb2"}).stage("quality")
    assert isinstance(settings, QualitySettings)
    own = settings.languages[language]

    def limit(key: str) -> Any:
        return getattr(own, key) or 0

    return {
        "name": NAMES[language],
        "dup_line_frac": limit("max_duplicate_lines"),
        "top_n_grams": [[n, limit(f"max_most_common_{n}gram")] for n in (2, 3, 4)],
        "dup_n_grams": [[n, limit(f"max_duplicate_{n}gram")] for n in range(5, 11)],
        "line_punct_thr": limit("min_terminal_lines"),
        "new_line_ratio": limit("max_newlines_per_word") or 1e9,
        "max_avg_word_length": limit("max_mean_word_length"),
        "min_avg_word_length": limit("min_mean_word_length"),
        "max_non_alpha_words_ratio": limit("min_alphabetic_words"),
        "stopwords": list(own.stop_words or ()),
    }
