"""The page on ablations pairs options with the main table's rows, beside what papers print."""

from dataclasses import replace
from itertools import product

import pytest
import trial
from rendered import row_of

from benchmarks import ablated, budget, pairing, stats
from benchmarks.ablation import FAMILIES, SHUFFLED
from benchmarks.cells import ROOT, Cell
from benchmarks.papers.reported import printed
from benchmarks.site import ablation as page
from benchmarks.site.__main__ import fragments
from benchmarks.store import Store

WHICH = ablated.planned()
CELL = Cell("ablation", threads=1, **{name: getattr(WHICH, name) for name in pairing.FIELDS})
SE = FAMILIES["se-reduction"]
SEEDS = 10


def train(store, module, variant, above, seeds=range(SEEDS), **kept):
    """Rows of an arm whose accuracy is 90, a little by seed, and ``above`` (of a seed) more."""
    shared = not variant and module in ("none", "se", "cbam", "sk", "eca", "coord")
    for seed in seeds:
        cell = replace(CELL, module=module, variant=variant, seed=seed)
        cell = replace(cell, benchmark="accuracy") if shared else cell
        more = above(seed) if callable(above) else above
        trial.append(store, cell, trial.outcome(90 + seed / 4 + more), **kept)


@pytest.fixture
def store(tmp_path):
    """SE is 1 point above none. r = 4 is 1 above SE, r = 8 half a point above and below SE in turn,
    r = 32 is 3 below SE. ECA is equal to none, and shuffled to ECA. SK's rows are the default's."""
    made = Store(tmp_path)
    train(made, "none", "", 0)
    train(made, "se", "", 1)
    train(made, "se", "reduction=4", 2)
    train(made, "se", "reduction=8", lambda seed: 1.5 if seed % 2 else 0.5)
    train(made, "se", "min_channels=1 reduction=32", -2)
    train(made, "eca", "", 0)
    train(made, SHUFFLED, "", lambda seed: 0.25 if seed % 2 else -0.25)
    train(made, "sk", "", 0.5)
    return made


def cells_of(text, name):
    """The entries of a row, without their tags."""
    return [part.rpartition(">")[2] for part in row_of(text, name).split("</")]


def test_options_are_less_their_default_and_less_none(store):
    text = page.family(store, "se-reduction")
    four, least = row_of(text, "se reduction=4"), row_of(text, "se min_channels=1 reduction=32")
    assert ">+1.00<" in four and ">+2.00<" in four and four.count(">higher<") == 2
    assert least.count(">lower<") == 2 and ">−3.00<" in least and ">−2.00<" in least
    eight = row_of(text, "se reduction=8")
    assert stats.SAME in eight and ">0.00<" in eight and ">+1.00<" in eight
    default, bare = row_of(text, "se"), row_of(text, "none")
    assert ">reference<" in default and ">+1.00<" in default
    assert ">reference<" in bare and ">91.12<" in bare
    assert WHICH.title in text and "Preview" not in text and "Not measured" not in text


def test_options_that_were_only_begun_are_not_judged(tmp_path):
    """The main table's rows are complete: they do not make a family of options complete."""
    made = Store(tmp_path)
    for module, above in (("none", 0), ("se", 1)):
        train(made, module, "", above)
    train(made, "se", "reduction=4", 2, seeds=range(2))
    found = {family.title: family for family in budget.comparisons(made)}
    to_default, to_none = f"{SE.title}, to default, {WHICH.title}", f"{SE.title}, {WHICH.title}"
    assert not found[to_default].judged
    assert not found[to_none].judged and "se" not in found[to_none].pairs, "the main table's"
    few = "planned arms without a run"
    assert few in page.family(made, "se-reduction")
    for name in SE.names:
        train(made, name.split()[0], name.partition(" ")[2], 2, seeds=range(SEEDS))
    found = {family.title: family for family in budget.comparisons(made)}
    for title in (to_default, to_none):
        assert found[title].judged == set(found[title].pairs), title
    assert "Preview" not in page.family(made, "se-reduction")


def test_a_default_has_no_verdict_here(store):
    """The main table has one of the same pairs, among all its modules: another could differ."""
    for name, module, shown in (("se-reduction", "se", ">+1.00<"), ("sk", "sk", ">+0.50<")):
        default = row_of(page.family(store, name), module)
        assert shown in default and "higher" not in default and stats.SAME not in default


def test_each_question_is_one_family(store):
    """The smallest p of ten pairs is 2 / 1024. Three options are compared with SE, and three with
    the bare backbone; Holm multiplies by as many, and then by one less."""
    rows = ablated.rows(store, WHICH, SE)
    least = 2 / 1024
    default = ablated.against_default(rows, SE).set_index("arm")["p_holm"]
    assert list(default.index) == ["se", *SE.names]
    assert default["se reduction=4"] == pytest.approx(3 * least)
    assert default["se min_channels=1 reduction=32"] == pytest.approx(3 * least)
    assert default["se reduction=8"] == 1
    none = ablated.against_none(rows, SE).set_index("arm")["p_holm"]
    assert list(none.index) == ["none", "se", *SE.names]
    assert none[list(SE.names)].tolist() == pytest.approx([3 * least] * 3)
    assert none[["none", "se"]].isna().all()


def test_another_family_changes_no_verdict(store):
    before = ablated.against_default(ablated.rows(store, WHICH, SE), SE)
    for variant in ("kernel_size=1", "kernel_size=5", "kernel_size=7", "kernel_size=9"):
        train(store, "eca", variant, 1)
    after = ablated.against_default(ablated.rows(store, WHICH, SE), SE)
    assert before.equals(after)


def test_only_rows_of_the_same_comparison_and_seed_are_paired(store):
    train(store, "se", "reduction=4", 50, seeds=range(100, 110))
    for seed in range(SEEDS):
        other = replace(CELL, module="se", variant="reduction=8", seed=seed, layout="other")
        trial.append(store, other, trial.outcome(10.0))
    rows = ablated.rows(store, WHICH, SE)
    table = ablated.against_default(rows, SE).set_index("arm")
    assert table["difference"]["se reduction=4"] == pytest.approx(1)
    assert table["pairs"]["se reduction=4"] == SEEDS and table["seeds"]["se reduction=4"] == 20
    assert table["difference"]["se reduction=8"] == pytest.approx(0)
    assert len(ablated.comparisons(store)) == 2


def test_a_seed_is_paired_on_the_machine_that_has_most_of_it(store):
    """There all arms are 20 points lower, so a pair across machines would show."""
    for module, variant, above in (("none", "", 0), ("se", "", 1), ("se", "reduction=4", 2)):
        train(store, module, variant, above - 20, seeds=range(2), machine="elsewhere")
    table = ablated.against_default(ablated.rows(store, WHICH, SE), SE).set_index("arm")
    assert table["difference"]["se reduction=4"] == pytest.approx(1)


def test_pairs_of_two_machines_are_counted_in_the_caption(tmp_path):
    store = Store(tmp_path)
    train(store, "none", "", 0)
    train(store, "coord", "", 0)
    train(store, "coord", "reduction=4", 0, machine="elsewhere")
    assert "20 pairs across two machines" in page.family(store, "coord"), "with none, with coord"


def test_pairs_of_two_sets_of_versions_are_counted_too(tmp_path):
    store = Store(tmp_path)
    train(store, "none", "", 0)
    train(store, "coord", "", 0)
    train(store, "coord", "reduction=4", 0, environment="newer")
    text = page.family(store, "coord")
    assert "20 pairs across two sets of library versions" in text
    assert "two machines" not in text


def test_a_failed_option_says_so(store):
    for seed in range(SEEDS):
        cell = replace(CELL, module=SHUFFLED, seed=seed)
        trial.append(store, cell, None, status="diverged")
    row = row_of(page.family(store, "eca"), page.WORDS[SHUFFLED])
    assert row.count(">diverged<") == 3 and "without a value: 10" in row


def test_few_seeds_are_a_preview(tmp_path):
    store = Store(tmp_path)
    for variant, above in (("", 1), ("reduction=4", 2)):
        train(store, "se", variant, above, seeds=range(2))
    train(store, "none", "", 0, seeds=range(2))
    words = (
        "Preview, not a result: 2 of 5 planned arms without a run, 2 of 10 planned seeds of the "
        "others"
    )
    text = page.family(store, "se-reduction")
    assert f"<span>{words}; recipe {WHICH.recipe}" in text
    assert stats.TOO_FEW in row_of(text, "se reduction=4")
    assert page.facts(store)["ablation.se-reduction.default"].startswith(words)


def test_sentences_count_the_verdicts(store):
    found = page.facts(store)
    assert found["ablation.what"] == WHICH.title
    assert found["ablation.se-reduction.default"] == (
        "Of 3 options, 1 is higher, 1 is lower, 1 shows no measurable difference."
    )
    assert found["ablation.se-reduction.none"] == "Of 3 options, 2 are higher, 1 is lower."
    assert found["ablation.eca.default"] == (
        "Preview, not a result: 6 of 9 planned arms without a run. "
        "Of 1 option, 1 shows no measurable difference."
    )
    assert found["ablation.sk.default"] == found["ablation.sk.none"] == "not measured"


def test_the_page_begins_with_how_much_is_measured(store, tmp_path):
    """Of the options of all families four have all runs; failed rows are runs, too."""
    planned = sum(len(family.names) for family in FAMILIES.values())
    said = page.facts(store)["ablation.standing"]
    assert said == f"Measured so far: 4 of {planned} options."
    arms = [arm for family in FAMILIES.values() for arm in family.arms]
    trial.append(store, replace(CELL, module="se_var1", seed=0), None)
    more = f"Measured so far: 4 of {planned} options; 1 more is begun."
    assert page.facts(store)["ablation.standing"] == more
    for (module, variant), seed in product(arms, range(SEEDS)):
        trial.append(store, replace(CELL, module=module, variant=variant, seed=seed), None)
    assert page.facts(store)["ablation.standing"] == ""
    empty = Store(tmp_path / "empty")
    train(empty, "se", "", 0)
    assert page.facts(empty)["ablation.standing"].startswith("**Not measured yet.**")
    text = (ROOT / "docs" / "results" / "ablations.md").read_text(encoding="utf-8")
    _, _, words = text.partition("\n# ")
    assert words.splitlines()[2] == '{{ r("ablation.standing") }}'


def test_without_rows_of_options_a_table_shows_what_is_printed_and_not_measured(store, tmp_path):
    sk = page.family(store, "sk")
    assert "<span>Not measured; recipe" in sk
    assert row_of(sk, "sk branches=((3,2),(3,3))").count(">not measured<") == 4
    assert "Bootstrap" not in sk, "columns of tests stand there once something is tested"
    cbam = row_of(page.family(store, "cbam"), "cbam pool=&#x27;max&#x27;")
    assert ">23.20<" in cbam and ">22.80<" in cbam, "its default is that of its own printed table"
    assert ">23.09<" in row_of(sk, "sk branches=((3,2),(3,3))")
    assert 'data-sort="27.5">27.5 M<' in sk and ">2*C^2/r<" in page.family(store, "se-excitation")
    empty = Store(tmp_path / "empty")
    assert empty.table("ablation").empty and not ablated.comparisons(empty)
    made = fragments(empty)
    for name in FAMILIES:
        text = made[f"ablation-{name}"]
        assert "Not measured" in text and "No row yet" in text and text.count("<table") == 2
    found = page.facts(empty)
    assert {found[f"ablation.{name}.default"] for name in FAMILIES} == {"not measured"}


def test_printed_lines_are_those_of_the_papers():
    for name, family in FAMILIES.items():
        assert set(page.PRINTED[name]) <= {"none", family.module, *family.names}
        assert {"none", family.module} <= set(page.PRINTED[name])
        metrics = {page.line_top1(line).metric for line in page.PRINTED[name].values()}
        assert len(metrics) == 1, "one word stands over the column"
        lines = {
            (v.paper, v.table, v.backbone, *p) for v in printed() for p in [(v.module, v.variant)]
        }
        for line in page.PRINTED[name].values():
            assert (line.paper, line.table, line.network, *line.default) in lines


@pytest.mark.parametrize(
    ("family", "arm", "points"),
    [
        ("se-reduction", "se reduction=4", 0.03),  # errors of 22.25 and 22.28
        ("se-excitation", "se_var1", -0.71),  # 76.00 and 76.71
        ("cbam", "cbam order='parallel'", -0.29),  # errors of 22.95 and 22.66
        ("cbam", "cbam pool='max'", -0.40),  # 23.20 and 22.80, of the channel gate alone
        ("eca", "eca kernel_size=9", 0.05),  # 77.48 and 77.43
        ("eca", "eca_ns", -0.08),  # 77.35 and 77.43
        ("coord", "coord min_channels=1 reduction=16", 0.4),  # 74.7 and 74.3
        ("sk", "sk branches=((3,1),(5,1))", -0.01),  # errors of 20.80 and 20.79
    ],
)
def test_printed_differences_by_hand(family, arm, points):
    assert page.printed_difference(page.PRINTED[family][arm]) == pytest.approx(points)


def test_a_line_that_no_paper_prints_is_an_error():
    line = replace(page.PRINTED["eca"]["eca"], variant="k=11")
    with pytest.raises(ValueError, match="Figure 4 .*no top-1 of ECA k=11"):
        page.line_top1(line)


def test_where_a_value_is_printed_is_said(tmp_path):
    made = page.sources(Store(tmp_path), "eca")
    assert "not printed" in row_of(made, page.WORDS[SHUFFLED])
    assert "ECA-Net, Figure 4 (kernel size)" in row_of(made, "eca kernel_size=7")
    assert ">MobileNetV2-1.0<" in row_of(page.sources(Store(tmp_path), "coord"), "none")


def test_the_plan_of_seeds_has_the_families_that_have_rows(store):
    titles = [family.title for family in budget.comparisons(store)]
    assert titles == [
        WHICH.title,
        f"SE, reduction, to default, {WHICH.title}",
        f"SE, reduction, {WHICH.title}",
        f"ECA, to default, {WHICH.title}",
        f"ECA, {WHICH.title}",
    ]
    said = budget.text(store, 0.2)
    (line,) = [s for s in said.splitlines() if s.startswith("se min_channels=1 reduction=32  ")]
    assert line.split()[3] == "10" and line.endswith("lower")
