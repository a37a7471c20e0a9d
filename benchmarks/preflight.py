"""What can be known to go wrong with a plan is answered before any work: models, data, a device."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks import models, provenance, tables
from benchmarks.cells import Cell, Selection, benchmarks
from benchmarks.own_modules import is_own
from benchmarks.runner import Plan

WITHOUT_IMAGES = ("cost", "coverage", "latency", "memory")
"""What is offered to a reader whose images are missing, beside what was found to be there."""


def check(work: Plan, want: Selection) -> None:
    """Raise, before any work, what can be known to go wrong with its models and its data."""
    from benchmarks.data import DataError

    check_models(work, want)
    good: list[str] = []
    for name, todo in work.todo.items():
        try:
            benchmarks()[name].check(todo)
            good.append(name)
        except (DataError, ValueError) as error:
            kind = DataError if isinstance(error, DataError) else ValueError
            left = [other for other in work.todo if other not in (*good, name)]
            if kind is DataError:  # the same images may be missing there, after a long search
                left = [other for other in left if other in WITHOUT_IMAGES]
            rest = [*good, *(other for other in left if _passes(work, other))]
            if not rest:
                raise
            less = ", ".join(other for other in work.todo if other not in rest)
            words = f"{str(error).rstrip('.')}. Without {less}: --only {' '.join(rest)}"
            raise kind(words) from error


def _passes(work: Plan, name: str) -> bool:
    """Whether what a benchmark needs is here."""
    try:
        benchmarks()[name].check(work.todo[name])
    except Exception:
        return False
    return True


def check_models(work: Plan, want: Selection) -> None:
    """Raise ValueError for what a user asks for and can't be built.

    Networks that timm does not have, such as those of the papers, are no matter of a user's module.
    """
    cells = [cell for name in work.todo for cell in work.todo[name] if benchmarks()[name].plugs]
    if want.modules or want.backbones:
        known = set(want.backbones or models.names())
        _build(cell for cell in cells if cell.backbone in known)


def check_device(device: str) -> None:
    """ValueError for a GPU that torch cannot use here; models are counted on meta everywhere."""
    if device != "cuda":
        return
    import torch

    if not torch.cuda.is_available():
        raise ValueError(
            f"device cuda was asked for, but torch {torch.__version__} (built for CUDA: "
            f"{torch.version.cuda or 'no'}) sees no CUDA GPU here; choose --device cpu, install a "
            "driver that this build can use, or let ATTN_BENCH_PYTHON name an interpreter whose "
            "torch can"
        )
    if not provenance.machine()["gpus"]:
        raise ValueError(
            "device cuda was asked for; torch sees a GPU, but nvidia-smi, which names it in every "
            "row's record, lists none. Install it (a container needs NVIDIA_DRIVER_CAPABILITIES="
            "compute,utility); GPUs of other makers are not measured"
        )


def _build(cells: Iterable[Cell]) -> None:
    """Build each model on the meta device: unknown names, bad options and transformers raise."""
    for backbone, module, variant in sorted({(c.backbone, c.module, c.variant) for c in cells}):
        try:
            models.create(backbone, module, variant, device="meta")
        except ValueError:
            raise
        except TypeError as error:
            called = f"; its class is called as {_class_name(module)}(channels, **options)"
            raise TypeError(
                f"module {tables.arm(module, variant)!r} can't be built into {backbone}: "
                f"{str(error).rstrip('.')}"
                f"{called * is_own(module)}"
            ) from error
        except Exception as error:
            raise ValueError(
                f"module {module!r} can't be built into {backbone}: {type(error).__name__}: "
                f"{error}; attn.build({module!r}, 64) shows where it goes wrong"
            ) from error


def _class_name(module: str) -> str:
    import attn

    return getattr(attn.get(module).factory, "__name__", module.rpartition(":")[2])
