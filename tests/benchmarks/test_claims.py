"""Claims: what the tables no longer support is found, here and on planted tables."""

import io
import operator
import re
from dataclasses import replace

import pandas as pd
import pytest
import trial

from benchmarks import claims as checking
from benchmarks.cells import Cell, benchmarks
from benchmarks.claims import FAILS, HOLDS, NEVER, NOT_YET, Absent, Tables, check, shown
from benchmarks.notes.claimed import COLUMNS, PATH, RESULT_COLUMNS, VERDICTS, Claim, claims
from benchmarks.snapshot import Snapshot
from benchmarks.stats import Interval
from benchmarks.store import RESULTS, Store

CLAIMS = claims()


def claim_id(claim):
    return claim.id


@pytest.mark.parametrize("claim", CLAIMS, ids=claim_id)
def test_the_tables_support_what_is_said(committed_tables, claim, published):
    found = check(claim, Tables(published))
    assert found.status != FAILS, f"{claim.id}: {claim.condition}"
    assert found.evidence or found.status == NOT_YET
    assert "{" not in found.evidence


def test_rows_are_of_the_machine_that_has_what_is_asked_for(tmp_path):
    store = trial.everything(tmp_path)
    for arm, top1 in (("none", 50.0), ("cbam", 60.0)):
        for seed in range(3):
            cell = replace(trial.ACCURACY, module=arm, seed=seed)
            trial.append(store, cell, trial.outcome(top1), machine="elsewhere")
    found = Tables(store)
    assert found.mean("latency", "ratio", module="se") == 1.25
    assert found.mean("latency", "ratio", module="cbam") == 7.0  # measured elsewhere alone
    arms = {"module": "cbam"}, {"module": "none"}
    assert found.gap("accuracy", "top1", *arms, recipe="full").value == pytest.approx(1.0)


CHANGES = {
    "negated": operator.neg,
    "one": lambda v: v * 0 + 1,
    "seven": lambda v: v * 0 + 7,
    "other from one": lambda v: 1 - v,
    "backwards": lambda v: v.set_axis(v.index[::-1]).sort_index(),
}


class Changed(Snapshot):
    """The committed tables with all their values changed in one way, and other words as text."""

    def __init__(self, change):
        super().__init__(RESULTS)
        self.change, self.changed = change, {}

    def table(self, name):
        if name not in self.changed:
            self.changed[name] = self._changed(name)
        return self.changed[name].copy()

    def _changed(self, name):
        rows = super().table(name)
        for column in benchmarks()[name].columns:
            if column.type in ("number", "integer"):
                values = rows[column.name].astype(float)
                rows[column.name] = CHANGES[self.change](values)
            elif column.name == "output":
                rows[column.name] = "something else\nentirely\nthan before"
            elif column.name == "gammas":
                rows[column.name] = rows[column.name].str.replace("-", "")
        return rows


@pytest.fixture(scope="module")
def changed():
    """Tables of changed values, whose printed numbers have changed their signs."""
    found = []
    for change in CHANGES:
        known = Tables(Changed(change))
        kept = known.printed
        known.names["printed"] = lambda *names, kept=kept, **where: -kept(*names, **where)
        found.append(known)
    return found


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c.condition], ids=claim_id)
def test_a_condition_can_fail(claim, changed):
    statuses = {check(claim, known).status for known in changed}
    assert FAILS in statuses or statuses == {NOT_YET}


def test_every_claim_has_a_name_words_and_a_page_of_its_own_kind():
    names = [claim.id for claim in CLAIMS]
    assert len(names) == len(set(names))
    for claim in CLAIMS:
        assert re.fullmatch(r"[a-z0-9_-]+", claim.id) and claim.verdict in VERDICTS
        assert claim.claim and claim.precisely and claim.page
        assert bool(claim.condition) == bool(claim.evidence) == bool(claim.experiment)
        assert claim.experiment in ("", "reported", *benchmarks())
    header = PATH.read_text(encoding="utf-8").partition("\n")[0]
    assert header.split(",") == [column.name for column in COLUMNS]


@pytest.fixture
def store(tmp_path):
    """Accuracies 0.5 and 0.7 with ReLU, 0.2 less without; one run failed."""
    made = Store(tmp_path)
    for seed, accuracy in enumerate((0.5, 0.7)):
        cell = Cell("spiral", "mlp", variant="relu", recipe="sgd lr=1", seed=seed)
        trial.append(made, cell, {"accuracy": accuracy})
        bare = Cell("spiral", "mlp", variant="none", recipe="sgd lr=1", seed=seed)
        trial.append(made, bare, {"accuracy": accuracy - 0.2})
    trial.append(made, Cell("spiral", "mlp", variant="relu", recipe="sgd lr=1", seed=2), None)
    return made


def test_expressions_read_the_rows_that_were_measured(store):
    value = Tables(store).evaluate
    assert value('mean("spiral", "accuracy", variant="relu")') == pytest.approx(0.6)
    assert value('lowest("spiral", "accuracy", variant="relu")') == 0.5
    assert value('highest("spiral", "accuracy", variant="relu")') == 0.7
    assert value('count("spiral", variant="relu")') == 2
    gap = value('gap("spiral", "accuracy", at(variant="relu"), at(variant="none"))')
    assert (gap.value, gap.low, gap.high) == pytest.approx((0.2, 0.2, 0.2))
    assert value('text("spiral", "recipe")') == "sgd lr=1"
    trial.append(
        store,
        Cell("spiral", "mlp", variant="relu", recipe="adam lr=1", seed=0),
        {"accuracy": 0.65},
    )
    assert value('best("spiral", "accuracy", variant="relu", seed=0)') == "adam lr=1"
    assert value('best("spiral", "accuracy", variant="relu")') == "sgd lr=1"  # has more seeds
    assert value('near("spiral", "accuracy", 0.1, variant="relu", seed=0)') == 1


def test_expressions_read_the_parts_of_a_text(tmp_path):
    store = Store(tmp_path)
    cell = Cell("segmentation", "resnet10_small", "danet", data="clothes", seed=0)
    for seed, text in enumerate(("position 0.5; channel 1.0", "position -1.5; channel 2.0", "")):
        trial.append(store, replace(cell, seed=seed), {"gammas": text})
    value = Tables(store).evaluate
    where = '"segmentation", "gammas.position", module="danet"'
    assert (value(f"lowest({where})"), value(f"highest({where})")) == (-1.5, 0.5)
    assert value(f"size({where})") == 1.0 and value(f"mean({where})") == -0.5
    assert value(f"size({where.replace('position', 'channel')})") == 1.5
    with pytest.raises(Absent):
        value(f"size({where.replace('position', 'place')})")


def test_an_expression_reaches_nothing_but_the_tables(store):
    for expression in ("open('x')", "__import__('os')", "exit()"):
        with pytest.raises(NameError):
            Tables(store).evaluate(expression)
    with pytest.raises(ValueError, match="no column 'colour'"):
        Tables(store).evaluate('mean("spiral", "accuracy", colour="red")')
    with pytest.raises(ValueError, match="prints 4 values"):
        Tables(store).evaluate(
            'printed("SENet CVPR2018", "top1_err", table="Table 7", module="SE")'
        )


def planted(condition, evidence="", unmeasured=""):
    words = ("x", "spiral", "", "a claim", "right", "so", "spiral")
    return Claim(*words, condition, evidence, unmeasured)


def test_a_claim_holds_fails_waits_or_cannot_be_measured(store):
    known = Tables(store)
    mean = 'mean("spiral", "accuracy", variant="relu")'
    held = check(planted(f"{mean} > 0.55", f"it is {{{mean}}}"), known)
    assert (held.status, held.evidence) == (HOLDS, "it is 0.6")
    assert check(planted(f"{mean} > 0.65"), known).status == FAILS
    assert check(planted('has(3, "spiral", variant="relu")'), known).status == NOT_YET
    assert check(planted('mean("softmax", "value") > 0'), known).status == NOT_YET
    assert check(planted("", unmeasured="history"), known).status == NEVER


def test_values_are_shown_with_four_digits_and_intervals_in_brackets(store):
    assert shown(0.123456) == "0.1235" and shown(1234) == "1,234" and shown("so") == "so"
    assert shown(Interval(0.5, 0.4, 0.61)) == "0.500 [0.400, 0.610]"
    assert shown(Interval(186.4, 151.088, 221.712)) == "186.4 [151.1, 221.7]"
    assert shown(Interval(-8000.4, -25000, 9000)) == "-8000 [-25000, 9000]"
    assert shown(
        Tables(store).evaluate('printed("SENet CVPR2018", "top1_err", variant="r=32")')
    ) == ("23.40")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: {**row, "verdict": "perhaps"}, "verdict 'perhaps'"),
        (lambda row: {**row, "condition": "", "unmeasured": ""}, "give a condition"),
    ],
)
def test_a_claim_that_cannot_be_checked_is_refused(tmp_path, change, message):
    row = change(pd.read_csv(PATH, dtype=str, keep_default_na=False).iloc[0].to_dict())
    pd.DataFrame([row]).to_csv(tmp_path / "claims.csv", index=False)
    with pytest.raises(ValueError, match=message):
        claims(tmp_path / "claims.csv")


def test_a_planted_change_is_seen_by_the_check_of_all(published, monkeypatch):
    monkeypatch.setattr(checking, "claims", lambda: (planted("1 > 2"), planted("2 > 1")))
    assert [found.status for found in checking.checked(published)] == [FAILS, HOLDS]


def test_the_table_of_claims_has_a_row_a_claim_with_what_the_tables_say(store, monkeypatch):
    told = (
        planted("lowest('spiral', 'accuracy') > 0.1", "at least {lowest('spiral', 'accuracy')}"),
        planted("lowest('spiral', 'accuracy') > 2", "{count('spiral')} rows"),
        planted("count('softmax') > 0", "some"),
        planted("", unmeasured="The sources decide it."),
    )
    monkeypatch.setattr(checking, "claims", lambda: told)
    frame = pd.read_csv(io.StringIO(checking.result(store)), keep_default_na=False)
    assert [*frame.columns] == [c.name for c in RESULT_COLUMNS]
    assert [*frame["status"]] == [HOLDS, FAILS, NOT_YET, NEVER]
    assert [*frame["condition"]] == [one.condition for one in told]
    assert frame["evidence"][0].startswith("at least 0.") and frame["evidence"][1].endswith("rows")
    assert [*frame["evidence"][2:]] == ["", ""]
    assert frame["unmeasured"][3] == "The sources decide it."
