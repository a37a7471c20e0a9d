"""Names for attention modules: the built-in ones, yours, and those of installed packages.

Four ways to name a module, in the order in which they are tried:

1. a name given to `register`
2. a built-in name: `"se"`, `"cbam"`, ...
3. a name that an installed package offers in the entry-point group `attn.modules`
4. `"my_package.my_file:MyGate"`, imported when asked for (the current directory counts)

A module is a factory `(channels, *, ...) -> nn.Module` that maps (N, C, H, W) to the same shape, or
(3, 4) a `Spec` of one, which says where it goes too; it is known by the name that was asked for.
Nothing is imported before a name is asked for, so a broken package breaks only its own name.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.metadata
import inspect
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

ENTRY_POINT_GROUP = "attn.modules"
PLACES = ("block", "last_stage")
BARE = "none"
FEW_NAMES = 40
"""No more names than these are listed whole in a message."""

Factory = Callable[..., nn.Module]


@dataclass(frozen=True)
class Spec:
    """What is known about a module before one is built.

    `replaces_conv`: it stands in for a spatial convolution (SK) instead of following one.
    `place`: where `plug` puts it by default, `"block"` (every block) or `"last_stage"`.
    `quadratic`: its memory grows with the square of the number of pixels.
    """

    name: str
    factory: Factory
    replaces_conv: bool = False
    place: str = "block"
    paper: str = ""
    quadratic: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.factory, nn.Module):
            raise TypeError(
                f"module {self.name!r}: a {type(self.factory).__name__} that is built already was"
                " given; give the class, which is called as factory(channels, **options)"
            )
        if not callable(self.factory):
            raise TypeError(f"module {self.name!r}: {self.factory!r} is not callable")
        if self.place not in PLACES:
            raise ValueError(f"module {self.name!r}: place {self.place!r} is not one of {PLACES}")


@dataclass(frozen=True)
class _Builtin:
    file: str
    attribute: str
    paper: str
    replaces_conv: bool = False
    place: str = "block"
    quadratic: bool = False


_SENET = "Squeeze-and-Excitation Networks, arXiv:1709.01507"
_ECANET = "ECA-Net, arXiv:1910.03151"
_DANET = "Dual Attention Network for Scene Segmentation, arXiv:1809.02983"

_BUILTIN = {
    "se": _Builtin("se", "SE", _SENET),
    "se_var1": _Builtin("se", "SEVar1", _ECANET),
    "se_var2": _Builtin("se", "SEVar2", _ECANET),
    "se_var3": _Builtin("se", "SEVar3", _ECANET),
    "se_gc": _Builtin("se", "SEGC", _ECANET),
    "cbam": _Builtin("cbam", "CBAM", "CBAM, arXiv:1807.06521"),
    "sk": _Builtin("sk", "SK", "Selective Kernel Networks, arXiv:1903.06586", replaces_conv=True),
    "pam": _Builtin("danet", "PAM", _DANET, place="last_stage", quadratic=True),
    "cam": _Builtin("danet", "CAM", _DANET, place="last_stage"),
    "danet": _Builtin("danet", "DANet", _DANET, place="last_stage", quadratic=True),
    "eca": _Builtin("eca", "ECA", _ECANET),
    "eca_ns": _Builtin("eca", "ECANS", _ECANET),
    "coord": _Builtin("coord", "CoordAttention", "Coordinate Attention, arXiv:2103.02907"),
}

_registered: dict[str, Spec] = {}


def is_builtin(name: str) -> bool:
    """Whether a name stands for one of the library's own modules, and for no other in its place."""
    return name in _BUILTIN and name not in _registered


def list_modules() -> list[str]:
    """Sorted names of the modules that `build` knows (not `"none"`, which is no module)."""
    return sorted({*_BUILTIN, *_registered, *_entry_points()})


def register(
    name: str,
    factory: Factory,
    *,
    replaces_conv: bool = False,
    place: str = "block",
    paper: str = "",
    quadratic: bool = False,
    replace: bool = False,
) -> Spec:
    """Give `factory`, called as `factory(channels, **options)`, a name.

    Raises ValueError if the name is taken, unless `replace=True`, and if it is not a plain word;
    TypeError for a name that is no string and for a factory that is none.
    """
    if isinstance(factory, Spec):
        raise TypeError(f"module {name!r}: give the Spec's factory, and its fields as arguments")
    if not isinstance(name, str):
        raise TypeError(f"a module is named by a string, not by {name!r}")
    if not name.isidentifier() or name == BARE:
        raise ValueError(
            f"a module cannot be called {name!r}: use letters, digits and underscores,"
            f" and not {BARE!r}, which means the bare backbone"
        )
    if not replace and name in list_modules():
        raise ValueError(f"module {name!r} exists; choose another name or pass replace=True")
    spec = Spec(name, factory, replaces_conv, place, paper, quadratic)
    _registered[name] = spec
    return spec


def get(name: str) -> Spec:
    """The Spec behind a name.

    Raises ValueError for an unknown one, with the closest matches, and TypeError for no string.
    """
    if not isinstance(name, str):
        raise TypeError(
            f"a module is named by a string, not by {name!r}; attn.register(name, factory) gives a"
            " class or function of yours a name, and 'my_file:MyGate' needs none"
        )
    if name in _registered:
        return _registered[name]
    if is_builtin(name):
        return _load_builtin(name)
    if ":" in name:
        return _as_spec(name, _import_attribute(name))
    found = _entry_points().get(name)
    if found:
        return _load_entry_point(name, found)
    raise ValueError(f"unknown module {name!r}{did_you_mean(name, list_modules())}")


def build(name: str, channels: int, **options: Any) -> nn.Module:
    """One module for `channels` channels: (N, C, H, W) -> the same shape.

    Raises ValueError for an unknown name or fewer than 1 channel, TypeError for an option that
    the module does not have.
    """
    spec = get(name)
    if isinstance(channels, bool) or not isinstance(channels, int):
        raise TypeError(f"channels must be an int, not {channels!r}")
    if channels < 1:
        raise ValueError(f"channels must be at least 1, not {channels}")
    check_options(spec, options)
    module = spec.factory(channels, **options)
    if not isinstance(module, nn.Module):
        raise TypeError(f"module {name!r} built {type(module).__name__}, not an nn.Module")
    return module


def allowed_options(spec: Spec) -> tuple[str, ...] | None:
    """Option names from the factory's signature after channels; None if it takes any."""
    parameters = list(inspect.signature(spec.factory).parameters.values())
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
        return None
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return tuple(p.name for p in parameters[1:] if p.kind in named)


def check_options(spec: Spec, options: dict[str, Any]) -> None:
    """Raise TypeError for the first option that the module does not take."""
    allowed = allowed_options(spec)
    if allowed is None:
        return
    for option in options:
        if option not in allowed:
            raise TypeError(
                f"module {spec.name!r} has no option {option!r}{did_you_mean(option, allowed)}"
            )


def parse_options(variant: str) -> dict[str, Any]:
    """Options from a variant string: `"reduction=8 bias=False"` -> {"reduction": 8, "bias": False}.

    Values are Python literals without spaces: `form='paper'`,
    `per_stage={'kernel_size':(3,5,5,7)}`. The empty string is the default variant, {}.
    Raises ValueError for anything else, naming the word that cannot be read.
    """
    options: dict[str, Any] = {}
    for word in variant.split():
        option, equals, value = word.partition("=")
        if not equals or not option.isidentifier():
            raise ValueError(f"variant {variant!r}: {word!r} is not of the form option=value")
        if option in options:
            raise ValueError(f"variant {variant!r} gives {option!r} twice")
        try:
            options[option] = ast.literal_eval(value)
        except (ValueError, SyntaxError) as error:
            raise ValueError(
                f"variant {variant!r}: {value!r} is not a Python literal without spaces"
                " (text needs quotes: form='paper')"
            ) from error
    return options


def did_you_mean(word: str, known: list[str] | tuple[str, ...]) -> str:
    """The end of an error message: the closest matches, and all the names if they are few."""
    close = difflib.get_close_matches(word, known, n=5, cutoff=0.6)
    text = f"; did you mean {', '.join(close)}?" if close else ""
    if len(known) <= FEW_NAMES:
        text += f" Allowed: {', '.join(sorted(known))}." if text else ""
        text = text or f"; allowed: {', '.join(sorted(known))}."
    return text


def _as_spec(name: str, loaded: Any) -> Spec:
    return replace(loaded, name=name) if isinstance(loaded, Spec) else Spec(name, loaded)


def _load_builtin(name: str) -> Spec:
    row = _BUILTIN[name]
    factory = getattr(importlib.import_module(f"attn.{row.file}"), row.attribute)
    return Spec(name, factory, row.replaces_conv, row.place, row.paper, row.quadratic)


def _import_attribute(name: str) -> Any:
    file, _, attribute = name.partition(":")
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.append(os.getcwd())
    try:
        module = importlib.import_module(file)
    except Exception as error:
        raise ValueError(
            f"module {name!r}: importing {file!r} failed: {error!r}"
            f" (looked in {os.getcwd()} and the installed packages)"
        ) from error
    if not hasattr(module, attribute):
        raise ValueError(
            f"module {name!r}: {file!r} has no attribute {attribute!r}"
            f"{did_you_mean(attribute, [n for n in vars(module) if not n.startswith('_')])}"
        )
    return getattr(module, attribute)


def _entry_points() -> dict[str, list[importlib.metadata.EntryPoint]]:
    offers: dict[str, list[importlib.metadata.EntryPoint]] = {}
    for entry_point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        offers.setdefault(entry_point.name, []).append(entry_point)
    return offers


def _load_entry_point(name: str, offers: list[importlib.metadata.EntryPoint]) -> Spec:
    packages = [offer.dist.name if offer.dist else offer.value for offer in offers]
    if len({offer.value for offer in offers}) > 1:
        raise ValueError(f"module {name!r} is offered by several packages: {', '.join(packages)}")
    try:
        return _as_spec(name, offers[0].load())
    except Exception as error:
        raise ValueError(
            f"module {name!r}: loading {offers[0].value!r} of package {packages[0]!r}"
            f" failed: {error!r}"
        ) from error
