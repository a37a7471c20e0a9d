"""Tables as HTML for everyone: caption, scopes, sort keys, a box of their own that scrolls."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from benchmarks import display
from benchmarks.stats import Interval

OFF_SCALE = "off the scale"
"""The word of an interval that goes where no value can be; a table that has it explains it."""

LOST = "without a value"
"""Words of an entry that some runs have no value for."""

LONG_TEXT = 24
"""Letters of an entry of text that stand in a narrow column; a longer one gets room for more."""

LONG_NOTE = 18
"""Letters of a column's second line that stand in a narrow column, on a phone too."""

LONG = 12
"""Letters of a row's name that stand in one line; a longer name gets room for more."""

_WHY_OFF_SCALE = (
    " Off the scale: Student's interval reaches as far up as down and knows no bounds, so where "
    "seeds differ much it ends below 0 or above 100 %."
)


@dataclass(frozen=True)
class Head:
    """A column's title, and a second line with its unit or what it is compared with."""

    title: str
    note: str = ""
    number: bool = True


@dataclass(frozen=True)
class Entry:
    """One cell: its text, the value it sorts by, an interval and a word below the text."""

    text: str
    sort: Any = None
    interval: str = ""
    word: str = ""

    @property
    def absent(self) -> bool:
        """Whether nothing was measured."""
        return self.text == display.MISSING


def absent(what: str) -> str:
    """A paragraph in place of a table that has no rows."""
    return f'<p class="absent">{escape(what)}: {display.MISSING}.</p>\n'


def value(form: Callable[[Any], str], number: Any, status: Any = "ok") -> Entry:
    """A number by its format; a row that failed says so, one that is missing too."""
    if display.given(status) and status != "ok":
        return Entry(str(status))
    if not display.given(number):
        return Entry(display.MISSING)
    return Entry(form(number), number)


def estimate(
    form: Callable[[Any], str], number: Any, low: Any, high: Any, word: Any, status: Any = "ok"
) -> Entry:
    """A number with its interval and verdict below."""
    entry = value(form, number, status)
    if entry.sort is None:
        return entry
    ends = f"[{form(low)}, {form(high)}]" if display.given(low) and display.given(high) else ""
    return Entry(entry.text, number, ends, str(word) if display.given(word) else "")


def of_interval(form: Callable[[Any], str], found: Interval) -> Entry:
    """A number with its interval below; a single value has none."""
    return estimate(form, found.value, found.low, found.high, "")


def runs(n: int, lost: int = 0) -> Entry:
    """How many runs a line is of, and below it how many more have no value."""
    return Entry(str(n), n, word=f"{LOST}: {lost}" if lost else "")


def deviation(sd: Any, n: int) -> Entry:
    """The deviation of ``n`` runs in percent; a single run has none."""
    return Entry("one run") if n == 1 else value(display.percent, sd)


def table(
    caption: str,
    note: str,
    heads: Sequence[Head],
    rows: Sequence[Sequence[Entry]],
    origin: str,
    *,
    prose: bool = False,
) -> str:
    """A sortable table in its own scrolling box, with where it comes from beneath.

    The first entry of a row names the row. ``origin`` is HTML, everything else is escaped. A table
    of ``prose`` has no columns on a phone: the entries of a row lie below each other, with titles.
    Without rows there is no table, and a paragraph says so.
    """
    if not rows:
        return absent(caption)
    named = f"{escape(caption)}<span>{escape(note)}</span>" if note else escape(caption)
    if any(OFF_SCALE in entry.word for row in rows for entry in row):
        origin += _WHY_OFF_SCALE
    parts = [
        f'<div class="table-box" role="region" tabindex="0" aria-label="{escape(caption)}">',
        f'<table class="measured{" prose" * prose}" data-sortable><caption>{named}</caption>',
        "<thead><tr>" + "".join(_head(head) for head in heads) + "</tr></thead>",
        "<tbody>",
        *(_row(heads, row, prose) for row in rows),
        "</tbody></table></div>",
        f'<p class="source-note">{origin}</p>',
    ]
    return "\n".join(parts) + "\n"


def _head(head: Head) -> str:
    words = escape(head.note).replace(" %", "&nbsp;%")
    long = " long" * (len(head.note) > LONG_NOTE)
    note = f'<span class="interval{long}">{words}</span>' if words else ""
    kind = ' class="number" data-sort-method="number"' if head.number else ""
    return f'<th scope="col"{kind}>{escape(head.title)}{note}</th>'


def _row(heads: Sequence[Head], row: Sequence[Entry], titled: bool) -> str:
    name = row[0].text
    kind = ' class="long"' if len(name) > LONG else ""
    sort = "" if row[0].sort is None else f' data-sort="{_plain(row[0].sort)}"'
    cells = [f'<th scope="row"{kind}{sort}>{_breakable(name)}</th>']
    cells += [_cell(head, entry, titled) for head, entry in zip(heads[1:], row[1:], strict=True)]
    return f"<tr>{''.join(cells)}</tr>"


BREAKS = re.compile(r"(?<=[_=(])(?=[\w('{])|(?<=[.,])(?=[^\W\d]|[('{])")
"""Places in a name behind which a line may end; none is within a number."""


def _breakable(name: str) -> str:
    """A name that may go on in the next line after a sign within it."""
    return "<wbr>".join(escape(part) for part in re.split(BREAKS, name))


def _cell(head: Head, entry: Entry, titled: bool) -> str:
    long = not head.number and len(entry.text) > LONG_TEXT
    marks = {"number": head.number, "long": long, "absent": entry.absent}
    kinds = [name for name, is_so in marks.items() if is_so]
    kind = f' class="{" ".join(kinds)}"' if kinds else ""
    sort = "" if entry.sort is None else f' data-sort="{_plain(entry.sort)}"'
    if head.number and entry.sort is None:
        sort = ' data-sort="none"'
    text = escape(display.with_minus(entry.text) if head.number else entry.text)
    if entry.interval:
        text += f'<span class="interval">{escape(display.with_minus(entry.interval))}</span>'
    if entry.word:
        said = "without" if LOST in entry.word else entry.word.split()[0]
        text += f'<span class="word {escape(said)}">{escape(entry.word)}</span>'
    title = f' data-title="{escape(head.title)}"' if titled else ""
    return f"<td{kind}{sort}{title}>{text}</td>"


def _plain(number: Any) -> str:
    return str(number) if isinstance(number, str) else repr(float(number))
