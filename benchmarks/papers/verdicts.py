"""A computed size beside a printed one: rounded alike, with a word for how near they are."""

from __future__ import annotations

import ast
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal

SCALES = {
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "M (2^20)": Decimal(2**20),
    "G (2^30)": Decimal(2**30),
    "count": Decimal(1),
}
"""What a printed number is multiplied with, by its unit."""

EXACT, LAST_DIGIT, DIFFERS = "exact", "last digit", "differs"
NOT_BUILT, NOT_PRINTED = "cannot be built", "not printed"
WORDS = (EXACT, LAST_DIGIT, DIFFERS, NOT_BUILT, NOT_PRINTED)


def compare(computed: int, printed: str, unit: str, rounding: str = "") -> tuple[str, str]:
    """The computed value at the printed precision, and the verdict.

    `rounding` is empty for the nearest last digit, "down", or a coarser step such as "10" for 300.
    ValueError for an unknown unit.
    """
    if unit not in SCALES:
        raise ValueError(f"unknown unit {unit!r}; allowed: {', '.join(SCALES)}")
    down = rounding == "down"
    step = Decimal(rounding) if rounding and not down else last_digit(printed)
    steps = Decimal(computed) / SCALES[unit] / step
    rounded = steps.quantize(Decimal(1), ROUND_FLOOR if down else ROUND_HALF_UP) * step
    shown, away = _like(rounded, printed), abs(rounded - Decimal(printed))
    return shown, EXACT if away == 0 else LAST_DIGIT if away == step else DIFFERS


def last_digit(printed: str) -> Decimal:
    """The worth of a number's last printed digit: 0.01 for "7.60", 1 for "300"."""
    exponent = Decimal(printed).as_tuple().exponent
    return Decimal(1).scaleb(int(exponent))


def _like(value: Decimal, printed: str) -> str:
    if "e" in printed.lower():
        return f"{value:.1e}"
    return f"{value:.{len(printed.partition('.')[2])}f}"


def formula(text: str, **values: int) -> int:
    """A printed formula such as `2*C^2/r` or `k=3` for given letters. ValueError if not one."""
    tree = ast.parse(text.rpartition("=")[2].replace("^", "**"), mode="eval")

    def value(node: ast.AST) -> int:
        if isinstance(node, ast.Expression):
            return value(node.body)
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            return node.value
        if isinstance(node, ast.Name) and node.id in values:
            return values[node.id]
        if isinstance(node, ast.BinOp):
            left, right = value(node.left), value(node.right)
            if isinstance(node.op, ast.Mult):
                return left * right
            if isinstance(node.op, ast.Div):
                return left // right
            if isinstance(node.op, ast.Pow):
                return left**right
        raise ValueError(f"{text!r} is not a formula of {', '.join(values)} with *, / and ^")

    return value(tree)
