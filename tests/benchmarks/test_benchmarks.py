"""The benchmarks run, and peers have the same networks. Nothing here looks at a time."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ravine import Sequential

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SCRIPTS = {
    "steps": "digits_mlp",
    "epochs": "digits_mlp",
    "growth": "depth",
    "accuracy": "mnist",
    "together": "digits_mlp",
    "app": "layers",
    "augmentation": "jitter",
    "gather": "64",
    "tables": "rows_100k",
    "distributed": "lenet",
    "scaling": "lenet",
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_runs_and_writes_its_results(script: str, tmp_path: Path) -> None:
    if script == "growth":
        pytest.importorskip("matplotlib", reason="the plot needs matplotlib: pip install '.[plots]'")
    if script == "app":
        pytest.importorskip("PySide6", reason="the app needs PySide6: pip install '.[app]'")
    words = [
        "--quick",
        "--without-peers",
        "--threads",
        "1",
        "--only",
        SCRIPTS[script],
        "--output",
        str(tmp_path),
    ]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / f"{script}.py", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "left out" not in done.stderr
    results = json.loads((tmp_path / f"{script}.json").read_text())
    assert {"date", "processor", "cores", "caches", "versions", "rows"} <= set(results)
    assert results["rows"]
    text = (tmp_path / f"{script}.md").read_text()
    assert results["processor"] in text
    assert text.strip() == done.stdout.strip()
    assert (tmp_path / "growth.png").exists() == (script == "growth")


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Imports a module of benchmarks/ as its scripts do."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    return __import__


def as_torch(torch: Any, value: np.ndarray, image: tuple[int, ...]) -> Any:
    """Weights in PyTorch's order; `image` is the shape that was flattened before, channels last."""
    if image and value.ndim == 2 and value.shape[1] == np.prod(image):
        value = value.reshape(-1, *image).transpose(0, 3, 1, 2).reshape(value.shape)
    if value.ndim == 4:
        value = value.transpose(0, 3, 1, 2)
    return torch.from_numpy(np.ascontiguousarray(value))


def test_networks_in_pytorch_give_the_same_outputs(benchmark: Any) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: `make peers` installs it")
    torch.set_num_threads(1)
    in_pytorch, workloads = benchmark("in_pytorch"), benchmark("workloads")
    for workload in workloads.WORKLOADS:
        network = Sequential(*workload.layers).network(
            workload.shape, loss="softmax_cross_entropy", batch_size=2, threads=1
        )
        before = [layer["input_shape"] for layer in network.layers if layer["type"] == "flatten"]
        model = in_pytorch.network(workload).eval()
        theirs = dict(model.named_parameters())
        assert len(theirs) == len(network.parameters), workload.name
        with torch.no_grad():
            for parameter, value in zip(theirs.values(), network.parameters.values(), strict=True):
                parameter.copy_(as_torch(torch, value, before[0] if before else ()))
            inputs, _ = in_pytorch.samples(workload, 2)
            outputs = model(inputs).numpy()
        own = network.forward(workload.arrays(2)[0])
        np.testing.assert_allclose(own, outputs, rtol=1e-3, atol=1e-4, err_msg=workload.name)


# In a process of its own: JAX starts threads, and tests that fork come after.
SIZES_IN_JAX = """
import json, contenders, in_jax, jax, workloads
sizes = {}
for workload in workloads.WORKLOADS:
    try:
        weights, _ = in_jax.network(workload.layers, workload.shape)
    except contenders.LeftOutError:
        continue
    sizes[workload.name] = sorted(one.size for one in jax.tree.leaves(weights))
print(json.dumps(sizes))
"""


def test_networks_of_jax_have_the_same_parameters(benchmark: Any) -> None:
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed: `make peers` installs it")
    done = subprocess.run(
        [sys.executable, "-c", SIZES_IN_JAX], cwd=BENCHMARKS, capture_output=True, text=True, check=True
    )
    sizes = json.loads(done.stdout)
    assert list(sizes) == ["digits_mlp", "deep_mlp", "mnist_mlp", "lenet", "adam_25m"]
    for workload in benchmark("workloads").WORKLOADS:
        if workload.name in sizes:
            network = Sequential(*workload.layers).network(
                workload.shape, loss="softmax_cross_entropy", batch_size=2
            )
            own = sorted(values.size for values in network.parameters.values())
            assert own == sizes[workload.name], workload.name


@pytest.mark.parametrize(
    ("costs", "end"), [([4, 1, 1, 1.1], None), ([4, 1, 1, 3, 9], 2), ([1, 1.5, 1, 1.5], 2)]
)
def test_linear_growth_ends_where_an_operation_becomes_dearer(
    costs: list[float], end: int | None, benchmark: Any
) -> None:
    rows = [{"microseconds": cost * 2**i, "flops": 2**i} for i, cost in enumerate(costs)]
    assert benchmark("growth").linear_until(rows) == end
