"""Peak memory of one step of a network, each in a fresh process.

A step is a forward pass in evaluation mode, or a forward and a backward pass in training mode. A
small step comes first, so that what the libraries load once is not counted. On a processor the
tensors are counted exactly, from the allocator's record; the resident set also holds what a math
library takes for itself, and what the allocator keeps back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar

from benchmarks import models
from benchmarks.cells import Benchmark, Cell, Column, Selection, choose
from benchmarks.fresh import in_fresh_process
from benchmarks.latency import BACKBONES
from benchmarks.position import peak_bytes, resident_growth
from benchmarks.provenance import versions
from benchmarks.surroundings import malloc
from benchmarks.widths import BACKBONE, WIDTHS

if TYPE_CHECKING:
    import torch

MODES = ("inference", "training")
IMAGES = {"cpu": 8, "cuda": 64}
SMALL_IMAGES = dict.fromkeys(("resnet10_small", BACKBONE, *WIDTHS), (28, 256))
"""Image size and batch size of nets that are not for images of 224 pixels."""

MIB = 2**20


class MemoryBenchmark(Benchmark):
    """What a step takes beyond the model and its input."""

    name: ClassVar[str] = "memory"
    title: ClassVar[str] = "Peak memory of a step"
    code: ClassVar[tuple[str, ...]] = (
        "benchmarks/memory.py",
        "benchmarks/models.py::create",
        "benchmarks/position.py::_status",
        "benchmarks/position.py::peak_bytes",
        "benchmarks/position.py::resident_growth",
    )
    default_seconds: ClassVar[float] = 8.0
    columns: ClassVar[tuple[Column, ...]] = (
        Column("mode", "string", "", "inference, or training: forward and backward"),
        Column("model_mib", "number", "MiB", "parameters and buffers"),
        Column(
            "step_mib",
            "number",
            "MiB",
            "most memory that tensors hold at once in a step, beyond what they hold before it; in "
            "training the gradients of the parameters are in it",
        ),
        Column(
            "resident_mib",
            "integer",
            "MiB",
            "growth of the largest resident set in a step (Linux, only on a processor)",
        ),
        Column("malloc", "string", "", "C library, preloaded libraries and settings of malloc"),
    )

    def cells(self, want: Selection) -> Iterator[Cell]:
        """Every arm in both modes, in the suites `cpu` and `gpu`."""
        if want.suite not in ("cpu", "gpu"):
            return
        batch = IMAGES[want.device]
        for backbone, mode in product(want.backbones or BACKBONES, MODES):
            size, images = SMALL_IMAGES.get(backbone, (224, batch))
            for module, variant in want.arms():
                yield Cell(
                    self.name,
                    backbone,
                    module,
                    variant,
                    recipe=mode,
                    device=want.device,
                    image_size=size,
                    batch_size=images,
                    threads=1 if want.device == "cpu" else None,
                )

    def check(self, cells: Sequence[Cell]) -> None:
        for cell in cells:
            choose(cell.recipe, MODES, "mode")

    def configuration(self, cell: Cell) -> Any:
        """The layers of the model, and the library that allocates."""
        from benchmarks.accuracy import layers

        return versions("torch"), layers(cell.backbone, cell.module, cell.variant)

    def measure(self, cell: Cell) -> dict[str, Any]:
        return in_fresh_process(measure_step, cell, threads=cell.threads or 1)


def measure_step(cell: Cell) -> dict[str, Any]:
    """The values of one cell, in this process."""
    import os

    import torch

    torch.set_num_threads(cell.threads or 1)
    torch.manual_seed(0)
    model, step = _model_and_step(cell)
    size, images = cell.image_size or 224, cell.batch_size or 1
    channels = model.pretrained_cfg["input_size"][0]
    small = torch.randn(2, channels, max(size // 4, 28), max(size // 4, 28), device=cell.device)
    batch = torch.randn(images, channels, size, size, device=cell.device)
    with torch.inference_mode(cell.recipe == "inference"):
        step(small)
        if cell.device.startswith("cuda"):
            held, resident = _cuda_peak(lambda: step(batch), cell.device), None
        else:
            resident = resident_growth(lambda: step(batch))
            held = peak_bytes(lambda: step(batch))
    tensors = [*model.parameters(), *model.buffers()]
    return {
        "mode": cell.recipe,
        "model_mib": round(sum(t.numel() * t.element_size() for t in tensors) / MIB, 3),
        "step_mib": round(held / MIB, 3),
        "resident_mib": None if resident is None else round(resident / MIB),
        "malloc": malloc(os.environ),
    }


def _model_and_step(cell: Cell) -> tuple[Any, Callable[[torch.Tensor], object]]:
    import torch

    model = models.create(cell.backbone, cell.module, cell.variant)
    model = model.to(cell.device).train(cell.recipe == "training")
    parameters = list(model.parameters())

    def train(images: torch.Tensor) -> object:
        return torch.autograd.grad(model(images).square().mean(), parameters, allow_unused=True)

    return model, train if cell.recipe == "training" else model


def _cuda_peak(step: Callable[[], object], device: str) -> int:
    import torch

    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    step()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before
