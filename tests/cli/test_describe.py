"""`ravine describe`."""

from __future__ import annotations

from typing import Any

import pytest


def test_training_plan(ravine) -> None:
    plan = ravine("describe", "digits", "--json").json
    sections = [operation["section"] for operation in plan["operations"]]
    assert sections[0] == "forward"
    assert "backward" in sections
    assert plan["parameters"] == 64 * 100 + 100 + 100 * 10 + 10
    assert plan["tensors"]["dense_1.weight"] == {"shape": [100, 64], "elements": 6400}
    # A product of [32, 64] and [64, 100]: a multiplication and an addition for each term.
    first = plan["operations"][0]
    assert first["flops"] == pytest.approx(2 * 32 * 64 * 100, rel=0.05)
    assert plan["flops"] == pytest.approx(sum(operation["flops"] for operation in plan["operations"]))
    # Samples go through all layers and back, row by row; then the gradients of weights, which need all rows.
    phases = [(operation["phase"], operation["by_rows"]) for operation in plan["operations"]]
    assert phases == [(1, True)] * 4 + [(2, False)] * 4
    assert 0 < plan["arena_bytes"] <= plan["unshared_bytes"]


def test_prediction_has_no_backward_pass(there) -> None:
    plan = there("describe", "runs/digits", "--mode", "prediction", "--batch", "64", "--json").json
    assert {operation["section"] for operation in plan["operations"]} == {"forward"}
    assert plan["operations"][0]["shape"].startswith("64 x ")


def test_tables(ravine) -> None:
    text = ravine("describe", "digits").out
    for expected in ("operation", "FLOPs", "dense_1", "weight 100 x 64", "parameters  7,510", "peak"):
        assert expected in text


def test_passes_are_seen(ravine) -> None:
    """Without fusion each activation is an operation; without phases each operation is a phase."""

    def plan(*settings: str) -> Any:
        overrides = [word for setting in settings for word in ("--set", f"compute.{setting}")]
        return ravine("describe", "digits", *overrides, "--json").json

    def names(described: Any) -> list[str]:
        return [operation["operation"] for operation in described["operations"]]

    fused, plain = plan(), plan("fuse=false", "phases=false")
    assert "product + bias + tanh" in names(fused)
    assert "tanh" in names(plain)
    assert [operation["phase"] for operation in plain["operations"]] == [*range(1, len(names(plain)) + 1)]
    alone = plan("share_memory=false")
    assert alone["arena_bytes"] == alone["unshared_bytes"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["digts"], "did you mean 'digits'?"),
        (["digits", "--batch", "0"], "--batch: must be at least 1"),
        (["digits", "--mode", "train"], "did you mean 'training'?"),
    ],
)
def test_bad_arguments(ravine, words: list[str], expected: str) -> None:
    assert expected in ravine("describe", *words).one_line_error()


def test_what_ranks_that_share_a_network_do(ravine) -> None:
    words = ["describe", "digits", "--set", "parallel.model=2", "--set", "parallel.split=['dense_1']"]
    rows = ravine(*words, "--json").json["ranks"]
    assert [row["rank"] for row in rows] == [0, 1]
    for row in rows:
        assert row["places"]["dense_1"] == "50 + 50 units"
        assert row["places"]["dense_2"] == "every rank"
        assert row["parameters"] == 50 * 64 + 50 + 10 * 100 + 10
        assert row["tensors"]["dense_1.weight"] == [50, 64]
        # Its columns of the layer's output, and a square of each of four parameters.
        assert [(one["operation"], one["sent"]) for one in row["sends"]] == [
            ("gather columns", 32 * 50 * 4),
            ("merge measurements", 4 * 8),
        ]
        assert row["sent_bytes"] == 32 * 50 * 4 + 4 * 8
    text = ravine(*words).out
    for expected in ("shared by 2 ranks", "50 + 50 units", "every rank", "sends a step", "6.3 KiB"):
        assert expected in text
    assert ravine("describe", "digits", "--json").json["ranks"] == []
    error = ravine("describe", "digits", "--set", "parallel.model=2").one_line_error()
    assert "there is nothing in this network that 2 ranks could share" in error
