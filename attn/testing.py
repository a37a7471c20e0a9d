"""What every attention module must do, as one function to call from any test suite.

    import attn.testing

    def test_my_gate():
        attn.testing.check_module(MyGate)

Each property is a function of a `Subject` that raises AssertionError when it does not hold.
"""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import timm
import torch
from torch import Tensor, nn

from attn.registry import Factory, Spec, check_options, get

# (H, W): usual, odd and rectangular, a single pixel, a single row.
SIZES = ((8, 8), (7, 5), (1, 1), (1, 6))


@dataclass(frozen=True)
class Subject:
    """The module under test: how to build it, for how many channels."""

    spec: Spec
    channels: int
    options: dict[str, Any] = field(default_factory=dict)

    def build(self, **more: Any) -> nn.Module:
        """A new module in evaluation mode. No parameter is left at a value that hides others."""
        torch.manual_seed(0)
        module = self.spec.factory(self.channels, **self.options, **more).eval()
        with torch.no_grad():
            for parameter in module.parameters():
                if not parameter.is_meta:
                    parameter.add_(0.1 * torch.randn_like(parameter))
        return module

    def input(self, height: int = 8, width: int = 8, *, batch: int = 2, **more: Any) -> Tensor:
        """Normal noise, the same each time: (batch, channels, height, width)."""
        torch.manual_seed(1)
        return torch.randn(batch, self.channels, height, width, **more)


def check_module(
    module: str | Factory,
    channels: int = 32,
    *,
    replaces_conv: bool = False,
    only: Collection[str] | None = None,
    skip: Collection[str] = (),
    **options: Any,
) -> None:
    """Check every property of `PROPERTIES` on a module, a registered name or a factory.

    Args:
        module: a name that `attn.build` knows, or a factory `(channels, *, ...) -> nn.Module`.
        channels: C of the (N, C, H, W) inputs.
        replaces_conv: for a factory: it takes `stride` and `out_channels` and honours them
            (`plug` also gives `groups`, and `branches` where the convolution is not 3 x 3 or is
            dilated). A name brings its own answer.
        only: names of the properties to check; None is all but "inductor".
        skip: names of properties not to check.
        options: of the module.

    Raises:
        AssertionError: lists each property that does not hold, and how it fails.
        ValueError: an unknown module or property. TypeError: an unknown option.
    """
    if isinstance(module, str):
        spec = get(module)
    else:
        spec = Spec(getattr(module, "__name__", repr(module)), module, replaces_conv)
    check_options(spec, options)
    for name in (*(only or ()), *skip):
        if name not in PROPERTIES:
            raise ValueError(f"no property {name!r}; choose from {', '.join(PROPERTIES)}")
    subject = Subject(spec, channels, options)
    chosen = PROPERTIES.keys() - {"inductor"} if only is None else only
    names = [name for name in PROPERTIES if name in chosen and name not in skip]
    failures = {}
    for name in names:
        try:
            PROPERTIES[name](subject)
        except Exception as error:
            failures[name] = error
    if failures:
        lines = [f"  {name}: {_describe(error)}" for name, error in failures.items()]
        raise AssertionError(
            f"{spec.name} with {channels} channels fails {len(failures)} of {len(names)} "
            "properties:\n" + "\n".join(lines)
        ) from next(iter(failures.values()))


def shape(subject: Subject) -> None:
    """The output has the input's shape and is finite, at every size and for a single image."""
    module = subject.build()
    for height, width in SIZES:
        for batch in (1, 2):
            x = subject.input(height, width, batch=batch)
            y = module(x)
            _require(y.shape == x.shape, f"{tuple(x.shape)} became {tuple(y.shape)}")
            _require(bool(y.isfinite().all()), f"not finite for an input of {tuple(x.shape)}")


def stride(subject: Subject) -> None:
    """In place of a convolution: stride s gives ceil(H / s), and out_channels is honoured."""
    if not subject.spec.replaces_conv:
        return
    out_channels = 2 * subject.channels
    module = subject.build(stride=2, out_channels=out_channels)
    for height, width in SIZES:
        want = (2, out_channels, -(-height // 2), -(-width // 2))
        got = tuple(module(subject.input(height, width)).shape)
        _require(got == want, f"{(height, width)} at stride 2 gave {got}, not {want}")


def input_untouched(subject: Subject) -> None:
    """The input is not overwritten, in training or in evaluation."""
    for training in (False, True):
        module, x = subject.build().train(training), subject.input()
        before = x.clone()
        module(x)
        _require(torch.equal(x, before), f"the input changed with training={training}")


def images_apart(subject: Subject) -> None:
    """In evaluation an image's output does not depend on the others in its batch."""
    module, x = subject.build(), subject.input()
    _close(module(x[:1]), module(x)[:1], "one image alone and in a batch")


def repeatable(subject: Subject) -> None:
    """The same seed builds the same module, and evaluation gives the same output again."""
    first, second, x = subject.build(), subject.build(), subject.input()
    _close(first(x), second(x), "two modules of one seed", atol=0.0)
    _close(first(x), first(x), "two evaluations", atol=0.0)
    with torch.no_grad():
        _close(first(x), second(x), "without and with gradients")


def meta(subject: Subject) -> None:
    """`device="meta"` reaches every tensor, and the forward pass runs there."""
    module = subject.build(device="meta").train()
    for name, tensor in module.state_dict().items():
        _require(tensor.is_meta, f"{name} is on {tensor.device}, not on meta")
    x = subject.input(device="meta")
    y = module(x)
    _require(y.is_meta and y.shape == x.shape, f"output {tuple(y.shape)} on {y.device}")


def dtype(subject: Subject) -> None:
    """`dtype` reaches every floating-point tensor and the output."""
    for wanted in (torch.float64, torch.bfloat16):
        module = subject.build(dtype=wanted)
        for name, tensor in module.state_dict().items():
            if tensor.is_floating_point():
                _require(tensor.dtype == wanted, f"{name} is {tensor.dtype}, not {wanted}")
        y = module(subject.input(dtype=wanted))
        _require(y.dtype == wanted, f"output is {y.dtype}, not {wanted}")


def autocast(subject: Subject) -> None:
    """bfloat16 autocast trains: close to float32, finite gradients."""
    module, x = subject.build(), subject.input().requires_grad_()
    want = module(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = module(x)
    scale = float(want.detach().abs().max())
    _close(got.float(), want, "bfloat16 autocast and float32", atol=0.05 * scale)
    got.float().square().mean().backward()
    _finite_gradients(module)


def channels_last(subject: Subject) -> None:
    """The memory layout is kept, contiguous or channels_last, and does not change the values."""
    module = subject.build()
    x = subject.input(7, 5)
    want = module(x)
    for training in (False, True):
        for layout in (torch.contiguous_format, torch.channels_last):
            got = module.train(training)(x.to(memory_format=layout))
            _require(
                got.is_contiguous(memory_format=layout),
                f"{layout} input gave strides {got.stride()} with training={training}",
            )
            if not training:
                _close(got, want, f"{layout} and contiguous")


def compiles(subject: Subject) -> None:
    """`torch.compile` takes the module as one graph, with the same output and gradients.

    The backend is "aot_eager", which traces all and generates no code: a fraction of a second.
    """
    eager = subject.build()
    compiled = torch.compile(copy.deepcopy(eager), backend="aot_eager", fullgraph=True)
    torch._dynamo.reset()
    x = subject.input().requires_grad_()
    want, got = eager(x), compiled(x)
    _close(got, want, "compiled and eager")
    want.square().sum().backward()
    got.square().sum().backward()
    gradients = zip(eager.named_parameters(), compiled.parameters(), strict=True)
    for (name, one), other in gradients:
        _close(other.grad, one.grad, f"gradient of {name}, compiled and eager", atol=1e-3)


def inductor(subject: Subject) -> None:
    """`torch.compile` with its default backend, which needs a C++ compiler and takes seconds."""
    module, x = subject.build(), subject.input()
    compiled = torch.compile(copy.deepcopy(module))
    torch._dynamo.reset()
    with torch.no_grad():
        _close(compiled(x), module(x), "compiled and eager")


def scripts(subject: Subject) -> None:
    """`torch.jit.script` takes the module, with the same output."""
    module, x = subject.build(), subject.input()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(module)
    _close(scripted(x), module(x), "scripted and eager")


def deepcopy(subject: Subject) -> None:
    """A deep copy gives the same output and shares no parameter."""
    module, x = subject.build(), subject.input()
    twin = copy.deepcopy(module)
    _close(twin(x), module(x), "copy and original", atol=0.0)
    want = module(x)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.fill_(0.5)
    _close(module(x), want, "original after its copy changed", atol=0.0)


def state_dict(subject: Subject) -> None:
    """Saved and loaded strictly into another module, the state gives the same output."""
    module, x = subject.build(), subject.input()
    module.train()(x)
    module.eval()
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    other = subject.spec.factory(subject.channels, **subject.options).eval()
    other.load_state_dict(torch.load(file, weights_only=True))
    _close(other(x), module(x), "loaded and saved", atol=0.0)


def gradients(subject: Subject) -> None:
    """In training every parameter and the input receive a finite gradient."""
    module = subject.build().train()
    x = subject.input().requires_grad_()
    module(x).square().mean().backward()
    _finite_gradients(module)
    _require(x.grad is not None and bool(x.grad.isfinite().all()), "input: no finite gradient")


def gradcheck(subject: Subject) -> None:
    """Gradients of input and parameters equal finite differences in float64."""
    module = subject.build(dtype=torch.float64)
    names = [name for name, _ in module.named_parameters()]
    values = [p.detach().clone().requires_grad_() for p in module.parameters()]
    x = subject.input(3, 2, dtype=torch.float64).requires_grad_()

    def function(x: Tensor, *values: Tensor) -> Tensor:
        return torch.func.functional_call(module, dict(zip(names, values, strict=True)), (x,))

    torch.autograd.gradcheck(function, (x, *values), fast_mode=True)


def timm_hook(subject: Subject) -> None:
    """timm takes the class as `attn_layer` of ResNet-18 and puts it into all 8 blocks."""
    torch.manual_seed(0)
    built = []

    def layer(channels: int, **given: Any) -> nn.Module:
        built.append(subject.spec.factory(channels, **given, **subject.options))
        return built[-1]

    model = timm.create_model("resnet18", num_classes=2, block_args={"attn_layer": layer}).eval()
    inside = set(model.modules())
    _require(len(built) == 8, f"timm built {len(built)} modules, not 8")
    _require(all(module in inside for module in built), "a module is not part of the model")
    y = model(torch.randn(1, 3, 32, 32))
    _require(bool(y.isfinite().all()), "the model's output is not finite")


PROPERTIES: dict[str, Callable[[Subject], None]] = {
    check.__name__: check
    for check in (
        shape,
        stride,
        input_untouched,
        images_apart,
        repeatable,
        meta,
        dtype,
        autocast,
        channels_last,
        compiles,
        inductor,
        scripts,
        deepcopy,
        state_dict,
        gradients,
        gradcheck,
        timm_hook,
    )
}


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise AssertionError(message)


def _close(got: Tensor | None, want: Tensor | None, what: str, atol: float = 1e-5) -> None:
    if got is None or want is None:
        raise AssertionError(f"{what}: one is missing")
    _require(got.shape == want.shape, f"{what}: {tuple(got.shape)} and {tuple(want.shape)}")
    error = float((got - want).detach().abs().max())
    _require(error <= atol, f"{what}: differ by {error:.3g}, more than {atol:.3g}")


def _finite_gradients(module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        finite = parameter.grad is not None and bool(parameter.grad.isfinite().all())
        _require(finite, f"{name}: no finite gradient")


def _describe(error: Exception) -> str:
    text = str(error).strip() or "no message"
    return text if isinstance(error, AssertionError) else f"{type(error).__name__}: {text}"
