"""The model of a cell: its backbone, which may be a net of this suite, with its module plugged in.

torch and timm are imported when they are needed, so that who lists cells does without them.
"""

from __future__ import annotations

import re
from typing import Any


def register() -> None:
    """Let timm know the suite's own nets by name."""
    from benchmarks import backbones, narrow, scaled, small_nets  # noqa: F401  each its nets


def create(backbone: str, module: str = "none", variant: str = "", **settings: Any) -> Any:
    """The model that a cell's words name, by `attn.create_model`, which takes ``settings`` too.

    Errors are those of `attn.create_model` and `attn.parse_options`.
    """
    import attn

    register()
    return attn.create_model(backbone, module, options=attn.parse_options(variant), **settings)


def printed(model: Any) -> str:
    """The layers of a model as torch prints them, whether or not its release names a norm's bias.

    Releases that leave it out give a batch or instance norm a bias if it is affine.
    """
    return re.sub(r"(affine=(True|False), )(?=track)", r"\1bias=\2, ", repr(model))


def names() -> list[str]:
    """Every backbone that `create` knows."""
    import timm

    register()
    return timm.list_models()
