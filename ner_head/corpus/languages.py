"""Language codes: ISO 639-1 if there is one, else ISO 639-3."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import regex

from ner_head.base.errors import UsageError
from ner_head.corpus.documents import UNKNOWN_LANGUAGE

# code of ISO 639-1 / of ISO 639-3 / bibliographic code of ISO 639-2, if that differs
_CODES = """
    aa/aar ab/abk ae/ave af/afr ak/aka am/amh an/arg ar/ara as/asm av/ava ay/aym az/aze ba/bak be/bel bg/bul bh/bih
    bi/bis bm/bam bn/ben bo/bod/tib br/bre bs/bos ca/cat ce/che ch/cha co/cos cr/cre cs/ces/cze cu/chu cv/chv
    cy/cym/wel da/dan de/deu/ger dv/div dz/dzo ee/ewe el/ell/gre en/eng eo/epo es/spa et/est eu/eus/baq fa/fas/per
    ff/ful fi/fin fj/fij fo/fao fr/fra/fre fy/fry ga/gle gd/gla gl/glg gn/grn gu/guj gv/glv ha/hau he/heb hi/hin
    ho/hmo hr/hrv ht/hat hu/hun hy/hye/arm hz/her ia/ina id/ind ie/ile ig/ibo ii/iii ik/ipk io/ido is/isl/ice it/ita
    iu/iku ja/jpn jv/jav ka/kat/geo kg/kon ki/kik kj/kua kk/kaz kl/kal km/khm kn/kan ko/kor kr/kau ks/kas ku/kur
    kv/kom kw/cor ky/kir la/lat lb/ltz lg/lug li/lim ln/lin lo/lao lt/lit lu/lub lv/lav mg/mlg mh/mah mi/mri/mao
    mk/mkd/mac ml/mal mn/mon mr/mar ms/msa/may mt/mlt my/mya/bur na/nau nb/nob nd/nde ne/nep ng/ndo nl/nld/dut
    nn/nno no/nor nr/nbl nv/nav ny/nya oc/oci oj/oji om/orm or/ori os/oss pa/pan pi/pli pl/pol ps/pus pt/por qu/que
    rm/roh rn/run ro/ron/rum ru/rus rw/kin sa/san sc/srd sd/snd se/sme sg/sag sh/hbs si/sin sk/slk/slo sl/slv sm/smo
    sn/sna so/som sq/sqi/alb sr/srp ss/ssw st/sot su/sun sv/swe sw/swa ta/tam te/tel tg/tgk th/tha ti/tir tk/tuk
    tl/tgl tn/tsn to/ton tr/tur ts/tso tt/tat tw/twi ty/tah ug/uig uk/ukr ur/urd uz/uzb ve/ven vi/vie vo/vol wa/wln
    wo/wol xh/xho yi/yid yo/yor za/zha zh/zho/chi zu/zul
"""
_SHORT = {code: codes[0] for row in _CODES.split() for codes in [row.split("/")] for code in codes}
_TAG = regex.compile(r"(?P<code>[a-zA-Z]{2,3})([-_][a-zA-Z0-9]+)*")


def normalize(code: str) -> str:
    """Convert a language code to the form that corpora and models use: `PL`, `pol` and `pl-PL` become `pl`.

    A code of three letters without an equivalent of two letters (`csb`, `hsb`) is only lower-cased.

    Raises:
        UsageError: it is not a language code.
    """
    match = _TAG.fullmatch(code)
    found = match["code"].lower() if match else ""
    short = _SHORT.get(found, found if len(found) == 3 else "")
    if not short:
        raise UsageError(
            f"language {code!r}: no code of ISO 639, such as cs, pl or uk; {UNKNOWN_LANGUAGE} where it is unknown"
        )
    return short


def tidy(code: str) -> str:
    """Normalise the spelling of a code: `CS` and ` cs ` become `cs`, `zh_TW` becomes `zh-tw`; `ces` is unchanged."""
    return code.strip().lower().replace("_", "-")


def two_letters(code: str) -> str | None:
    """The ISO 639-1 code of a language given by any ISO 639 code; None if there is none."""
    return _SHORT.get(tidy(code))


def same_language(code: str, others: Iterable[str]) -> str | None:
    """The first of `others` that is a different code of the same language, such as `ces` or `cs-cz` for `cs`."""
    language = _base(code)
    return next((other for other in others if other != code and _base(other) == language), None)


def _base(code: str) -> str:
    first = tidy(code).split("-")[0]
    return two_letters(first) or first


def language_among(language: str | None, known: Sequence[str]) -> str:
    """Convert a language into the code that a model uses for it; `und` for None.

    Args:
        language: a code, or a language of the model.
        known: languages of the model.
    Raises:
        UsageError: it is neither.
    """
    if language is None or language in known:
        return language or UNKNOWN_LANGUAGE
    code = normalize(language)
    return code if code in known else same_language(code, known) or code


def language_warning(language: str, known: Sequence[str]) -> str:
    """A warning for a language that a model was not trained on; "" for other languages."""
    if language == UNKNOWN_LANGUAGE or language in known or not known:
        return ""
    return f"this model was trained on {', '.join(known)}, not on {language}: expect worse results"
