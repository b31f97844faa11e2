"""Abbreviations by language, for sentence boundaries: lower-cased, without the final period.

A sentence never ends after an abbreviation of `NEVER_LAST` ("św. Jerzy", "ул. Ленина"). It may end after one of
`OFTEN_LAST` ("w 2019 r. Teraz", "и др. Позже"). Abbreviations that are also frequent words are left out on purpose
(bg `им`, `ред`, `общ`; pl `sen`, `par`, `lek`).
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEVER_LAST: dict[str, frozenset[str]] = {
    "bg": _words(
        "акад арх бел бул вж вкл гр доц д-р ж.к и.д инж кап кв м-р напр обл пл подп проф респ с св срв ст стр"
        " т.е т.к т.нар тел ул чл ал дж ф-ла"
    ),
    "cs": _words(
        "akad angl arch bc ca cca č čl dipl doc dr ev event fot fr gen ing judr kpt lat mgr mj mjr mudr mvdr nám"
        " např něm obr odst paeddr phdr písm pí plk popř por pozn pplk prof př příp přel red resp rndr sl srov st"
        " str sv tel thdr tj tř tzn tzv ul vč zejm"
    ),
    "pl": _words(
        "abp adm adw al ang art bp bryt chor ch cz czyt dot dr ds dyr ew ewent fr franc gen gm godz hab hiszp hr im"
        " inż jw kard kier kmdr kpt ks kw łac m.in mgr mjr niem np nr nt ok os pkt pl płk por pos pow ppłk"
        " ppor prez prof przew przyp pt pw red ros rz sierż sp spec st str sz szt św śp tel tj tzn tzw ul ust wg"
        " wicemin wł wlk woj ws wsch ww zach zob"
    ),
    "ru": _words(
        "акад англ в.о вкл ген гл гор гр д дер доц дж и.о им инж кап кв корп лат лейт напр наб наз нем обл ок п пер"
        " пл пос прим просп проф р-н ред рис с св см сокр ср ст стр т т.е т.к т.н т.о табл тел тов ул фр ю"
    ),
}

OFTEN_LAST: dict[str, frozenset[str]] = {
    "bg": _words("бр в вв г гг др кор лв мин млн млрд м.г пр с.г сек т.г т.д т.н т.п трлн хил ч"),
    "cs": _words("aj apod a.s atd csc drsc hod h kol l mba mil mld n.l o.p.s ph.d s.r.o tis t.r v.o.s z.s"),
    "pl": _words("bln br dol gr in itd itp jr min mld mln n.e p.n.e płd płn pn proc r sek tys ub ub.r w"),
    "ru": _words("в вв г гг долл др коп мин млн млрд н.э пр руб сек т.д т.п тд тп трлн тыс ч чел экз"),
}

# Abbreviations of other languages. A language without lists of its own uses these and the union of all lists.
_ELSEWHERE_NEVER_LAST = _words(
    "approx bzw capt cf col dept e.g fig gov hon hr i.e lt messrs mr mrs ms mt nr prof rep rev sgt sog u.a vol vs z.b"
)
_ELSEWHERE_OFTEN_LAST = _words("a.m co corp etc inc jr ltd p.m sr u.k u.n u.s u.s.a")

DEFAULT_NEVER_LAST = _ELSEWHERE_NEVER_LAST.union(*NEVER_LAST.values())
DEFAULT_OFTEN_LAST = _ELSEWHERE_OFTEN_LAST.union(*OFTEN_LAST.values())
