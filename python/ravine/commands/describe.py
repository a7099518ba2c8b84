"""`ravine describe`: the execution plan of a network as a table."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ravine.commands.describe_ranks import shares, shares_text
from ravine.commands.output import byte_count, print_json, table
from ravine.commands.run_argument import find_run
from ravine.commands.train import DEVICE, add_set, device_override, errors_naming
from ravine.errors import InputError, RunError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ravine._core import Network, Optimizer
    from ravine.experiment import Experiment

HELP = "show the plan of a network: operations, shapes, parameters, FLOPs and bytes"
EXAMPLE = "ravine describe digits --set compute.fuse=false"
MODES = ("training", "evaluation", "prediction")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "SOURCE", metavar="FILE|NAME|RUN", help="an experiment file, the name of an embedded one, or a run"
    )
    parser.add_argument("--mode", choices=MODES, default="training", help="which plan (default: training)")
    parser.add_argument("--batch", type=int, metavar="N", help="rows (default: the experiment's batch size)")
    parser.add_argument("--device", metavar="D", help=DEVICE)
    add_set(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    if arguments.batch is not None and arguments.batch < 1:
        raise InputError("must be at least 1", key="--batch")
    overrides = [*arguments.overrides, *device_override(arguments.device)]
    experiment = found_experiment(arguments.SOURCE, overrides)
    from ravine.training.batches import rows_of_batch
    from ravine.training.preparation import balanced_loss, build, load_parts

    with errors_naming(arguments.SOURCE, overrides):
        parts = load_parts(experiment)
        trainer = build(experiment, parts)
    network = trainer.network
    whole = min(rows_of_batch(experiment.training.batch_size, len(parts.train)), len(parts.train))
    in_parts = arguments.mode == "training" and not arguments.batch and network.batch_size < whole
    batch = arguments.batch or network.batch_size
    plan = network.describe(arguments.mode, batch)
    with errors_naming(arguments.SOURCE):
        ranks = shares(network, balanced_loss(experiment, parts), experiment, arguments.mode, batch)
    parameters = {
        name: {"shape": list(array.shape), "elements": int(array.size)}
        for name, array in network.parameters.items()
    }
    if arguments.json:
        print_json(
            {
                "name": experiment.name,
                "mode": arguments.mode,
                "batch_size": batch,
                "parts": -(-whole // batch) if in_parts else 1,
                "dtype": network.dtype,
                "device": network.device,
                "device_memory": network.device_memory,
                "threads": network.threads,
                **plan,
                "layers": network.layers,
                "tensors": parameters,
                "schedules": experiment.schedules,
                "parallel": parallel_settings(experiment),
                "ranks": ranks,
            }
        )
    else:
        rows = f"batch {whole} in parts of {batch}" if in_parts else f"batch {batch}"
        heading = f"{experiment.name}: {arguments.mode}, {rows}, {network.dtype} on {network.device}"
        threads = f"{network.threads} thread{'s' if network.threads > 1 else ''}"
        if experiment.compute.threads == "auto":
            threads += " until training has measured"
        print(f"{heading}, {threads}\n")
        totals = totals_text(network, trainer.optimizer, plan, arguments.mode)
        print(f"{operations_text(plan)}\n\n{layers_text(network)}\n\n{totals}")
        if in_parts:
            print(f"parts       {-(-whole // batch)} a step, whose gradients are added in one more buffer")
        if experiment.schedules:
            chosen = [f"{name} {schedule['type']}" for name, schedule in experiment.schedules.items()]
            print(f"schedules   {', '.join(chosen)}; to draw them: ravine schedule")
        if given := parallel_text(experiment):
            print(f"parallel    {given}")
        if ranks:
            print(f"\nshared by {len(ranks)} ranks:\n\n{shares_text(ranks, network)}")
    return 0


def parallel_settings(experiment: Experiment) -> dict[str, Any]:
    """How ranks would share the work."""
    import msgspec

    settings: dict[str, Any] = msgspec.to_builtins(experiment.parallel)
    return settings


def parallel_text(experiment: Experiment) -> str:
    """What mpirun would make of it, as far as it is given otherwise than by default."""
    from ravine.distributed.settings import ParallelSettings

    default = ParallelSettings()
    given = [
        f"{name} = {value}"
        for name, value in parallel_settings(experiment).items()
        if value != getattr(default, name)
    ]
    return f"{', '.join(given)}; one rank, without mpirun" if given else ""


def found_experiment(source: str, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment of a file, of a name, or of a run, looked for in this order."""
    from ravine.experiment import embedded_experiments, load_experiment

    path = Path(source)
    if path.is_file() or source in embedded_experiments():
        return load_experiment(source, overrides)
    try:
        return load_experiment(find_run(source).experiment_path, overrides)
    except RunError:
        if path.is_dir() or path.name != source:
            raise
        # A plain word: the message about experiments knows the names to suggest.
        return load_experiment(source, overrides)


def operations_text(plan: dict[str, Any]) -> str:
    # One type is that of the heading; where there are several, they are shown.
    typed = len({operation["type"] for operation in plan["operations"]}) > 1
    rows = [
        [
            f"{operation['phase']}{' rows' if operation['by_rows'] else ''}",
            operation["section"],
            operation["layer"],
            operation["operation"],
            operation["engine"],
            operation["shape"],
            *([operation["type"]] if typed else []),
            f"{operation['flops']:,.0f}",
            f"{operation['bytes']:,.0f}",
        ]
        for operation in plan["operations"]
    ]
    types = ["type"] if typed else []
    header = ["phase", "section", "layer", "operation", "engine", "output", *types, "FLOPs", "bytes"]
    return table(header, rows, right=(len(header) - 2, len(header) - 1))


def layers_text(network: Network) -> str:
    shapes: dict[str, list[str]] = {}
    for name, array in network.parameters.items():
        layer, _, tensor = name.rpartition(".")
        shapes.setdefault(layer, []).append(f"{tensor} {shape_text(array.shape)}")
    rows = [
        [
            layer["name"],
            layer["type"],
            shape_text(layer["input_shape"]),
            shape_text(layer["output_shape"]),
            ", ".join(shapes.get(layer["name"], [])),
            f"{layer['parameters']:,}",
        ]
        for layer in network.layers
    ]
    return table(["layer", "type", "input", "output", "tensors", "parameters"], rows, right=(5,))


def totals_text(network: Network, optimizer: Optimizer, plan: dict[str, Any], mode: str) -> str:
    arena, unshared = plan["arena_bytes"], plan["unshared_bytes"]
    without = f" ({arena / unshared:.0%} of the {byte_count(unshared)} without sharing)"
    sizes = {"parameters": network.flat_parameters.nbytes}
    if mode == "training":
        sizes["gradients"] = network.flat_gradients.nbytes
        sizes["optimizer"] = sum(slot.nbytes for slot in optimizer.slots.values())
    parts = [f"arena {byte_count(arena)}{without if unshared > arena else ''}"]
    parts += [f"{name} {byte_count(size)}" for name, size in sizes.items() if size > 0]
    lines = [
        f"parameters  {plan['parameters']:,}",
        f"FLOPs       {plan['flops']:,.0f} a batch",
        f"peak        {byte_count(arena + sum(sizes.values()))}: {', '.join(parts)}",
    ]
    if network.device_memory is not None:
        free, total = network.device_memory
        needed = arena + plan["beside_bytes"] + sum(sizes.values())
        lines.append(
            f"device      {byte_count(needed)} needed on {network.device}, "
            f"{byte_count(free)} of {byte_count(total)} free beside it"
        )
    return "\n".join(lines)


def shape_text(shape: Any) -> str:
    return " x ".join(str(extent) for extent in shape)
