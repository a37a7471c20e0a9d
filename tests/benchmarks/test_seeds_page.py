"""The page of seeds shows what the plan says, or that there are no rows."""

import trial
from rendered import row_of

from benchmarks import budget
from benchmarks.cells import Selection
from benchmarks.simulation import Simulation
from benchmarks.site import seeds as site
from benchmarks.store import Store


def test_the_plan_names_what_no_seeds_can_show():
    text = site.planned(Store("nowhere"))
    assert row_of(text, "5").count("nothing") == 4
    assert row_of(text, "8").count("nothing") == 2  # of families of 1, 4, 8 and 20
    assert row_of(text, "50").count("nothing") == 0


def test_budgets_are_those_of_the_command(tmp_path):
    store = Store(tmp_path)
    trial.accuracy(store)
    trial.accuracy(store, "preview", 3)
    text = site.budgets(store)
    (family,) = budget.comparisons(store)
    assert family.title == "resnet10_small on fashion-mnist, full, cpu" and family.title in text
    eca = next(x for x in budget.lines(family, budget.WANTED) if x.name == "eca")
    assert f">{eca.needed}<" in row_of(text, "eca")


def test_simulated_tables_are_shown_noise_by_noise(tmp_path):
    store = Store(tmp_path)
    for cell in Simulation().cells(Selection("cpu")):
        values = {"tables": 4000, "arms": 8, "pairs": int(cell.recipe.split()[0]), "planted": 1.5}
        values |= {"covered": 95.04, "covered_bca": 91.23, "false_tables": 4.0}
        values |= {"false_uncorrected": 25.0, "found": 80.0, "reversed": 0.0}
        trial.append(store, cell, values)
        trial.append(store, cell, values, machine="elsewhere")  # is not shown beside the first
    text = site.simulated(store)
    assert text.index("normal") < text.index("heavy") < text.index("skewed")
    assert text.count(">91.2<") == 12 and "4,000 tables of 8 arms" in text
