"""Arrays of other libraries are taken without a copy, where NumPy has their type, or refused in one line."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Any

import numpy as np
import pandas
import pytest

from ravine import InputError, Sequential, Trainer
from ravine.data import as_array, as_dataset, as_inputs
from ravine.layers import Dense
from ravine.optimizers import Adam

VALUES = np.random.RandomState(0).standard_normal((6, 3)).astype(np.float32)


def message(values: Any) -> str:
    with pytest.raises(InputError) as caught:
        as_array(values, "inputs")
    text = str(caught.value)
    assert text.startswith("inputs: ")
    assert "\n" not in text
    return text


class Exported:
    """Anything that has DLPack and nothing else."""

    def __init__(self, array: np.ndarray, device: int = 1) -> None:
        self.array, self.number = array, device

    def __dlpack__(self, **options: Any) -> Any:
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.number, 0


def test_dlpack_shares_memory() -> None:
    array = VALUES.copy()
    for found in (as_array(Exported(array), "inputs"), as_inputs(Exported(array))):  # type: ignore[arg-type]
        assert np.shares_memory(found, array)
        np.testing.assert_array_equal(found, VALUES)
    assert as_dataset(Exported(array), np.arange(6)).inputs.ctypes.data == array.ctypes.data  # type: ignore[arg-type]


def test_other_devices_are_named() -> None:
    text = message(Exported(VALUES, device=2))
    assert "on another device; bring it to the CPU with numpy.asarray" in text


def test_torch() -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(VALUES.copy())
    assert np.shares_memory(as_inputs(tensor), tensor.numpy())
    for requires in (tensor.clone().requires_grad_(), torch.nn.Parameter(tensor.clone())):
        found = as_inputs(requires)
        assert found.ctypes.data == requires.data_ptr()
        np.testing.assert_array_equal(found, VALUES)
    np.testing.assert_array_equal(as_inputs(tensor.T), VALUES.T)
    for element in (torch.bool, torch.uint8, torch.int64, torch.float16, torch.float64):
        cast = tensor.to(element)
        np.testing.assert_array_equal(as_array(cast, "inputs"), cast.numpy())
    assert as_dataset(tensor, torch.arange(6) % 2).task == "classification"
    text = message(tensor.to(torch.bfloat16))
    assert "is an array of torch (torch.bfloat16) that NumPy cannot take" in text
    assert text.endswith("; convert it to float32")
    assert "is an array of torch" in message(tensor.to_sparse())
    assert "cannot be used as an array of torch" in message(torch.empty(2, 3, device="meta"))


# In a process of its own: JAX starts threads, and tests that fork come after.
IN_JAX = """
import jax.numpy, numpy
from ravine.data import as_dataset, as_inputs
values = numpy.arange(12, dtype=numpy.float32).reshape(6, 2)
array = jax.numpy.asarray(values)
found = as_inputs(array)
numpy.testing.assert_array_equal(found, values)
assert found.ctypes.data == array.unsafe_buffer_pointer()
data = as_dataset(array, jax.numpy.asarray([0, 1, 2, 0, 1, 2]))
assert data.task == "classification" and data.targets.tolist() == [0, 1, 2, 0, 1, 2]
"""


def test_jax() -> None:
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed: `make peers` installs it")
    subprocess.run([sys.executable, "-c", IN_JAX], check=True)


def test_pandas() -> None:
    frame = pandas.DataFrame({"a": [1, 2, 3], "b": [1.5, 2.5, 3.5], "c": [True, False, True]})
    np.testing.assert_array_equal(as_inputs(frame[["a", "b"]]), [[1, 1.5], [2, 2.5], [3, 3.5]])
    np.testing.assert_array_equal(as_inputs(frame["b"]), [[1.5], [2.5], [3.5]])
    data = as_dataset(frame[["a", "b"]], frame["a"] - 1, frame["b"])
    assert data.task == "classification"
    np.testing.assert_array_equal(data.targets, [0, 1, 2])
    assert data.weights is not None
    np.testing.assert_array_equal(data.weights, [1.5, 2.5, 3.5])
    nullable = pandas.DataFrame({"a": pandas.array([1, 2, 3], dtype="Int64")})
    np.testing.assert_array_equal(as_inputs(nullable), [[1], [2], [3]])
    nullable.loc[1, "a"] = pandas.NA
    # pandas 2 gives objects, pandas 3 NaN.
    with pytest.raises(InputError, match=r"row 1: (a value is missing|inputs\[0\] is NaN)"):
        as_dataset(nullable, [0, 1, 0])
    frame["d"] = ["x", "y", "z"]
    assert "column 'd' is of type" in message(frame)
    frame["d"] = pandas.to_datetime(["2020-01-01"] * 3)
    assert "column 'd' is of type datetime64" in message(frame)
    with pytest.raises(InputError, match="column 'd'"):
        as_dataset(frame, [0, 1, 0])


def test_numpy_and_sequences() -> None:
    assert as_array(VALUES, "inputs") is VALUES
    masked = np.ma.masked_array(VALUES, np.zeros(VALUES.shape, bool))
    np.testing.assert_array_equal(as_array(masked, "inputs"), VALUES)
    masked[2, 1] = np.ma.masked
    assert "masked" in message(masked)
    assert "is no array" in message([[1.0, 2.0], [3.0]])


@pytest.mark.parametrize("library", ["torch", "pandas"])
def test_training_gives_the_same_bits(library: str) -> None:
    module = pytest.importorskip(library)
    wrap = {"torch": "tensor", "pandas": "DataFrame"}[library]
    labels = np.array([0, 1, 2, 0, 1, 2])

    def trained(inputs: Any, targets: Any) -> tuple[Any, ...]:
        trainer = Trainer(
            Sequential(Dense(3)), loss="softmax_cross_entropy", optimizer=Adam(0.01), batch_size=2, seed=1
        )
        trainer.fit(inputs, targets, epochs=2, validation=(inputs, targets))
        return (
            trainer.predict(inputs),
            trainer.evaluate(inputs, targets),
            trainer.network.flat_parameters.copy(),
        )

    expected = trained(VALUES, labels)
    found = trained(getattr(module, wrap)(VALUES), getattr(module, wrap)(labels))
    np.testing.assert_array_equal(found[0], expected[0])
    assert found[1] == expected[1]
    np.testing.assert_array_equal(found[2], expected[2])


def test_nothing_is_imported_for_it() -> None:
    code = (
        "import sys, numpy, ravine; ravine.data.as_dataset(numpy.eye(2), [0, 1]);"
        "print([name for name in ('torch', 'jax', 'pandas', 'PIL') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
