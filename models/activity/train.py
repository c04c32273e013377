"""Trains the activity model.

    python train.py --data DIR                      all subjects: model.onnx, probe.json, manifest.json beside this file
    python train.py --data DIR --cross-validate     three folds by subject, the same recipe: cross-validation.json

With `--store DIR` the first command also logs a run to that MLflow file store: parameters, how well the model labels
the recordings that it was trained on, and the model.

The same seed, data, machine and package versions give the same weights. Each command takes --jobs N processes.
"""

from __future__ import annotations

import argparse
import copy
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augment import Segment, cut, join, vary
from dataset import LABELS, Recording, read_dataset
from evaluate import confusion, report, session
from export import onnx_bytes, write_model
from figures import input_statistics
from network import Member, features, lowpasses
from resample import HOP_MS, ROWS, resample, targets
from track import fit, log_run

FOLDS = 3


@dataclass(frozen=True)
class Recipe:
    """Everything except data and seed that determines the weights."""

    members: int = 2
    channels: int = 48
    width: int = 64
    hidden: int = 96
    dropout: float = 0.3
    epochs: int = 70
    learning_rate: float = 3e-3
    weight_decay: float = 2e-2
    cut_share: float = 0.15
    """Fraction of the streams that begin in the middle of a recording."""


def by_stream(recordings: list[Recording]) -> list[list[Recording]]:
    streams: dict[tuple[str, str], list[Recording]] = {}
    for r in recordings:
        streams.setdefault((r.subject, r.device), []).append(r)
    return list(streams.values())


def joined_streams(
    streams: list[list[Recording]], count: int, recipe: Recipe, rng: np.random.Generator
) -> list[Segment]:
    """`count` streams, each of up to four recordings of one subject and device, with gaps of at most 1.3 s."""
    result = []
    for _ in range(count):
        source = streams[rng.integers(len(streams))]
        segments = vary([source[i] for i in rng.permutation(len(source))[:4]], rng)
        if rng.random() < recipe.cut_share:
            segments[0] = cut(segments[0], rng)
        gaps = rng.choice([10, 10, 200, 1000], len(segments)) + rng.random(len(segments)) * 300
        result.append(join(segments, gaps, rng.random() * HOP_MS))
    return result


def single_streams(recordings: list[Recording], count: int, recipe: Recipe, rng: np.random.Generator) -> list[Segment]:
    """`count` streams of one recording each, as after a reset."""
    result = []
    for _ in range(count):
        (segment,) = vary([recordings[rng.integers(len(recordings))]], rng)
        if rng.random() < recipe.cut_share:
            segment = cut(segment, rng)
        result.append(join([segment], np.zeros(1), rng.random() * HOP_MS))
    return result


def batch(segments: list[Segment]) -> tuple[Tensor, Tensor]:
    """Rows (N, T, 6), and counts of readings per label (N, T / ROWS, labels). Padding at the end has counts of zero."""
    resampled = [resample(t, v) for t, v, _ in segments]
    hops = max(len(rows) for _, rows in resampled) // ROWS
    x = np.zeros((len(segments), hops * ROWS, 6), np.float32)
    y = np.zeros((len(segments), hops, len(LABELS)), np.float32)
    for i, ((t, _, label), (start, rows)) in enumerate(zip(segments, resampled)):
        x[i, : len(rows)], x[i, len(rows) :] = rows, rows[-1]
        y[i, : len(rows) // ROWS] = targets(t, label, start, len(rows) // ROWS, len(LABELS))
    return torch.from_numpy(x), torch.from_numpy(y)


def loss_of(net: Member, rows: Tensor, counts: Tensor) -> Tensor:
    """Cross entropy of each hop's label shares and the output one hop later. Hops without readings do not count."""
    with torch.no_grad():
        f = features(rows, *lowpasses(rows))
    log_p, counts = F.log_softmax(net(f)[:, 1:], -1), counts[:, :-1]
    total = counts.sum(-1)
    entropy = -(counts / total.clamp(min=1)[..., None] * log_p).sum(-1)
    return entropy[total > 0].mean()


def train_member(recordings: list[Recording], seed: int, recipe: Recipe) -> Member:
    """Trains one member. Its weights are the running mean over the last steps."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = Member(recipe.channels, recipe.width, recipe.hidden, recipe.dropout)
    mean = copy.deepcopy(net)
    optimizer = torch.optim.AdamW(net.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    streams = by_stream(recordings)
    total = recipe.epochs * 2 * max(1, round(len(recordings) / 64))
    for step in range(total):
        if step % 2 == 0:
            segments = joined_streams(streams, 16, recipe, rng)
        else:
            segments = single_streams(recordings, 64, recipe, rng)
        rate = recipe.learning_rate * min(1, step / 30) * (0.5 + 0.5 * np.cos(np.pi * step / total))
        optimizer.param_groups[0]["lr"] = float(rate)
        optimizer.zero_grad()
        loss_of(net, *batch(segments)).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            for average, now in zip(mean.parameters(), net.parameters()):
                average.lerp_(now, 1 - min(0.99, (step + 1) / (step + 21)))
    return mean.eval()


def train(recordings: list[Recording], seed: int, recipe: Recipe, pool: ProcessPoolExecutor) -> list[Member]:
    jobs = [pool.submit(train_member, recordings, seed * 1000 + i, recipe) for i in range(recipe.members)]
    return [job.result() for job in jobs]


def folds_of(recordings: list[Recording]) -> list[list[str]]:
    """The subjects in FOLDS groups. The seed of the split is fixed."""
    subjects = np.random.default_rng(7).permutation(sorted({r.subject for r in recordings}))
    return [sorted(map(str, subjects[i::FOLDS])) for i in range(FOLDS)]


def cross_validate(recordings: list[Recording], seed: int, recipe: Recipe, pool: ProcessPoolExecutor) -> dict:
    """Scores each subject with a model that was made like the shipped one, but without this subject's data."""
    folds = folds_of(recordings)
    jobs = [
        [pool.submit(train_member, [r for r in recordings if r.subject not in fold], (seed + k + 1) * 1000 + i, recipe)
         for i in range(recipe.members)]
        for k, fold in enumerate(folds)
    ]
    matrices: dict[bool, dict] = {False: {}, True: {}}
    for fold, members in zip(folds, jobs):
        model = session(onnx_bytes([job.result() for job in members]))
        for joined in (False, True):
            matrices[joined] |= confusion(model, [r for r in recordings if r.subject in fold], joined)
        print("scored", *fold, flush=True)
    return {"seed": seed, "folds": folds, "asRecorded": report(matrices[False]), "joined": report(matrices[True])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--version", default="1.0.0")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=Recipe.epochs)
    parser.add_argument("--members", type=int, default=Recipe.members)
    parser.add_argument("--cross-validate", action="store_true")
    parser.add_argument("--store", type=Path)
    args = parser.parse_args()
    recordings = read_dataset(args.data)
    recipe = Recipe(epochs=args.epochs, members=args.members)
    with ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn")) as pool:
        if args.cross_validate:
            result = cross_validate(recordings, args.seed, recipe, pool)
            (args.out / "cross-validation.json").write_text(json.dumps(result, indent=1) + "\n")
            for way in ("asRecorded", "joined"):
                for device, f in result[way]["devices"].items():
                    print(way, device, {k: f[k] for k in ("accuracy", "macroF1", "awayAccuracy")})
        else:
            members = train(recordings, args.seed, recipe, pool)
            write_model(members, args.out, args.version, input_statistics(recordings))
            if args.store is not None:
                parameters = {"seed": args.seed, "recordings": len(recordings), **asdict(recipe)}
                print(log_run(args.store, args.out, parameters, fit(args.out, recordings)))


if __name__ == "__main__":
    main()
