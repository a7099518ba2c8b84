"""m <- mu m + (1 - mu) g; matrices: W <- W - eta lambda W - eta s O, O = NS(mu m + (1 - mu) g) or NS(m).

NS: X = D / |D|, five times X <- a X + (b A + c A^2) X with A = X X^T. All else: AdamW at a share of eta.

The tolerance of other rules, 1e-12, holds here too: NS makes small singular values larger by up to a^5 = 485,
so that an error of 1e-16 of |D| leaves it as at most 5e-14, and a step adds eta of that. As a polynomial it
turns nothing at will, as the orthogonal factor of a singular matrix would be.
"""

from __future__ import annotations

import numpy as np

CASES = [
    {},
    {"learning_rate": 0.01, "nesterov": False, "weight_decay": 0.3},
    {"learning_rate": 0.03, "scaling": "match_rms_adamw", "adamw_ratio": 1.0, "momentum": 0.8},
    {"adamw_ratio": 0.3, "beta1": 0.8, "beta2": 0.95, "epsilon": 0.01, "weight_decay": 0.1, "momentum": 0.0},
]


def orthogonalized(d):
    x = d / max(np.linalg.norm(d), 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x


def step_size(rows, columns, settings):
    if settings["scaling"] == "match_rms_adamw":
        return settings["learning_rate"] * 0.2 * max(rows, columns) ** 0.5
    return settings["learning_rate"] * max(1.0, rows / columns) ** 0.5


def step(theta, gradient, state, settings, t):
    g = gradient(theta)
    eta, mu, decay = (settings[key] for key in ("learning_rate", "momentum", "weight_decay"))
    b1, b2 = settings["beta1"], settings["beta2"]
    before_m, before_v = state["first_moment"], state["second_moment"]

    # As if nothing were a matrix.
    m, v = b1 * before_m + (1.0 - b1) * g, b2 * before_v + (1.0 - b2) * g**2
    m_hat, v_hat = m / (1.0 - b1**t), v / (1.0 - b2**t)
    rate = settings["adamw_ratio"] * eta
    after = theta * (1.0 - rate * decay * settings["decays"]) - rate * m_hat / (
        np.sqrt(v_hat) + settings["epsilon"]
    )

    for begin, shape in settings["matrices"]:
        own = slice(begin, begin + shape[0] * shape[1])
        m[own], v[own] = mu * before_m[own] + (1.0 - mu) * g[own], before_v[own]
        d = mu * m[own] + (1.0 - mu) * g[own] if settings["nesterov"] else m[own]
        kept = theta[own] * (1.0 - eta * decay * settings["decays"][own])
        after[own] = kept - step_size(*shape, settings) * orthogonalized(d.reshape(shape)).ravel()
    state["first_moment"], state["second_moment"] = m, v
    return after


def torch_equivalent(torch, parameters, settings):
    """PyTorch's Muon for matrices, without its rounding to bfloat16, and its AdamW for the rest."""

    class MuonAndAdamW(torch.optim.Optimizer):
        def __init__(self):
            super().__init__(list(parameters), {"weight_decay": settings["weight_decay"]})
            self.rules = []

        def step(self):
            if not self.rules:
                rate = settings["learning_rate"]
                betas = (settings["beta1"], settings["beta2"])
                for group in self.param_groups:
                    decay = group["weight_decay"] if group is self.param_groups[0] else 0.0
                    matrices = [p for p in group["params"] if p.ndim == 2]
                    others = [p for p in group["params"] if p.ndim != 2]
                    if matrices:
                        self.rules.append(
                            torch.optim.Muon(
                                matrices,
                                lr=rate,
                                weight_decay=decay,
                                momentum=settings["momentum"],
                                nesterov=settings["nesterov"],
                                adjust_lr_fn=settings["scaling"],
                            )
                        )
                    if others:
                        self.rules.append(
                            torch.optim.AdamW(
                                others,
                                lr=settings["adamw_ratio"] * rate,
                                betas=betas,
                                eps=settings["epsilon"],
                                weight_decay=decay,
                            )
                        )
            rounded = torch.Tensor.bfloat16
            torch.Tensor.bfloat16 = torch.Tensor.clone
            try:
                for rule in self.rules:
                    rule.step()
            finally:
                torch.Tensor.bfloat16 = rounded

    return MuonAndAdamW()
