"""What each locale of the CLDR itself calls territories, languages, scripts, currencies, months and days."""

import difflib
from collections.abc import Iterator
from types import ModuleType

__all__ = ["KINDS", "check_locale", "locale_parts", "own_names"]

# kind -> the key of babel's locale data
KINDS = {"territory": "territories", "language": "languages", "script": "scripts", "currency": "currency_names"}
_CALENDAR = {"month": "months", "day": "days"}


def own_names(locales: list[str] | None = None) -> Iterator[tuple[str, str, str, str]]:
    """Name, locale, kind and code of every name that a locale states itself; every locale for None.

    Left out are names inherited from another locale, names that are the bare code, and, in locales that do not
    write Latin, names that are the English ones. Months and days stand alone where the locale has that form.
    """
    babel = _unmerged()
    english = {(kind, code): name for name, kind, code in _stated(babel, "en")}
    for locale in sorted(babel.locale_identifiers()) if locales is None else locales:
        latin = locale_parts(locale)[1] == "Latn"
        for name, kind, code in _stated(babel, locale):
            if name != code and (latin or name != english.get((kind, code))):
                yield name, locale, kind, code


def locale_parts(locale: str) -> tuple[str, str]:
    """Language and script of a locale: ("zh", "Hant") of "zh_Hant_HK"; the script as in CLDR's likely subtags.

    '' stands for a script that CLDR does not state.
    """
    from babel.core import get_global, parse_locale

    language, territory, script, *_ = parse_locale(locale)
    if script is None:
        likely = get_global("likely_subtags")
        found = likely.get(f"{language}_{territory}") or likely.get(language)
        script = parse_locale(found)[2] if found else None
    return language, script or ""


def check_locale(locale: str) -> None:
    """Refuses a locale that babel does not have.

    Raises:
        ValueError: no such locale; the message names the nearest.
    """
    from babel.localedata import locale_identifiers

    if locale not in locale_identifiers():
        folded = {known.lower(): known for known in sorted(locale_identifiers())}
        near = difflib.get_close_matches(locale.lower(), folded, n=1, cutoff=0.4)
        said = f"no locale of cldr is named {locale!r}"
        raise ValueError(f"{said}; the nearest is {folded[near[0]]!r}" if near else f"{said}; one is 'zh_Hant'")


def _stated(babel: ModuleType, locale: str) -> Iterator[tuple[str, str, str]]:
    held = babel.load(locale, merge_inherited=False)
    for kind, key in KINDS.items():
        yield from ((name, kind, code) for code, name in held.get(key, {}).items())
    for kind, key in _CALENDAR.items():
        forms = held.get(key, {})
        wide = forms.get("stand-alone", {}).get("wide") or forms.get("format", {}).get("wide") or {}
        yield from ((name, kind, str(code)) for code, name in wide.items() if isinstance(name, str))


def _unmerged() -> ModuleType:
    """A second copy of babel.localedata: the first would keep the locales without their parents for everyone."""
    import importlib.util

    spec = importlib.util.find_spec("babel.localedata")
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError("cldr reads babel.localedata, which is not there", name="babel.localedata")
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy
