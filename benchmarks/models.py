"""The model of a cell: its backbone, which may be a net of this suite, with its module plugged in.

torch and timm are imported when they are needed, so that who lists cells does without them.
"""

from __future__ import annotations

import re
from typing import Any

PLUGGING = tuple(
    f"attn/{file}.py"
    for file in ("arguments", "insert", "places", "plug", "registry", "slots", "trace")
)
"""The files that decide where a module goes and how wide it is: part of the code of who counts
plugged models."""


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


def require_backbone(name: str) -> None:
    """Raise ValueError for a name that neither timm nor the suite has, with those that are near."""
    import timm

    import attn.registry

    known = names()
    plain = name.partition(".")[0]
    if ":" in name or plain in known:
        return
    ours = [n for n in known if timm.model_entrypoint(n).__module__.startswith("benchmarks.")]
    near = [n for n in ours if n.startswith(name)]
    hint = f"; did you mean {', '.join(near)}?" if near else attn.registry.did_you_mean(name, known)
    raise ValueError(
        f"timm has no backbone {name!r}{hint or ' (see timm.list_models()).'} "
        f"The suite's own: {', '.join(ours)}."
    )


def names() -> list[str]:
    """Every backbone that `create` knows."""
    import timm

    register()
    return timm.list_models()
