"""The network: features, a causal convolution and a GRU. Training uses whole sequences, serving single hops.

Everything after resampling is part of the network, and so of the ONNX graph: its inputs are raw rows (m/s², rad/s) and
the state.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dataset import LABELS
from resample import RATE_HZ, ROWS

GRAVITY_S, TILT_S = 0.5, 3.0
"""Time constants in seconds of two first-order low passes: the current direction of gravity, and the earlier one."""
ACC_SCALE, GYRO_SCALE = 9.80665, 2.0
FEATURES = 17
KERNEL = 5
STEPS = 2
"""GRU steps per hop."""


def low_pass(rows: Tensor, start: Tensor, seconds: float) -> Tensor:
    """First-order low pass over one hop, gᵢ = gᵢ₋₁ + α (aᵢ − gᵢ₋₁): (N, ROWS, 3) rows after (N, 3) start."""
    keep = math.exp(-1 / (seconds * RATE_HZ))
    i = torch.arange(ROWS)
    lag = i[:, None] - i[None, :]
    kernel = torch.where(lag >= 0, (1 - keep) * keep ** lag.clamp(min=0), 0.0)
    return torch.matmul(kernel, rows) + (keep ** (i + 1))[None, :, None] * start[:, None]


def norm(x: Tensor) -> Tensor:
    return torch.sqrt((x * x).sum(-1, keepdim=True) + 1e-6)


def features(rows: Tensor, gravity: Tensor, tilt: Tensor) -> Tensor:
    """(N, T, 6) rows and their two low passes (N, T, 3) to (N, T, FEATURES). All features are of order one.

    The raw axes depend on the orientation of the device. The other features do not.
    """
    a, w = rows[..., :3], rows[..., 3:]
    down, was = gravity / norm(gravity), tilt / norm(tilt)
    a_down, w_down = (a * down).sum(-1, keepdim=True), (w * down).sum(-1, keepdim=True)
    return torch.cat(
        [
            a / ACC_SCALE,
            w / GYRO_SCALE,
            gravity / ACC_SCALE,
            norm(a) / 5 - 2,
            norm(w) / 2,
            (a_down - norm(gravity)) / 5,
            norm(a - a_down * down) / 5,
            w_down / 2,
            norm(w - w_down * down) / 2,
            (down * was).sum(-1, keepdim=True),
            norm(down - was),
        ],
        -1,
    )


def lowpasses(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Both low passes over whole sequences (N, T, 6), from the first row on."""
    a = rows[..., :3]
    gravity, tilt, out = a[:, 0], a[:, 0], ([], [])
    for hop in a.split(ROWS, 1):
        out[0].append(low_pass(hop, gravity, GRAVITY_S))
        out[1].append(low_pass(hop, tilt, TILT_S))
        gravity, tilt = out[0][-1][:, -1], out[1][-1][:, -1]
    return torch.cat(out[0], 1), torch.cat(out[1], 1)


class Member(nn.Module):
    """One voter of the ensemble: convolutions over 5 rows, then over half a hop, then a GRU."""

    def __init__(self, channels: int, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.hidden = hidden
        self.fine = nn.Linear(FEATURES * KERNEL, channels)
        self.coarse = nn.Linear(channels * (ROWS // STEPS), width)
        self.gru = nn.GRU(width, hidden, batch_first=True)
        self.out = nn.Linear(hidden, len(LABELS))
        self.dropout = nn.Dropout(dropout)

    def convolve(self, padded: Tensor) -> Tensor:
        """(N, KERNEL − 1 + T, FEATURES) to (N, T · STEPS / ROWS, width).

        These are products of matrices, because their rows do not depend on each other.
        """
        n, rows = padded.shape[0], padded.shape[1] - KERNEL + 1
        x = torch.cat([padded[:, i : i + rows] for i in range(KERNEL)], -1)
        x = self.dropout(F.silu(self.fine(x)))
        return self.dropout(F.silu(self.coarse(x.reshape(n, -1, self.coarse.in_features))))

    def forward(self, f: Tensor) -> Tensor:
        """(N, T, FEATURES) to logits at each hop's end, (N, T / ROWS, labels)."""
        h, _ = self.gru(self.convolve(F.pad(f, (0, 0, KERNEL - 1, 0))))
        return self.out(self.dropout(h[:, STEPS - 1 :: STEPS]))

    def step(self, padded: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """One hop: (N, KERNEL − 1 + ROWS, FEATURES) and h (N, hidden) to logits (N, labels) and the next h."""
        inputs = F.linear(self.convolve(padded), self.gru.weight_ih_l0, self.gru.bias_ih_l0)
        for i in range(STEPS):
            ir, iz, inew = inputs[:, i].chunk(3, -1)
            hr, hz, hnew = F.linear(h, self.gru.weight_hh_l0, self.gru.bias_hh_l0).chunk(3, -1)
            update = torch.sigmoid(iz + hz)
            h = (1 - update) * torch.tanh(inew + torch.sigmoid(ir + hr) * hnew) + update * h
        return self.out(h), h


class Serving(nn.Module):
    """Scores one hop. The members share the features, and their probabilities are averaged.

    state (N, S): gravity 3, tilt 3, started 1, the last KERNEL − 1 feature rows, h of each member. A state of zeros
    starts a new stream.
    """

    def __init__(self, members: list[Member]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.sizes = [3, 3, 1, (KERNEL - 1) * FEATURES, *(m.hidden for m in members)]

    def forward(self, readings: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        gravity, tilt, started, context, *hidden = torch.split(state, self.sizes, 1)
        a = readings[..., :3]
        gravity = low_pass(a, torch.where(started > 0, gravity, a[:, 0]), GRAVITY_S)
        tilt = low_pass(a, torch.where(started > 0, tilt, a[:, 0]), TILT_S)
        padded = torch.cat([context.reshape(-1, KERNEL - 1, FEATURES), features(readings, gravity, tilt)], 1)
        stepped = [m.step(padded, h) for m, h in zip(self.members, hidden)]
        probabilities = sum(torch.softmax(logits, -1) for logits, _ in stepped) / len(stepped)
        kept = [gravity[:, -1], tilt[:, -1], torch.ones_like(started), padded[:, ROWS:].flatten(1)]
        return probabilities, torch.cat([*kept, *(h for _, h in stepped)], 1)
