"""Modules that a user names, answered before any work: name, options and the output's shape."""

from __future__ import annotations

import functools
import inspect
import re
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks import fresh
from benchmarks.cells import is_readers_own

SHAPES = ((2, 64, 8, 8), (2, 16, 14, 12), (2, 256, 7, 7))
"""Images, channels, height and width of the inputs that a module is tried with."""

OF_THE_SLOT = {"channels", "out_channels", "stride", "device", "dtype"}
"""Arguments of a module that are no options: `attn.plug` gives them."""

CHECK = "attn.testing.check_module(Class) tries more (import attn.testing)"


def source_file(module: str) -> Path:
    """The file that a module's class is in. Raises ValueError where there is none."""
    import attn

    factory = inspect.unwrap(attn.get(module).factory)
    while isinstance(factory, functools.partial):
        factory = factory.func
    try:
        found = inspect.getsourcefile(factory)
    except TypeError:
        found = inspect.getsourcefile(type(factory))
    if found is None:
        raise ValueError(
            f"module {module!r} has no source file, so its rows could not say what made them; "
            "define it in a file and name it as my_file:MyGate"
        )
    return Path(found)


def is_own(module: str) -> bool:
    """Whether a module is a reader's: of a file that is named, or of a package that offers it."""
    from attn.registry import is_builtin

    if module == "none" or ":" in module:
        return is_readers_own(module)
    return not is_builtin(module)


def require_options(variants: Iterable[str]) -> None:
    """Raise ValueError for options that are not words of the form option=value, as `attn` says."""
    import attn

    for variant in variants:
        attn.parse_options(variant)


def require_module(name: str, variant: str, device: str = "cpu") -> None:
    """Raise ValueError or TypeError for a name, an option or a shape of output that can't be used.

    ``variant`` has the options, such as ``reduction=8``. The messages of unknown names and wrong
    options are `attn`'s. A reader's own module is tried on ``device``, if that is there.
    """
    import torch

    import attn

    options = attn.parse_options(variant)
    if name == "none":
        return
    fixed = sorted(OF_THE_SLOT & set(options))
    if fixed:
        raise ValueError(
            f"module {name!r} was asked for with {fixed[0]}, which the place in the backbone "
            "decides; leave it out"
        )
    if "=" in name:
        raise ValueError(
            f"module {name!r} is an option; a module and its options are one word in quotes: "
            f"'se {name}'"
        )
    file, colon, gate = name.rpartition(":")
    if colon and (file.endswith(".py") or re.search(r"[\\/]", file)):
        plain = re.split(r"[\\/:]", file.removesuffix(".py"))[-1]
        raise ValueError(
            f"module {name!r}: a file is named as Python imports it, without .py and from the "
            f"folder that it is in: {plain}:{gate}"
        )
    try:
        attn.get(name)
    except ValueError as error:
        own = " One of your own is named file:Class, or by the name that its package offers,"
        own = "" if colon else f"{own} installed where this runs: {sys.executable}"
        raise ValueError(f"{error}{own}") from error
    if not is_own(name):
        return
    if torch.cuda.is_initialized():
        raise ValueError(
            f"module {name!r} uses the GPU when its file is imported; every process that knows the "
            "module would hold the GPU while others are timed on it. Make what it needs in "
            "__init__ or forward"
        )
    if device == "cpu" or not torch.cuda.is_available():
        fault = fault_of(name, options, "cpu")
    else:  # in a process that ends: this one would hold the GPU while others are timed on it
        try:
            fault = fresh.in_fresh_process(fault_of, name, options, device)
        except RuntimeError as error:
            fault = f"module {name!r} can't be tried on {device}: {error}"
    if fault:
        raise ValueError(fault)


def fault_of(name: str, options: dict[str, Any], device: str) -> str:
    """What is wrong with a module that a user named, as a sentence; "" if nothing is.

    It has to work with an input that it can be built for, and to keep the shape of the input. One
    that can be built for none of `SHAPES` is no matter here: its backbone says more.
    """
    import torch

    import attn

    tried, failed = [], None
    for shape in SHAPES:
        try:
            module = attn.build(name, shape[1], **options)
        except Exception:
            continue
        tried.append(shape)
        try:
            module.to(device)
            with torch.no_grad():
                module.train()(torch.zeros(shape, device=device))
                out = module.eval()(torch.zeros(shape, device=device))
        except Exception as error:
            failed = error
            continue
        made = tuple(out.shape) if isinstance(out, torch.Tensor) else type(out).__name__
        if made != shape:
            return (
                f"module {name!r} makes {made} of an input of shape {shape}; it has to return a "
                f"tensor of the shape of its input, (images, channels, height, width). {CHECK}"
            )
        if out.dtype != torch.float32:
            return (
                f"module {name!r} makes {out.dtype} of an input of torch.float32; it has to keep "
                f"the type of its input. {CHECK}"
            )
        return ""
    if failed:
        where = _place(failed, source_file(name))
        return (
            f"module {name!r} fails with every input that was tried, of the shapes "
            f"{', '.join(map(str, tried))}: {type(failed).__name__}: {failed}{where}. "
            f"An input is (images, channels, height, width). {CHECK}"
        )
    return ""


def _place(error: Exception, file: Path) -> str:
    """The last line in the module's folder that an error came through; "" if there is none."""
    lines = traceback.extract_tb(error.__traceback__)
    own = [line for line in lines if Path(line.filename).parent.resolve() == file.parent.resolve()]
    return f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
