"""The same work in PyTorch, run by `.venv-bench`: MobileNetV2 in eager mode, and a head.

MobileNetV2 is written here from the paper's table 2 (Sandler et al., arXiv:1801.04381) and takes
this project's weights by name; photos are decoded and augmented by this project's functions in a
DataLoader, so both compute the same features from the same pixels.
"""
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
          (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
TRIAL_STEPS = 50


class SameConv(nn.Conv2d):
    """A convolution padded as Keras pads: below and on the right where the stride is 2."""

    def forward(self, x):
        side = self.kernel_size[0]
        total = [max((-(-n // self.stride[0]) - 1) * self.stride[0] + side - n, 0)
                 for n in x.shape[2:]]
        pads = (total[1] // 2, total[1] - total[1] // 2, total[0] // 2, total[0] - total[0] // 2)
        return super().forward(functional.pad(x, pads) if any(pads) else x)


def conv(inputs, outputs, side, stride=1, groups=1):
    """Convolution and BatchNorm."""
    return [SameConv(inputs, outputs, side, stride, groups=groups, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-5)]


class Block(nn.Module):
    """Inverted residual."""

    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        hidden = inputs * expansion
        expand = [*conv(inputs, hidden, 1), nn.ReLU6()] if expansion > 1 else []
        self.layers = nn.Sequential(*expand, *conv(hidden, hidden, 3, stride, hidden), nn.ReLU6(),
                                    *conv(hidden, outputs, 1))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        y = self.layers(x)
        return x + y if self.residual else y


def mobilenet_v2(weights, eps):
    """Build the network: (N, 3, H, W) -> (N, 2560) mean and max.

    Args:
        weights: list of (kernel, gamma, beta, mean, variance) in the order of the layers.
        eps: float, of BatchNorm.
    """
    layers, channels = [*conv(3, 32, 3, 2), nn.ReLU6()], 32
    for expansion, outputs, blocks, stride in STAGES:
        for number in range(blocks):
            layers.append(Block(channels, outputs, stride if number == 0 else 1, expansion))
            channels = outputs
    network = nn.Sequential(*layers, *conv(channels, 1280, 1), nn.ReLU6()).eval()
    convs = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    with torch.no_grad():
        for layer, norm, values in zip(convs, norms, weights, strict=True):
            targets = (layer.weight, norm.weight, norm.bias, norm.running_mean, norm.running_var)
            for target, value in zip(targets, values, strict=True):
                target.copy_(torch.from_numpy(value))
            norm.eps = eps
    return network


def load(path):
    """Read the weights that bench.extraction wrote."""
    with np.load(path, allow_pickle=False) as file:
        values = [file[f"a{number}"] for number in range(len(file.files) - 1)]
        return mobilenet_v2([values[i:i + 5] for i in range(0, len(values), 5)],
                            float(file["eps"]))


class Photos(torch.utils.data.Dataset):
    """One augmented view of each photo, as a normalised tensor."""

    def __init__(self, root, paths, spec, augmentation, seed):
        self.of = root, paths, spec, augmentation, seed

    def __len__(self):
        return len(self.of[1])

    def __getitem__(self, number):
        from src_mindspore.data.augment import augment, rng_for
        from src_mindspore.data.decode import load_rgb
        from src_mindspore.data.preprocess import normalise
        root, paths, spec, augmentation, seed = self.of
        view = augment(load_rgb(Path(root) / paths[number]), spec, augmentation,
                       rng_for(seed, paths[number], 0))
        return torch.from_numpy(normalise(view, spec))


def extract(job):
    """Files on disk to features on disk; returns seconds by the clock and of processor time."""
    from src_mindspore.data.augment import AugmentSpec
    from src_mindspore.data.preprocess import PreprocessSpec
    network = load(job["weights"])
    augmentation = AugmentSpec(**{name: tuple(v) if isinstance(v, list) else v
                                  for name, v in job["augmentation"].items()})
    photos = Photos(job["root"], job["paths"], PreprocessSpec.from_dict(job["preprocess"]),
                    augmentation, job["seed"])
    loader = torch.utils.data.DataLoader(photos, job["batch_size"], num_workers=job["workers"])
    started, before = time.perf_counter(), time.process_time()
    with torch.inference_mode():
        for number, images in enumerate(loader):
            maps = network(images)
            rows = torch.cat((maps.mean((2, 3)), maps.amax((2, 3))), 1).numpy()
            np.save(Path(job["folder"]) / f"feature_{number}.npy", rows)
    seconds = time.perf_counter() - started
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return seconds, sum(u.ru_utime + u.ru_stime for u in usage) - before


def train(job):
    """Train a Dense layer with a DataLoader and Momentum; returns seconds and results.

    Its threads wait for each other in every small product of a step, so one thread may be faster
    than all cores: both are tried on a few steps, and the faster one trains.
    """
    with np.load(job["rows"], allow_pickle=False) as file:
        x, y, val_x, val_y = (torch.from_numpy(file[n]) for n in ("x", "y", "val_x", "val_y"))
    data = torch.utils.data.TensorDataset(x, y.long())
    trial = torch.utils.data.TensorDataset(*data[:TRIAL_STEPS * job["batch_size"]])
    seconds = {}
    for threads in {1, job["cores"]}:
        torch.set_num_threads(threads)
        fit(trial, {**job, "epochs": 1})  # what only the first steps of a process do
        seconds[threads] = fit(trial, {**job, "epochs": 1})[1]
    threads = min(seconds, key=seconds.get)
    torch.set_num_threads(threads)
    head, spent = fit(data, job)
    loss_of = nn.CrossEntropyLoss()
    with torch.inference_mode():
        return {"seconds": spent, "threads": threads, "loss": float(loss_of(head(x), y.long())),
                "accuracy": float((head(val_x).argmax(1) == val_y).float().mean())}


def fit(data, job):
    """Train a new Dense layer on a TensorDataset; returns it and the seconds."""
    torch.manual_seed(job["seed"])
    head = nn.Linear(data[0][0].shape[0], job["classes"])
    optimizer = torch.optim.SGD(head.parameters(), job["lr"], momentum=0.9)
    loader = torch.utils.data.DataLoader(data, job["batch_size"], shuffle=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, job["epochs"] * len(loader))
    loss_of = nn.CrossEntropyLoss()
    started = time.perf_counter()
    for _ in range(job["epochs"]):
        for rows, labels in loader:
            optimizer.zero_grad()
            loss_of(head(rows), labels).backward()
            optimizer.step()
            schedule.step()
    return head, time.perf_counter() - started


if __name__ == "__main__":
    task = json.loads(sys.stdin.read())
    torch.set_num_threads(task["cores"])
    print(json.dumps({"extract": extract, "train": train}[task["task"]](task)))
