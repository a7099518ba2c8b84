"""The same numbers as PyTorch, where it is installed: rules, layers, gradients, and whole training runs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.catalog import fitted, names, optimizers, reference, resolved
from reference.network import Perceptron, build, randomize

from ravine import _core

torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make peers` installs it")
torch.set_num_threads(1)  # the problems are small, and its idle threads spin

STEPS, BATCH = 50, 16


def equivalent(kind, name):
    """PyTorch's function for an entry; skips, with its reason, one that has none."""
    module = reference(kind, name)
    if hasattr(module, "WITHOUT_TORCH"):
        pytest.skip(f"{kind} {name}: {module.WITHOUT_TORCH}")
    if not hasattr(module, "torch_equivalent"):
        pytest.fail(f"add torch_equivalent or WITHOUT_TORCH to tests/reference/{kind}/{name}.py")
    return module.torch_equivalent


def cases(kind):
    return [(name, chosen) for name in names(kind) for chosen in reference(kind, name).CASES]


def tensors(arrays):
    return {key.split(".")[-1]: torch.tensor(values, requires_grad=True) for key, values in arrays.items()}


@pytest.mark.parametrize(("name", "chosen"), cases("layer"))
@settings(max_examples=6)
@given(rows=st.integers(1, 40), width=st.integers(1, 70), seed=st.integers(0, 2**32 - 1))
def test_layer(name, chosen, rows, width, seed):
    """Output, and gradients of the layer's own parameters and of those before it, for random shapes."""
    layer, shape = chosen
    function = equivalent("layer", name)
    rule = reference("layer", name)
    rows = max(rows, getattr(rule, "LEAST_ROWS", 1))
    width = rule.width(layer, width) if hasattr(rule, "width") else width
    shape = (*shape[:-1], width * layer.get("groups", 1))
    flat = len(shape) == 1
    before = [{"type": "dense", "units": width}] if flat else []
    network = build([*before, {"type": name, **layer}, "flatten", {"type": "dense", "units": 2}], shape)
    generator = np.random.default_rng(seed)
    randomize(network, generator)
    x = generator.normal(size=(rows, *shape))
    grown = [
        tensors({k: v for k, v in network.parameters.items() if k.startswith(row["name"])})
        for row in network.layers
    ]
    value = torch.tensor(x)
    if flat:
        value = torch.nn.functional.linear(value, grown[0]["weight"], grown[0]["bias"])
    value = function(torch, value, grown[len(before)], resolved("layer", name, layer))
    value = torch.nn.functional.linear(torch.flatten(value, 1), grown[-1]["weight"], grown[-1]["bias"])
    output = network.forward(x, training=True)
    np.testing.assert_allclose(output, value.detach().numpy(), rtol=1e-10, atol=1e-10)
    weights = generator.normal(size=output.shape)
    network.backward(output_gradient=weights)
    (value * torch.tensor(weights)).sum().backward()
    for row, own in zip(network.layers, grown, strict=True):
        for key, tensor in own.items():
            found = network.gradients[f"{row['name']}.{key}"]
            np.testing.assert_allclose(found, tensor.grad.numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("name", "chosen"), cases("activation"))
@settings(max_examples=20)
@given(values=st.lists(st.floats(-50, 50).filter(lambda v: abs(v) > 1e-9), min_size=1, max_size=200))
def test_activation(name, chosen, values):
    function, full = equivalent("activation", name), resolved("activation", name, chosen)
    x = torch.tensor(values, dtype=torch.float64, requires_grad=True)
    network = build([{"type": name, **chosen}], [len(values)])
    expected = function(torch, x, full)
    found = network.forward(x.detach().numpy()[None])[0]
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-10, atol=1e-10)

    # The gradient of a bias of each unit is f' of its net input.
    network = build([{"type": "dense", "units": len(values)}, "identity", {"type": name, **chosen}], [1])
    network.parameters["dense_1.weight"][...] = 0.0
    network.parameters["dense_1.bias"][...] = x.detach().numpy()
    network.forward(np.zeros((1, 1)), training=True)
    network.backward(output_gradient=np.ones((1, len(values))))
    if expected.requires_grad:
        expected.sum().backward()
    np.testing.assert_allclose(network.gradients["dense_1.bias"], x.grad.numpy(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("name", "chosen"), cases("loss"))
@settings(max_examples=20)
@given(
    rows=st.integers(1, 40),
    outputs=st.integers(2, 90),
    scale=st.sampled_from([0.1, 1.0, 50.0]),
    seed=st.integers(0, 10**6),
)
def test_loss(name, chosen, rows, outputs, scale, seed):
    chosen = fitted("loss", name, chosen, outputs)
    function, full = equivalent("loss", name), resolved("loss", name, chosen)
    generator = np.random.default_rng(seed)
    network = build([{"type": "dense", "units": outputs}], [3], {"type": name, **chosen})
    x = generator.normal(size=(rows, 3)) * scale
    y = reference("loss", name).targets(generator, rows, (outputs,))
    output = torch.tensor(network.forward(x, training=True), requires_grad=True)
    loss = function(torch, output, torch.tensor(y), full)
    loss.backward()
    assert network.loss(y) == pytest.approx(loss.item(), rel=1e-10)
    network.backward()
    gradient = output.grad.numpy()
    np.testing.assert_allclose(network.gradients["dense_1.weight"], gradient.T @ x, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("l2", [0.0, 0.02])
@pytest.mark.parametrize(("name", "chosen"), [case for case in cases("optimizer") if case[0] in optimizers()])
def test_losses_of_training(name, chosen, l2, dtype):
    """Equal weights and batches give equal losses over 50 steps; biases do not decay."""
    make = equivalent("optimizer", name)
    if dtype not in getattr(reference("optimizer", name), "TORCH_DTYPES", [dtype]):
        pytest.skip(f"{name} is not compared in {dtype}, where rounding decides")
    model = Perceptron([20, 32, 24, 10], ["relu", "tanh", "identity"], "softmax_cross_entropy")
    network = model.build(batch_size=BATCH, dtype=dtype)
    generator = np.random.default_rng(12)
    randomize(network, generator)
    layers = [
        torch.nn.Linear(a, b, dtype=getattr(torch, dtype))
        for a, b in zip(model.sizes, model.sizes[1:], strict=False)
    ]
    with torch.no_grad():
        for number, layer in enumerate(layers, 1):
            layer.weight.copy_(torch.tensor(network.parameters[f"dense_{number}.weight"]))
            layer.bias.copy_(torch.tensor(network.parameters[f"dense_{number}.bias"]))
    peer = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.Tanh(), layers[2])
    peer_optimizer = make(torch, peer.parameters(), resolved("optimizer", name, chosen))
    if peer_optimizer is None:
        pytest.skip(f"PyTorch has no {name} of this form")
    peer_optimizer.add_param_group({"params": []})
    group = peer_optimizer.param_groups[0]
    peer_optimizer.param_groups[1]["params"] = [layer.bias for layer in layers]
    group["params"] = [layer.weight for layer in layers]
    if "weight_decay" not in group and l2 > 0.0:
        pytest.skip(f"PyTorch's {name} has no weight decay")
    group["weight_decay"] = l2

    # A rule with a decay of its own, apart from the gradient, is compared by that.
    own = {"weight_decay": l2} if "weight_decay" in resolved("optimizer", name, {}) else {}
    optimizer = _core.Optimizer({"type": name, **chosen, **own}, l2=0.0 if own else l2)
    x = generator.normal(size=(STEPS * BATCH, 20)).astype(dtype)
    teacher = generator.normal(size=(20, 10))
    y = (x @ teacher).argmax(axis=1).astype(np.int32)
    losses, peer_losses = [], []
    for row in range(0, len(x), BATCH):
        batch = slice(row, row + BATCH)
        losses.append(network.train(optimizer, x[batch], y[batch], batch_size=BATCH).loss / BATCH)
        peer_optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(peer(torch.tensor(x[batch])), torch.tensor(y[batch]).long())
        loss.backward()
        peer_optimizer.step()
        peer_losses.append(loss.item())
    np.testing.assert_allclose(losses, peer_losses, rtol=0, atol={"float32": 1e-5, "float64": 1e-10}[dtype])
    assert abs(losses[-1] - losses[0]) > 1e-3, "nothing was learned that could differ"


@pytest.mark.parametrize(("inputs", "units"), [(4, 5000), (300, 100), (1, 4000)])
def test_default_of_linear(inputs, units):
    """nn.Linear's weights and biases fill the same interval as torch_linear's."""
    layer = {
        "type": "dense",
        "units": units,
        "weight_initializer": "torch_linear",
        "bias_initializer": "torch_linear",
    }
    network = build([layer], [inputs])
    torch.manual_seed(1)
    linear = torch.nn.Linear(inputs, units, dtype=torch.float64)
    bound = 1.0 / math.sqrt(inputs)
    for ours, theirs in zip(network.parameters.values(), (linear.weight, linear.bias), strict=True):
        for values in (ours, theirs.detach().numpy()):
            assert np.max(np.abs(values)) <= bound
            # 20 standard deviations of the largest of n uniform numbers below their bound
            assert min(values.max(), -values.min()) > bound * (1.0 - 2.0 * 20.0 / values.size)
            assert values.std() == pytest.approx(bound / math.sqrt(3.0), rel=5.0 / math.sqrt(values.size))
