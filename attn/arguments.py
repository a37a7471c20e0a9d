"""Checks of constructor arguments, shared by the modules.

Every message names the argument, what was asked and what is allowed.
"""


def positive_int(name: str, value: int) -> int:
    """Return `value` if it is an integer of at least 1; TypeError or ValueError otherwise."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}={value!r} is a {type(value).__name__}; give an integer >= 1")
    if value < 1:
        raise ValueError(f"{name}={value} is not allowed; give an integer >= 1")
    return value


def odd_int(name: str, value: int) -> int:
    """Return `value` if it is an odd integer of at least 1, so that padding keeps the size."""
    if positive_int(name, value) % 2 == 0:
        raise ValueError(
            f"{name}={value} is even, which cannot be padded to keep the size; "
            f"give an odd integer such as {value - 1} or {value + 1}"
        )
    return value


def one_of(name: str, value: str | None, allowed: tuple[str | None, ...]) -> None:
    """Raise ValueError unless `value` is one of the words in `allowed`."""
    if value not in allowed:
        raise ValueError(f"{name}={value!r} is unknown; allowed: {', '.join(map(repr, allowed))}")


def hidden_width(channels: int, reduction: int, min_channels: int = 0) -> int:
    """Return max(channels // reduction, min_channels), the width of a bottleneck.

    ValueError if that is 0, which happens for reduction > channels without a minimum.
    """
    positive_int("channels", channels)
    positive_int("reduction", reduction)
    if min_channels != 0:
        positive_int("min_channels", min_channels)
    width = max(channels // reduction, min_channels)
    if width == 0:
        raise ValueError(
            f"reduction={reduction} is larger than channels={channels} and leaves a hidden width "
            f"of 0; give a reduction from 1 to {channels}, or min_channels >= 1"
        )
    return width
