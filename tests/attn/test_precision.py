"""Every module in 32 bits and in bfloat16 against itself in float64, on a GPU if torch sees one."""

import copy

import pytest
import torch
from torch import nn

import attn

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
"""Where the modules compute; what they are compared with is always computed on the processor."""

BACKEND = "inductor" if DEVICE == "cuda" else "aot_eager"
MODULES = attn.list_modules()
LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}


@pytest.fixture(autouse=True)
def no_tf32(monkeypatch):
    """By default torch rounds what convolutions on a GPU multiply to ten bits (TF32)."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


def pair(name: str) -> tuple[nn.Module, nn.Module]:
    """A module without special weights: in float64 on the processor, as it is on `DEVICE`."""
    module = attn.build(name, 64)
    with torch.no_grad():
        for p in module.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return copy.deepcopy(module).double(), module.to(DEVICE)


def images(layout: torch.memory_format) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(4, 64, 14, 10)
    return x.double(), x.to(DEVICE).contiguous(memory_format=layout)


def step(module: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """The output, the gradient of the input and those of the weights, brought to the processor."""
    x = x.detach().requires_grad_()
    y = module(x)
    weights = list(module.parameters())
    gradients = torch.autograd.grad(y.square().mean(), [x, *weights])
    return [t.detach().double().cpu() for t in (y, *gradients)]


def assert_near(found: list[torch.Tensor], wanted: list[torch.Tensor], tolerance: float) -> None:
    for one, other in zip(found, wanted, strict=True):
        assert (one - other).norm() <= tolerance * other.norm() + 1e-7


@pytest.mark.parametrize("training", [False, True], ids=["eval", "training"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", MODULES)
def test_32_bits(name, layout, training):
    reference, module = pair(name)
    x64, x = images(LAYOUTS[layout])
    found, wanted = step(module.train(training), x), step(reference.train(training), x64)
    assert_near(found, wanted, 1e-4)
    assert module(x).is_contiguous(memory_format=LAYOUTS[layout])


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", MODULES)
def test_bfloat16_autocast(name, layout):
    reference, module = pair(name)
    x64, x = images(LAYOUTS[layout])
    with torch.autocast(DEVICE, torch.bfloat16), torch.no_grad():
        y = module.eval()(x)
    assert_near([y.double().cpu()], [reference.eval()(x64).detach()], 2e-2)


@pytest.mark.parametrize("name", ["se", "cbam", "sk", "danet", "eca", "coord"])
def test_compiled(name):
    """By inductor on a GPU; for a processor `test_conformance` has it, and here it is the graph."""
    reference, module = pair(name)
    x64, x = images(torch.contiguous_format)
    compiled = torch.compile(module, fullgraph=True, backend=BACKEND)
    assert_near(step(compiled, x), step(reference, x64), 1e-4)
