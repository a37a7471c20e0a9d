"""What is committed beside the rows: README's table and figure, and `results/claims.csv`."""

from __future__ import annotations

import sys
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

from benchmarks import claims, compare, display, tables
from benchmarks.nets import MOBILE
from benchmarks.notes import claimed
from benchmarks.site import accuracy_facts, controls, figures, retimed, two_processors
from benchmarks.site.accuracy import about, board, resolution
from benchmarks.site.charts import SCHEMES, Figure
from benchmarks.site.html import Entry
from benchmarks.site.latency import kept
from benchmarks.site.origin import processors
from benchmarks.store import Store

MEANING = (
    "A verdict on accuracy is adjusted for all modules of the table, an interval is not: it may "
    "leave out zero where the verdict is no measurable difference, and two lines of one mean can "
    "have different words, as the differences of one vary less from seed to seed "
    "([how we measure](docs/measure.md))."
)
"""What a reader of the table has to know."""

CONTROLS = "docs/results/accuracy.md"
EVERY = "docs/results/accuracy.md#every-comparison"
PROCESSORS = "docs/results/accuracy.md#processors"
ASKED = "(Asked when the table was known.)"

FIGURE = "docs/assets/accuracy-{scheme}.svg"


def update(store: Store, root: Path, check: bool) -> int:
    """Fill README, figure and claims, or with ``check`` only compare: 1 if something is stale."""
    path = root / "README.md"
    old = path.read_text(encoding="utf-8")
    figure = figures.accuracy(store)
    new = between(between(old, "table", table(store)), "figure", picture(figure))
    paths = {s: root / FIGURE.format(scheme=s) for s in SCHEMES}
    stale = [p for p in paths.values() if figure.values and not _shows(p, figure.digest)]
    claimed_now, kept = claims.result(store), store.root / claimed.RESULT
    if check:
        current = kept.exists() and kept.read_text(encoding="utf-8") == claimed_now
        names = [*([path] if new != old else []), *([] if current else [kept]), *stale]
        for name in names:
            print(f"{name} is stale: run `python -m benchmarks.site --readme`", file=sys.stderr)
        return 1 if names else 0
    fresh = Store(store.root)
    with fresh.writing():
        fresh.write(claimed.RESULT, claimed_now)
    for scheme, target in paths.items():
        if target in stale:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(figure.svg(scheme), encoding="utf-8")
    path.write_text(new, encoding="utf-8")
    return 0


def between(text: str, name: str, content: str) -> str:
    """The text with ``content`` between the marks of that name. ValueError without the marks."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"the README lacks the marks {begin} and {end}")
    return f"{before}{begin}\n{content.strip()}\n{end}{after}"


def table(store: Store) -> str:
    """The first comparison's leaderboard in Markdown, with how it was measured beneath."""
    found = compare.main_first(store)
    if not found:
        return "Not measured yet: `nox -s bench` fills this table."
    which = found[0]
    frame = compare.accuracy_table(store, which)
    preview = compare.preview_words(frame, which)
    body, counted, setting = board(store, which, frame)
    times = setting["backbone"] if setting else which.backbone
    heads = ["Module", "Top-1, %", "Difference, points [95 %]", "Verdict", "Seeds"]
    heads += ["Parameters added", f"Multiply-adds added ({', '.join(counted)})"]
    heads += [f"Latency ({times}), times none [95 %, one session]"]
    lines = [f"**{preview}.**", ""] if preview else []
    lines += ["| " + " | ".join(heads) + " |", "|---|---:|---:|---|---:|---:|---:|---|"]
    for line in body:
        less, runs = line["difference"], line["seeds"]
        cells = [f"`{line['arm'].text}`", line["top1"].text]
        cells += [_words(replace(less, word="")), less.word]
        cells += [f"{runs.text} ({runs.word})" if runs.word else runs.text]
        cells += [_words(line[column]) for column in ("params", "macs", "time")]
        lines.append("| " + " | ".join(cells) + " |")
    beneath = {
        "Trained": f"{which.backbone} on {which.data}: {about(store, which)}.",
        "Timed": _timed(store, setting),
        "Verdicts and intervals": MEANING,
        "What these seeds can find": resolution(frame),
        **_beside(store),
    }
    points = [f"- **{name}.** {said}" for name, said in beneath.items() if said]
    return "\n".join([*lines, "", *points])


def _timed(store: Store, setting: dict[str, Any] | None) -> str:
    """How the times of the table were measured, and how often that holds; "" without any."""
    if not setting:
        return ""
    timed = tables.latency_table(store, setting)
    words = f"{tables.setting_words(setting)}, noise floor {tables.noise_floor(timed)}"
    return f"{_chip(store, setting)}{words}{kept([timed])}{_other_sessions(store)}."


def _beside(store: Store) -> dict[str, str]:
    """What stands beside the table on the site, each where there are rows: a sentence, a link."""
    second, factors = accuracy_facts.second(store), controls.summary(store)
    again = two_processors.facts(store)["moved.less"]
    return {
        f"In {MOBILE}": second and f"{second} ([Its table]({EVERY}).)",
        "On two processors": ""
        if again == display.MISSING
        else f"The same trainings again: {again} ([more]({PROCESSORS})).",
        "The gate, or its size": factors and f"{ASKED} {factors} ([The controls]({CONTROLS}).)",
    }


def _chip(store: Store, setting: dict[str, Any]) -> str:
    """The processor of a setting's times, with a comma behind it; "" for a GPU's."""
    if setting["device"] != "cpu":
        return ""
    rows = store.table("latency")
    (name,) = processors(store, rows[rows["machine"] == setting["machine"]]).values()
    return f"{name}, "


def _other_sessions(store: Store) -> str:
    """How often an interval held the mean of other sessions, where that was tried; or ""."""
    said = retimed.facts(store)
    if said["retimed.held"] == display.MISSING:
        return ""
    shown = f", and {said['retimed.shown']} of the intervals published of that processor did"
    return (
        f"; where sessions were repeated ([{said['retimed.what']}](docs/results/clock.md#sessions))"
        f", a 95 % interval of one held the mean of the others in {said['retimed.held']} cases"
        f"{shown * (said['retimed.shown'] != display.MISSING)}"
    )


def _words(entry: Entry) -> str:
    return " ".join(filter(None, (entry.text, entry.interval, entry.word)))


def picture(figure: Figure) -> str:
    """The figure for light and dark readers, or nothing before there are rows."""
    if not figure.values:
        return "Not measured yet."
    dark, light = (FIGURE.format(scheme=s) for s in ("dark", "light"))
    return (
        "<picture>\n"
        f'  <source media="(prefers-color-scheme: dark)" srcset="{dark}">\n'
        f'  <img src="{light}" alt="{escape(figure.alt)}">\n'
        f"</picture>\n\n{figure.caption}"
    )


def _shows(path: Path, digest: str) -> bool:
    return path.exists() and f"<!-- {digest} -->" in path.read_text(encoding="utf-8")
