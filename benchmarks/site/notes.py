"""The notes' claims as tables and facts: verdicts, examples that ran."""

from __future__ import annotations

import pandas as pd

from benchmarks import claims, display, tables
from benchmarks.claims import FAILS, HOLDS, NEVER, Checked
from benchmarks.notes.claimed import VERDICTS
from benchmarks.progress import duration
from benchmarks.site.html import Entry, Head, absent, table, value
from benchmarks.site.origin import origin
from benchmarks.store import Store
from benchmarks.tensors import EXAMPLES

BENCHMARKS = (
    *("tensors", "spiral", "activations", "softmax", "calibration", "properties"),
    *("alexnet", "depth", "gradients", "trajectories", "optimisers"),
)
"""The benchmarks of the notes' pages."""

CHECKED = {HOLDS: "supported by the tables", FAILS: "no longer supported by the tables"}


def fragments(store: Store) -> dict[str, str]:
    """Every table of this file by name."""
    found = claims.checked(store)
    return {
        **{f"tensor-{name}": tensor(store, name) for name in EXAMPLES},
        **{f"claim-{one.claim.id}": quoted(one) for one in found},
        "claims": _claims(found),
        "softmax": softmax(store),
    }


def _quoted(found: list[Checked]) -> list[Checked]:
    return [one for one in found if one.claim.quote]


def _implied(found: list[Checked]) -> list[Checked]:
    return [one for one in found if not one.claim.quote]


def _claims(found: list[Checked]) -> str:
    heads = [
        Head(title, number=False)
        for title in ("Claim", "Verdict", "Precisely", "Measured", "Check")
    ]
    body = [
        (
            Entry(one.claim.claim),
            Entry(one.claim.verdict),
            Entry(one.claim.precisely),
            Entry(_said(one) or display.MISSING),
            Entry(CHECKED.get(one.status, one.status)),
        )
        for one in found
    ]
    origins = "Evidence is read from the tables of results/ when this page is made."
    implied = len(_implied(found))
    note = f"{len(found)} claims"
    if implied:
        note += f", {implied} of them without words of the notes, which only imply them"
    return table("Claims of the notes, all", note, heads, body, origins, prose=True)


def quoted(one: Checked) -> str:
    """A claim in the notes' words and in English, its verdict, and the evidence."""
    claim = one.claim
    words = [f"> {_plain(claim.quote)}", '> {: lang="zh" }', ">"] if claim.quote else []
    implied = "" if claim.quote else "not in the notes: "
    words += [f"> *({implied}{_plain(claim.claim)})*", ""]
    words.append(f"**{claim.verdict.capitalize()}.** {claim.precisely} {_evidence(one)}")
    return "\n".join(words) + "\n"


def _evidence(one: Checked) -> str:
    """What supports the verdict, or why nothing does."""
    source = "Printed" if one.claim.experiment == "reported" else "Measured"
    return {
        HOLDS: f"*{source}:* {_said(one)}.",
        FAILS: f"**The tables no longer support this verdict:** {_said(one)}.",
        NEVER: f"*No table decides it.* {one.claim.unmeasured}",
    }.get(one.status, f"{display.MISSING.capitalize()} yet.")


def _said(one: Checked) -> str:
    """The evidence as pages show it; in results/claims.csv a minus is a hyphen, as in all data."""
    return display.with_minus(one.evidence)


def _plain(text: str) -> str:
    """Words in which an asterisk is an asterisk."""
    return text.replace("*", "\\*")


def tensor(store: Store, name: str) -> str:
    """The code of one practice item and what it printed."""
    rows = tables.one_machine(tables.ok(store.table("tensors")))
    rows = rows[rows["recipe"] == name]
    if rows.empty:
        return absent(f"Example {name}")
    code, output = rows["code"].iloc[0], rows["output"].iloc[0]
    return f"```python\n{code}\n```\n\n```text\n{output}\n```\n"


def softmax(store: Store) -> str:
    """The properties of softmax, over the seeds."""
    rows = tables.one_machine(tables.ok(store.table("softmax")))
    heads = (Head("What", number=False), Head("Largest"), Head("Smallest"), Head("Seeds"))
    body = [
        (Entry(f"{name}: {mine['what'].iloc[0]}"), *ends(mine))
        for name, mine in rows.groupby("recipe", sort=False)
    ]
    note = "random logits of ten classes"
    return table("Properties of softmax", note, heads, body, origin(store, rows, "softmax"))


def ends(rows: pd.DataFrame) -> tuple[Entry, ...]:
    """The largest and the smallest value, and how many seeds they are of."""
    seeds = rows["seed"].notna().sum()
    drawn = Entry(str(seeds), seeds) if seeds else Entry("no chance in it")
    return value(number, rows["value"].max()), value(number, rows["value"].min()), drawn


def number(found: float) -> str:
    """Four digits, a tenth from a thousand up; what is nothing but rounding is a power."""
    digits = 4 if abs(found) < 1000 else 6
    return display.signed(f"{float(found):.{digits}g}")


def facts(store: Store) -> dict[str, str]:
    """Evidence by claim, how many claims there are of each kind, what the experiments take.

    Claims in the notes' words are counted apart from those that the notes only imply.
    """
    found = claims.checked(store)
    made = {f"claim.{one.claim.id}": _said(one) or display.MISSING for one in found}
    made["claims.total"] = str(len(found))
    for kind, some in (("quoted", _quoted(found)), ("implied", _implied(found))):
        made[f"claims.{kind}"] = str(len(some))
        for verdict in VERDICTS:
            count = sum(one.claim.verdict == verdict for one in some)
            made[f"claims.{kind}.{verdict}"] = str(count)
    made["claims.supported"] = str(sum(one.status == HOLDS for one in found))
    return made | {f"notes.{name}.time": _time(store, name) for name in BENCHMARKS}


def _time(store: Store, name: str) -> str:
    seconds = tables.counted(store, name)["seconds"].dropna()
    if seconds.empty:
        return display.MISSING
    return f"{duration(seconds.sum())} of one core for {len(seconds)} rows"
