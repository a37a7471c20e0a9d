"""Modules that a user names, answered before any work: name, options and the output's shape."""

from __future__ import annotations

from typing import Any

SHAPE = (2, 64, 8, 8)
"""Images, channels, height and width of the input that a module is tried with."""


def require_module(name: str, variant: str) -> None:
    """Raise ValueError or TypeError for a name, an option or a shape of output that can't be used.

    ``variant`` has the options, such as ``reduction=8``. The messages of unknown names and wrong
    options are `attn`'s.
    """
    import attn

    options = attn.parse_options(variant)
    if name == "none":
        return
    file, colon, gate = name.partition(":")
    if colon and file.endswith(".py"):
        raise ValueError(
            f"module {name!r}: a file is named as Python imports it, without .py and from the "
            f"folder that it is in: {file.removesuffix('.py').split('/')[-1]}:{gate}"
        )
    try:
        attn.get(name)
    except ValueError as error:
        own = "" if colon else " One of your own is named file:Class."
        raise ValueError(f"{error}{own}") from error
    if colon:
        _require_shape(name, options)


def _require_shape(name: str, options: dict[str, Any]) -> None:
    """The output of a module has the shape of its input.

    What a module raises without values, on the meta device, is no matter here: the place where
    it is plugged in may have other channels, and a run says what goes wrong there.
    """
    import torch

    import attn

    try:
        with torch.device("meta"):
            out = attn.build(name, SHAPE[1], **options).eval()(torch.empty(SHAPE))
    except Exception:
        return
    made = tuple(out.shape) if isinstance(out, torch.Tensor) else type(out).__name__
    if made != SHAPE:
        raise ValueError(
            f"module {name!r} makes {made} of an input of shape {SHAPE}; it has to return a tensor "
            "of the shape of its input, (images, channels, height, width)"
        )
