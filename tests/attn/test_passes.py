"""`squeeze` and `scale` have the values and the gradients of their plain form, by fewer passes."""

import pytest
import torch
from torch import nn

import attn
from attn import coord, danet, passes, reductions
from attn.passes import scale, squeeze

LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}
SHAPES = [(2, 6, 5, 3), (3, 1, 4, 4), (1, 8, 1, 7), (2, 5, 1, 1)]
LARGER = [(2, 2 * reductions.GROUPS, 4, 4), (2, reductions.WIDE, 7, 7)]
GATES = ["channel", "pixel", "rows and columns", "image", "channel and pixel"]


def random_map(shape, layout="nchw", **options):
    x = torch.randn(shape, dtype=torch.float64).contiguous(memory_format=LAYOUTS[layout])
    return x.requires_grad_(**options)


def drawn(name):
    """A module whose parameters are all drawn: some gates are idle when they begin."""
    module = attn.build(name, 16).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module


def random_gates(kind, shape):
    n, c, h, w = shape
    shapes = {
        "channel": [(n, c, 1, 1)],
        "pixel": [(n, 1, h, w)],
        "rows and columns": [(n, c, h, 1), (n, c, 1, w)],
        "image": [(n, 1, 1, 1)],
        "channel and pixel": [(n, c, 1, 1), (n, 1, h, w)],
    }
    return [torch.rand(s, dtype=torch.float64).requires_grad_() for s in shapes[kind]]


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_scale_has_the_gradients_of_the_product(shape, layout, kind):
    x, gates = random_map(shape, layout), random_gates(kind, shape)
    y = scale(x, gates)
    assert type(y.grad_fn).__name__ == "_ScaleBackward"
    expected = x
    for gate in gates:
        expected = expected * gate
    torch.testing.assert_close(y, expected, rtol=1e-12, atol=1e-12)
    assert y.stride() == expected.stride()
    g = torch.randn_like(y)
    ours = torch.autograd.grad(y, [x, *gates], g)
    plain = torch.autograd.grad(expected, [x, *gates], g)
    torch.testing.assert_close(ours, plain, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES + LARGER, ids=str)
def test_squeeze_has_the_gradients_of_the_pools(shape, layout):
    x = random_map(shape, layout)
    means, maxima = [[2, 3], [1], [2], [3]], [[2, 3], [1]]
    same, *pooled = squeeze(x, means, maxima)
    assert type(same.grad_fn).__name__ == "_SqueezeBackward"
    expected = [x.mean(d, True) for d in means] + [x.amax(d, True) for d in maxima]
    torch.testing.assert_close(pooled, expected, rtol=1e-12, atol=1e-12)
    weights = [torch.randn_like(p) for p in pooled]
    ours = sum((w * p).sum() for w, p in zip(weights, pooled, strict=True)) + 2 * same.sum()
    plain = sum((w * p).sum() for w, p in zip(weights, expected, strict=True)) + 2 * x.sum()
    (got,), (want,) = torch.autograd.grad(ours, x), torch.autograd.grad(plain, x)
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dims", [[1], [2, 3]])
@pytest.mark.parametrize("channels", [3, 2 * reductions.GROUPS])
def test_at_a_tie_one_element_gets_the_gradient(channels, layout, dims):
    x = torch.ones(2, channels, 4, 5, dtype=torch.float64).contiguous(memory_format=LAYOUTS[layout])
    _, maximum = squeeze(x.requires_grad_(), maxima=[dims])
    (gradient,) = torch.autograd.grad(maximum.sum(), x)
    assert (gradient.sum(dims) == 1).all()
    assert set(gradient.unique().tolist()) == {0, 1}


def test_pooled_alone_or_the_map_alone():
    x = random_map((2, 3, 4, 5))
    same, mean = squeeze(x, [[2, 3]])
    (of_mean,) = torch.autograd.grad(mean.sum(), x, retain_graph=True)
    assert torch.allclose(of_mean, torch.full_like(x, 1 / 20))
    (of_map,) = torch.autograd.grad(same.sum(), x)
    assert (of_map == 1).all()


@pytest.mark.parametrize("name", ["se", "eca", "cbam", "coord", "pam"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_modules_take_the_short_way_and_it_equals_the_plain_one(name, layout, monkeypatch):
    monkeypatch.setattr(danet, "QUERY_ROWS", 7)
    module = drawn(name)
    x = random_map((3, 16, 6, 5), layout)
    g = torch.randn(3, 16, 6, 5, dtype=torch.float64)

    def run():
        y = module(x)
        return y, torch.autograd.grad(y, [x, *module.parameters()], g)

    taken = []
    for function in (passes._Scale, passes._Squeeze, danet._Attend):
        apply = function.apply
        monkeypatch.setattr(function, "apply", lambda *a, f=apply: taken.append(f) or f(*a))
    ours = run()
    count = len(taken)
    assert count == {"se": 2, "eca": 2, "cbam": 4, "coord": 2, "pam": 1}[name]
    for place in (passes, reductions, danet, coord):
        monkeypatch.setattr(place, "by_hand", lambda *tensors: False)
    plain = run()
    assert len(taken) == count
    torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-10)
    with torch.no_grad():
        monkeypatch.undo()
        torch.testing.assert_close(module(x), plain[0], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["se", "eca", "cbam", "coord"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_map_of_few_elements_is_worked_on_plainly(name, layout, monkeypatch):
    """There the checks and calls of the short way cost more than they save."""
    module = drawn(name)
    x = random_map((3, 16, 6, 5), layout)
    by_hand = module(x)
    monkeypatch.setattr(reductions, "FEW", x.numel() + 1)
    for function in (passes._Scale, passes._Squeeze):
        monkeypatch.setattr(function, "apply", lambda *a: pytest.fail("the short way was taken"))
    plain = module(x)
    torch.testing.assert_close(plain, by_hand, rtol=1e-10, atol=1e-12)
    gradients = [torch.autograd.grad(y.square().sum(), x)[0] for y in (plain, by_hand)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-10)
    monkeypatch.setattr(reductions, "FEW", x.numel())
    with pytest.raises(pytest.fail.Exception, match="short way"):
        module(x)


@pytest.mark.parametrize("name", ["se", "eca", "cbam", "coord", "pam"])
def test_gradients_of_gradients(name):
    module = drawn(name).eval()
    if name == "pam":
        module.query_rows = 3
    x = random_map((2, 16, 3, 2))
    assert torch.autograd.gradgradcheck(module, x)


@pytest.mark.parametrize("name", ["se", "eca", "cbam", "coord", "pam"])
def test_per_sample_gradients_and_tangents(name):
    module = drawn(name).eval()
    if name == "pam":
        module.query_rows = 3
    x = torch.randn(3, 16, 3, 4, dtype=torch.float64)

    def loss(image):
        return module(image[None]).square().sum()

    of_each = torch.func.vmap(torch.func.grad(loss))(x)
    for image, gradient in zip(x, of_each, strict=True):
        torch.testing.assert_close(torch.func.grad(loss)(image), gradient)
    direction = torch.randn_like(x)
    _, tangent = torch.func.jvp(module, (x,), (direction,))
    nearby = (module(x + 1e-6 * direction) - module(x - 1e-6 * direction)) / 2e-6
    torch.testing.assert_close(tangent, nearby, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["se", "eca", "cbam", "coord"])
def test_checkpoints_and_a_second_backward(name):
    module = drawn(name).eval()
    x = random_map((2, 16, 3, 2))
    y = module(x).square().sum()
    (once,) = torch.autograd.grad(y, x, retain_graph=True)
    (twice,) = torch.autograd.grad(y, x)
    assert torch.equal(once, twice)
    again = torch.utils.checkpoint.checkpoint(module, x, use_reentrant=False).square().sum()
    (kept,) = torch.autograd.grad(again, x)
    torch.testing.assert_close(kept, once)


def test_a_map_that_others_use_is_not_overwritten():
    for name in ("se", "cbam", "coord"):
        module = attn.build(name, 16).eval()
        x = torch.randn(2, 16, 4, 4)
        kept = x.clone()
        with torch.inference_mode():
            module(x)
        assert torch.equal(x, kept)
        g = torch.randn(2, 16, 4, 4)
        given = g.clone()
        module(x.requires_grad_()).backward(g)
        assert torch.equal(g, given)


def test_position_attention_is_by_rows_in_both_directions(monkeypatch):
    rows = []
    attend = danet._attend
    monkeypatch.setattr(
        danet, "_attend", lambda q, k, v: rows.append(q.shape[1]) or attend(q, k, v)
    )
    module = attn.build("pam", 8)
    module.query_rows = 10
    x = torch.randn(1, 8, 5, 5)
    for training in (True, False):
        rows.clear()
        with torch.set_grad_enabled(training):
            module(x)
        assert rows == [10, 10, 5]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("side", [3, 9])
def test_a_large_map_in_several_parts(side, layout, monkeypatch):
    """The parts that are worked on one after the other make up the whole: only `coord` has any."""
    module = drawn("coord").eval()
    x = random_map((5, 16, side, 8), layout)
    inputs = [x, *module.parameters()]
    parts = []

    def gradients():
        parts.clear()
        return torch.autograd.grad(module(x).square().sum(), inputs)

    def multiplied(*tensors, out):
        parts.append(len(tensors[0]))
        return mul(*tensors, out=out)

    mul = torch.mul
    whole = gradients()
    monkeypatch.setattr(passes, "CHUNK", 2 * x[0].numel() * x.element_size())
    monkeypatch.setattr(torch, "mul", multiplied)
    torch.testing.assert_close(gradients(), whole)
    assert [n for n in parts if n < 5] == parts and sorted(set(parts)) == [1, 2]


@pytest.mark.parametrize("name", ["se", "eca", "cbam", "coord", "pam"])
def test_fx_traces_a_network_of_it(name):
    module = drawn(name).float().eval()
    x = torch.randn(2, 16, 5, 4)
    torch.testing.assert_close(torch.fx.symbolic_trace(module)(x), module(x))


@pytest.mark.parametrize("name", ["se", "eca", "cbam", "coord", "pam"])
def test_an_empty_batch(name):
    assert attn.build(name, 16).eval()(torch.randn(0, 16, 4, 4)).shape == (0, 16, 4, 4)


@pytest.mark.parametrize("options", [{}, {"spatial": "conv"}, {"order": "spatial_first"}])
def test_what_hooks_hold_is_not_overwritten(options):
    module = attn.build("cbam", 16, **options).double()
    held = []

    def hold(*given):
        for part in given[1:]:
            for tensor in part if isinstance(part, tuple) else (part,):
                for t in tensor if isinstance(tensor, list) else (tensor,):
                    held.append((t, t.clone()))

    for part in module.modules():
        part.register_forward_hook(hold)
        if isinstance(part, nn.Conv2d | nn.Linear):
            part.register_full_backward_hook(hold)
    x = random_map((2, 16, 5, 4))
    module(x).square().sum().backward()
    with torch.no_grad():
        module.eval()(x)
    assert len(held) > 10
    assert all(torch.equal(tensor, kept) for tensor, kept in held if tensor is not None)


def test_position_attention_differentiates_twice_with_frozen_queries():
    module = attn.build("pam", 8).double()
    module.query_rows = 3
    nn.init.ones_(module.gamma)
    module.query_conv.requires_grad_(False)
    weight = module.value_conv.weight
    loss = module(torch.randn(1, 8, 3, 3, dtype=torch.float64)).square().sum()
    (first,) = torch.autograd.grad(loss, weight, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), weight)
    assert torch.isfinite(second).all()
    assert second.abs().max() > 0
