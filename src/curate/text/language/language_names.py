"""Other ways to name the languages that identifiers know: ISO 639-2 and 639-3 codes, English and own names.

Only for advice: a setting takes BCP 47 subtags alone.
"""

import functools

_NAMES = """
af afr Afrikaans | am amh Amharic | an arg Aragonese | ar ara Arabic | as asm Assamese | ast Asturian | av ava Avaric
az aze Azerbaijani Azeri | ba bak Bashkir | bar Bavarian | be bel Belarusian | bg bul Bulgarian | bn ben Bengali
bo bod tib Tibetan | br bre Breton | bs bos Bosnian | ca cat Catalan | ce che Chechen | ceb Cebuano
ckb Sorani Kurdish-Sorani | co cos Corsican | cs ces cze Czech | cv chv Chuvash | cy cym wel Welsh | da dan Danish
de deu ger German Deutsch | dv div Dhivehi | el ell gre Greek | en eng English | eo epo Esperanto
es spa Spanish Español Castilian | et est Estonian | eu eus baq Basque | fa fas per Persian Farsi | fi fin Finnish
fr fra fre French Français | fy fry Frisian | ga gle Irish | gd gla Scottish-Gaelic Gaelic | gl glg Galician
gn grn Guarani | gsw als Alemannic Swiss-German | gu guj Gujarati | gv glv Manx | he heb iw Hebrew | hi hin Hindi
hr hrv Croatian | hsb Upper-Sorbian | ht hat Haitian | hu hun Hungarian | hy hye arm Armenian | ia ina Interlingua
id ind in Indonesian | is isl ice Icelandic | it ita Italian Italiano | ja jpn jp Japanese | jv jav Javanese
ka kat geo Georgian | kk kaz Kazakh | km khm Khmer | kn kan Kannada | ko kor kr Korean | ku kur kmr Kurdish
kv kom Komi | kw cor Cornish | ky kir Kyrgyz Kirghiz | la lat Latin | lb ltz Luxembourgish | li lim Limburgish
lmo Lombard | lo lao Lao Laotian | lt lit Lithuanian | lv lav Latvian | mg mlg Malagasy | mk mkd mac Macedonian
ml mal Malayalam | mn mon Mongolian | mr mar Marathi | ms msa may zsm Malay | mt mlt Maltese | my mya bur Burmese
nap Neapolitan | nds Low-German | ne nep npi Nepali | nl nld dut Dutch Nederlands | nn nno Nynorsk
no nor nb nob Norwegian Bokmål | oc oci Occitan | or ori ory Oriya Odia | os oss Ossetian | pa pan Punjabi
pl pol Polish | pnb Western-Punjabi | ps pus pbt Pashto | pt por br-PT Portuguese Português | qu que Quechua
rm roh Romansh | ro ron rum mo Romanian Moldovan | ru rus Russian | rue Rusyn | sa san Sanskrit | sah Yakut
sc srd Sardinian | scn Sicilian | sco Scots | sd snd Sindhi | sh hbs Serbo-Croatian | si sin Sinhala Sinhalese
sk slk slo Slovak | sl slv Slovenian Slovene | so som Somali | sq sqi alb aln Albanian | sr srp Serbian
su sun Sundanese | sv swe Swedish Svenska | sw swa swh Swahili | ta tam Tamil | te tel Telugu | tg tgk Tajik
th tha Thai | tk tuk Turkmen | tl tgl fil Tagalog Filipino | tr tur Turkish | tt tat Tatar | ug uig Uyghur
uk ukr ua Ukrainian | ur urd Urdu | uz uzb Uzbek | vec Venetian | vi vie vn Vietnamese | vo vol Volapük
wa wln Walloon | war Waray | wuu Wu | xal Kalmyk | yi yid ydd Yiddish | yo yor Yoruba | yue Cantonese
zh zho chi cmn cn Chinese Mandarin
"""


def code_of(name: str) -> str:
    """The code of a language named in another way, whatever its case; empty where the name is not known.

    Example:
        >>> code_of("eng"), code_of("German"), code_of("pt_BR"), code_of("Klingon")
        ('en', 'de', 'pt', '')
    """
    written = name.strip().casefold().replace("_", "-")
    return _codes().get(written) or _codes().get(written.partition("-")[0], "")


@functools.cache
def _codes() -> dict[str, str]:
    entries = [entry.split() for line in _NAMES.strip().split("\n") for entry in line.split("|")]
    return {name.casefold(): names[0] for names in entries for name in (*names[1:], names[0])}
