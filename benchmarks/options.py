"""The options of the command line, as its help describes them."""

from __future__ import annotations

import argparse

from benchmarks import budget, resources
from benchmarks.cells import SUITES
from benchmarks.store import RESULTS
from benchmarks.verify import ROWS


def parser() -> argparse.ArgumentParser:
    """One subcommand each for plan, run, status, verify, table and cite."""
    whole = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Benchmarks of visual attention modules."
    )
    commands = whole.add_subparsers(required=True, metavar="COMMAND")
    for name, words in (
        ("plan", "what a run would measure, and how long it would take"),
        ("run", "measure what the tables lack and write it to results/"),
        ("status", "how many cells of a suite are current, stale, missing"),
    ):
        sub = commands.add_parser(name, help=words, description=words)
        _add_selection(sub)
        sub.set_defaults(command=name)
        if name != "status":
            _add_work(sub)
        if name == "plan":
            _add_power(sub)
    words = "measure a few rows again and compare them with the tables"
    again = commands.add_parser("verify", help=words, description=words)
    _add_selection(again)
    _add_jobs(again)
    again.add_argument("--rows", type=_number, help=f"rows of each benchmark; {ROWS} unless given")
    words = "the rows with these keys instead, of any suite; the column key of a table has them"
    again.add_argument("--key", nargs="+", action="extend", default=[], help=words)
    words = "trained rows of older code instead; where the values are equal, the others count too"
    again.add_argument("--stale", action="store_true", help=words)
    again.set_defaults(command="verify")
    table = commands.add_parser("table", help="print a table", description="Print a table.")
    table.add_argument("name", nargs="?", help="a benchmark's rows; without it, the summary")
    words = f"that of the summary: one of {', '.join(SUITES)}; quick unless given"
    table.add_argument("--suite", help=words)
    table.add_argument("--columns", nargs="+", metavar="COLUMN", help="these columns alone")
    table.add_argument(
        "--csv", action="store_true", help="as CSV, all columns unless some are named"
    )
    _add_results(table)
    table.set_defaults(command="table")
    cite = commands.add_parser("cite", help="how to cite", description="How to cite the tables.")
    words = "instead: the machine, the versions and the commit of the rows with these keys"
    cite.add_argument("--key", nargs="+", action="extend", default=[], help=words)
    _add_results(cite)
    cite.set_defaults(command="cite")
    return whole


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--suite", help=f"one of {', '.join(SUITES)}; quick unless given")
    words = "these benchmarks alone; repeatable"
    parser.add_argument(
        "--only", nargs="+", action="extend", default=[], metavar="BENCHMARK", help=words
    )
    parser.add_argument(
        "--module",
        nargs="+",
        action="extend",
        metavar="NAME",
        help="modules, each with its options in quotes: eca 'se reduction=8' my_file:MyGate",
    )
    words = "backbones of timm, or of the suite"
    parser.add_argument("--backbone", nargs="+", action="extend", metavar="NAME", help=words)
    parser.add_argument("--device", help="cpu or cuda; the suite's own unless given")
    _add_results(parser)


def _number(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} was asked for; a whole number of at least 1 is needed"
        )
    return number


def _processes(text: str) -> int:
    """A number of processes; so many more than cores only fill the memory."""
    number, most = _number(text), 8 * resources.cores()
    if number > most:
        raise argparse.ArgumentTypeError(
            f"{text!r} was asked for; at most {most} are allowed, eight for each core that can be "
            "used here"
        )
    return number


def _folder(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("an empty name was given; name a folder")
    return text


def _add_jobs(parser: argparse.ArgumentParser) -> None:
    words = (
        f"processes at a time; {resources.jobs()} here, by cores and memory, unless given, and one "
        "on a GPU; what is timed is always alone"
    )
    parser.add_argument("--jobs", type=_processes, help=words)


def _add_work(parser: argparse.ArgumentParser) -> None:
    _add_jobs(parser)
    parser.add_argument("--stale", action="store_true", help="measure stale trained rows again too")
    words = "measure cells again whose row has no value"
    parser.add_argument("--retry", action="store_true", help=words)
    words = "measure everything again; beside a module of yours all but the bare backbone"
    parser.add_argument("--again", action="store_true", help=words)


def _add_power(parser: argparse.ArgumentParser) -> None:
    words = "instead: how many seeds the comparisons of accuracies need, and what they cost"
    parser.add_argument("--power", action="store_true", help=words)
    words = (
        f"points of difference that --power plans for: {budget.WANTED:g}, in mIoU and on the "
        f"mechanism tasks {budget.WANTED_COARSE:g}, unless given"
    )
    parser.add_argument("--effect", type=float, metavar="POINTS", help=words)


def _add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--results", type=_folder, default=str(RESULTS), help="folder of the tables"
    )
