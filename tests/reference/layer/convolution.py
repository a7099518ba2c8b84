"""y[i, j, o] = f(sum over u, v, c of W[o, u, v, c] x[i s + u d - p, j s + v d - p, c] + b[o]), in loops.

Images are (height, width, channels); a group of filters sees its part of the channels only.
"""

from __future__ import annotations

import numpy as np
from reference.catalog import nested

CASES = [
    *(({"units": 2, "kernel": 2, "activation": name}, (3, 3, 1)) for name in ("relu", "gelu")),
    ({"units": 3, "kernel": 3, "padding": "same", "use_bias": False}, (3, 4, 2)),
    ({"units": 4, "kernel": 2, "kernel_width": 3, "stride": 2, "pad": 1, "groups": 2}, (4, 3, 4)),
    ({"units": 2, "kernel": 2, "dilation": 2, "groups": 2, "padding": "same"}, (4, 3, 2)),
    ({"units": 3, "kernel": 1, "activation": "tanh"}, (2, 3, 4)),
    ({"units": 2, "kernel": 1, "stride": 3, "groups": 2}, (4, 5, 2)),
    ({"units": 2, "kernel": 3, "stride": 3, "padding": "same"}, (5, 4, 1)),
    ({"units": 3, "kernel": 2, "weight_normalization": True, "activation": "tanh"}, (3, 4, 2)),
    ({"units": 4, "kernel": 2, "groups": 2, "weight_normalization": True, "use_bias": False}, (3, 3, 4)),
]


def padding_of(extent, size, settings):
    """Padding before and behind, and the number of outputs."""
    stride = settings["stride"] or size
    span = (size - 1) * settings.get("dilation", 1) + 1
    if settings["padding"] == "same":
        outputs = -(-extent // stride)
        total = max((outputs - 1) * stride + span - extent, 0)
        return total // 2, total - total // 2, outputs
    pad = settings["pad"]
    return pad, pad, (extent + 2 * pad - span) // stride + 1


def forward(x, parameters, settings, mask_key):
    weight = parameters["direction" if settings["weight_normalization"] else "weight"]
    if settings["weight_normalization"]:
        lengths = np.sqrt((weight**2).sum(axis=(1, 2, 3), keepdims=True))
        weight = parameters["gain"][:, None, None, None] * weight / lengths
    filters, height, width, channels = weight.shape
    top, bottom, rows = padding_of(x.shape[1], height, settings)
    left, right, columns = padding_of(x.shape[2], width, settings)
    stride, dilation = settings["stride"], settings["dilation"]
    padded = np.pad(x, [(0, 0), (top, bottom), (left, right), (0, 0)])
    net = np.zeros((len(x), rows, columns, filters))
    per_group = filters // settings["groups"]
    for i in range(rows):
        for j in range(columns):
            for u in range(height):
                for v in range(width):
                    value = padded[:, i * stride + u * dilation, j * stride + v * dilation]
                    for o in range(filters):
                        first = o // per_group * channels
                        net[:, i, j, o] += value[:, first : first + channels] @ weight[o, u, v]
    if settings["use_bias"]:
        net += parameters["bias"]
    rule, rule_settings = nested("activation", settings["activation"])
    return rule.forward(net, rule_settings)


def torch_padded(torch, x, sizes, settings, value=0.0):
    """Channels first, padded on four sides."""
    top, bottom, _ = padding_of(x.shape[1], sizes[0], settings)
    left, right, _ = padding_of(x.shape[2], sizes[1], settings)
    return torch.nn.functional.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom), value=value)


def torch_weight_normalized(torch, parameters):
    """By PyTorch's parametrization of a weight, with our gain and direction in the place of its own."""
    direction, gain = parameters["direction"], parameters["gain"]
    convolution = torch.nn.Conv2d(1, 1, 1, dtype=direction.dtype)
    convolution.weight = torch.nn.Parameter(direction.detach().clone())
    module = torch.nn.utils.parametrizations.weight_norm(convolution)
    own = dict(module.parametrizations.weight.named_parameters())
    replaced = {"original0": gain.view(own["original0"].shape), "original1": direction}
    return torch.func.functional_call(module.parametrizations.weight, replaced, ())


def torch_equivalent(torch, x, parameters, settings):
    if settings["weight_normalization"]:
        weight = torch_weight_normalized(torch, parameters).permute(0, 3, 1, 2)
    else:
        weight = parameters["weight"].permute(0, 3, 1, 2)
    net = torch.nn.functional.conv2d(
        torch_padded(torch, x, weight.shape[2:], settings),
        weight,
        parameters.get("bias"),
        stride=settings["stride"],
        dilation=settings["dilation"],
        groups=settings["groups"],
    ).permute(0, 2, 3, 1)
    rule, rule_settings = nested("activation", settings["activation"])
    return rule.torch_equivalent(torch, net, rule_settings)
