"""Numbers as people read them: counts, differences, ratios, and a word where there is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd

MISSING = "not measured"
NOT_YET = "Not measured."
REFERENCE = "reference"
PREVIEW = "Preview, not a result"
SCALES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
MINUS = "\N{MINUS SIGN}"
_HYPHEN = re.compile(r"(?<![\w.])-(?=\.?\d)|(?<=\de)-(?=\d)")


def given(value: Any) -> bool:
    """Whether there is a value (None, NaN, pd.NA and "" are none)."""
    return value is not None and value is not pd.NA and value == value and value != ""


def signed(text: str) -> str:
    """The text of one number with a minus for its hyphens."""
    return text.replace("-", MINUS)


def many(number: Any, what: str) -> str:
    """A number of things: ``1 row``, ``2 rows``."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def with_minus(text: str) -> str:
    """A text in which every hyphen that stands for a minus is one: ``[-0.5, 1e-05]``."""
    return _HYPHEN.sub(MINUS, text)


def shown(form: Callable[[Any], str], value: Any) -> str:
    """The value by its format, or ``not measured``."""
    return form(value) if given(value) else MISSING


def whole(value: Any) -> str:
    """Every digit, in groups of three: ``25,557,032``."""
    return f"{int(value):,}"


def span(numbers: Iterable[Any], form: Callable[[Any], str] = whole) -> str:
    """The least and the largest by a format: ``5 to 8``, or ``5`` if both are printed so."""
    found = [number for number in numbers if given(number)]
    if not found:
        return MISSING
    return " to ".join(dict.fromkeys((form(min(found)), form(max(found)))))


def count(value: Any) -> str:
    """Four digits with k, M or G of powers of 1000: ``48``, ``308.2 k``, ``25.56 M``."""
    number = float(value)
    if abs(number) < 10_000:
        return signed(f"{int(number):,}")
    size = abs(float(f"{number:.4g}"))
    scale, letter = next(one for one in SCALES if size >= one[0])
    digits = 2 if size < 100 * scale else 1
    return signed(f"{number / scale:.{digits}f} {letter}")


def added(value: Any) -> str:
    """A count with its sign: ``+2.53 M``, ``+48``, ``0``."""
    return count(value) if float(value) <= 0 else f"+{count(value)}"


def clean(value: Any) -> float:
    """The value without the last digits of its sums, which would decide how a half is rounded.

    It is also what a drawing holds: two versions of a library may differ in those digits.
    """
    return round(float(value), 9)


def cleaned(values: dict[str, Any]) -> dict[str, float]:
    """Each of the values without those digits."""
    return {name: clean(value) for name, value in values.items()}


def rounded(value: Any) -> str:
    """No decimal."""
    return signed(f"{float(value):,.0f}")


def tenth(value: Any) -> str:
    """One decimal."""
    return signed(f"{float(value):,.1f}")


def hundredth(value: Any) -> str:
    """Two decimals."""
    return signed(f"{clean(value):.2f}")


percent = hundredth
"""Two decimals, as accuracies in percent and the points between them are printed."""


def points(value: Any) -> str:
    """A difference in percentage points with its sign."""
    rounded = round(clean(value), 2)
    return signed(f"{rounded:+.2f}") if rounded else "0.00"


def ratio(value: Any) -> str:
    """A ratio to three decimals."""
    return f"{float(value):.3f}"


def milliseconds(value: Any) -> str:
    """Three digits, so that no more is shown than was measured."""
    number = float(value)
    digits = 2 if number < 10 else 1 if number < 100 else 0
    return f"{number:.{digits}f}"


def interval(form: Callable[[Any], str], value: Any, low: Any, high: Any) -> str:
    """``+0.31 [0.10, 0.52]``; without ends just the value, without a value ``not measured``."""
    if not given(value):
        return MISSING
    if not (given(low) and given(high)):
        return form(value)
    return f"{form(value)} [{form(low)}, {form(high)}]"


def share(good: int, total: int) -> str:
    """``98.2 %``, rounded down so that 100 % means all."""
    return "100 %" if good == total else f"{int(1000 * good / total) / 10:.1f} %"


def difference(row: Any) -> str:
    """A trained arm's paired difference with its interval; the bare backbone is the reference."""
    if row.arm == "none":
        return REFERENCE
    if not given(row.difference):
        return row.gap
    return interval(points, row.difference, row.low, row.high)


def verdict(row: Any) -> str:
    """A trained arm's verdict, or why there is none; the bare backbone has no word."""
    if row.arm == "none":
        return ""
    return row.verdict if given(row.verdict) else row.gap


def measured(form: Callable[[Any], str], value: Any, status: Any) -> str:
    """The value by its format; a row that failed says so, one that is missing too."""
    if given(status) and status != "ok":
        return str(status)
    return shown(form, value)
