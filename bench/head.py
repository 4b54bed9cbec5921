"""Head training: ours, the same loop in PyTorch with its DataLoader, and scikit-learn.

    .venv/bin/python -m bench.head [--rounds 5] [--epochs 40] [--data FOLDER]

16,392 rows of 2,560 features, as 2,049 photos in 8 passes give: drawn around 26 class centres, so
that no class is free of mistakes. Ours and PyTorch: one Dense layer, Momentum, batch 64, cosine;
nothing is measured between epochs, and compiling counts. PyTorch has the number of threads with
which it is faster. scikit-learn's LogisticRegression has the fewest iterations after which its
training loss is at most what ours ended with; finding that number is not timed. A fourth row is
what no such loop can leave out, in NumPy: gathering 64 rows, and the two products with them. --data
takes the features of real photos, 8 augmented passes, normalised as the head does it.
"""
import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

from bench.machine import machine_and_day
from bench.peers import ask_torch, make_environment
from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore import runtime
from src_mindspore.configuration import Parser, resolve
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.evaluation.tables import format_table

ROWS, VAL_ROWS, WIDTH, CLASSES = 16_392, 2_080, 2_560, 26
SETTINGS = {"batch_size": 64, "lr": 0.02, "seed": 1}


def main(argv):
    """Measure and print the table."""
    parser = Parser(prog="python -m bench.head", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--data", metavar="FOLDER", help="photos; default: drawn rows")
    args = parser.parse_args(argv)
    make_environment()
    runtime.start()
    data = rows_of_photos(args.data) if args.data else draw_rows()
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        path = Path(temporary) / "rows.npz"
        np.savez(path, **data)
        sklearn = LogisticRegressionPeer(data)
        rounds = []
        for number in range(args.rounds):
            ours = train_ours(data, args.epochs)
            rounds.append({"ours": ours,
                           "PyTorch, DataLoader": ask_torch(
                               task="train", rows=str(path), classes=classes_of(data),
                               epochs=args.epochs, cores=runtime.usable_cores(), **SETTINGS),
                           "scikit-learn": sklearn.train(ours["loss"]),
                           "gathering and products alone": multiply_alone(data, args.epochs)})
            print(f"round {number + 1}: " + ", ".join(
                f"{name} {result['seconds']:.1f} s" for name, result in rounds[-1].items())
                + f"; PyTorch on {rounds[-1]['PyTorch, DataLoader']['threads']} thread(s), "
                f"scikit-learn in {rounds[-1]['scikit-learn']['iterations']} iterations",
                flush=True)
    print("\n" + machine_and_day() + "; {:,} rows of {:,}, ".format(*data["x"].shape)
          + f"{args.epochs} epochs, {'photos' if args.data else 'drawn'}")
    print(format_table(("candidate", "s", "to ours", "training loss",
                        f"accuracy of {len(data['val_y'])}"), [
        (name, f"{statistics.median(r[name]['seconds'] for r in rounds):.1f}",
         f"{statistics.median(r[name]['seconds'] / r['ours']['seconds'] for r in rounds):.1f}",
         *((f"{result['loss']:.4f}", f"{result['accuracy']:.1%}") if "loss" in result
           else (None, None)))
        for name, result in rounds[-1].items()]))


def draw_rows():
    """Return x, y, val_x, val_y: float32 rows around their class centres, and int32 classes."""
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 0.09, (CLASSES, WIDTH))
    data = {}
    for prefix, count in (("", ROWS), ("val_", VAL_ROWS)):
        labels = np.arange(count) % CLASSES
        data[f"{prefix}x"] = (centres[labels] + rng.normal(0, 1, (count, WIDTH))).astype(np.float32)
        data[f"{prefix}y"] = labels.astype(np.int32)
    return data


def rows_of_photos(folder):
    """Return the same of a folder's photos: 8 augmented passes of train, val clean; mean and max,
    square root and standardised, as the linear head prepares them."""
    from src_mindspore.data.prepare import prepare_photos
    from src_mindspore.features.of_config import extract_splits, prepare_backbone
    from src_mindspore.heads.build import HeadSpec
    from src_mindspore.training.rows import apply_in_chunks, joined, root_statistics

    config = resolve(KEYS, PRESETS, DEFAULT_PRESET, preset="course_best",
                     flags={"dataset_path": folder})
    caches = extract_splits(prepare_photos(config), prepare_backbone(config), config)
    prepare = HeadSpec(WIDTH // 2, 7, 2, reduction="mean+max", normalise=True).build().prepare
    prepare.fit(*root_statistics(caches["train"].features()))
    data = {}
    for prefix, cache in (("", caches["train"]), ("val_", caches["val"])):
        data[f"{prefix}x"] = joined(apply_in_chunks(prepare, cache.features()), len(cache))
        data[f"{prefix}y"] = cache.labels.astype(np.int32)
    return data


def classes_of(data):
    """Return how many classes the rows have."""
    return int(data["y"].max()) + 1


def train_ours(data, epochs):
    """Train as cross-validation does, all epochs without measuring any; seconds, results."""
    from src_mindspore.heads.build import HeadSpec
    from src_mindspore.training.loop import HeadTrainer
    from src_mindspore.training.rows import Split

    config = resolve(KEYS, PRESETS, DEFAULT_PRESET, preset="course_best", flags={
        "epochs": epochs, "batch_size": SETTINGS["batch_size"], "lr_max": SETTINGS["lr"],
        "optimizer": "momentum", "momentum": 0.9, "weight_decay": 0, "weight_init": "he",
        "reduction": "mean+max", "has_bias": True, "seed": SETTINGS["seed"]})
    head = HeadSpec(WIDTH // 2, 7, classes_of(data), reduction="mean+max").build()
    trainer = HeadTrainer(head, Split(data["x"], data["y"]), Split(data["val_x"], data["val_y"]),
                          config)
    started = time.perf_counter()
    trainer.train_to_the_end()
    seconds = time.perf_counter() - started
    logits = trainer.logits(trainer.val)
    return {"seconds": seconds, "loss": loss_of(trainer.logits(trainer.train), data["y"]),
            "accuracy": float((logits.argmax(1) == data["val_y"]).mean())}


def multiply_alone(data, epochs):
    """Time what every loop of these steps does: rows gathered, multiplied by the weights, and by
    the gradient of their logits. Nothing is learnt."""
    batch, classes = SETTINGS["batch_size"], classes_of(data)
    rng = np.random.default_rng(SETTINGS["seed"])
    weights = rng.normal(size=(data["x"].shape[1], classes)).astype(np.float32)
    slope = rng.normal(size=(batch, classes)).astype(np.float32)
    rows, logits = np.empty((batch, len(weights)), np.float32), np.empty_like(slope)
    gradient = np.empty_like(weights)
    started = time.perf_counter()
    for _ in range(epochs):
        order = rng.permutation(len(data["x"]))
        for first in range(0, len(order) - batch + 1, batch):
            np.take(data["x"], order[first:first + batch], axis=0, out=rows)
            np.dot(rows, weights, out=logits)
            np.dot(rows.T, slope, out=gradient)
    return {"seconds": time.perf_counter() - started}


def loss_of(logits, labels):
    """Return the mean cross-entropy."""
    from scipy.special import logsumexp
    return float((logsumexp(logits, axis=1) - logits[np.arange(len(labels)), labels]).mean())


class LogisticRegressionPeer:
    """scikit-learn's LogisticRegression, stopped at a training loss.

    It cannot be asked for a loss, only for a number of iterations; but the same number gives the
    same result, so the number is searched for once and then timed. (Iterations of their own with
    warm_start would lose what L-BFGS knows of the curvature, and be slower than it is.)

    Args:
        data: as `draw_rows` returns it.
    """

    def __init__(self, data):
        self.data = data
        self.losses = {0: np.log(classes_of(data))}

    def train(self, wanted_loss):
        """Fit until the training loss is at most as wanted; seconds of that fit, and results."""
        iterations = 1
        while self._loss(iterations) > wanted_loss:
            iterations *= 2
        low = iterations // 2  # known to be too few
        while iterations - low > max(1, low // 16):  # nearer than a sixteenth is near enough
            middle = (low + iterations) // 2
            low, iterations = (middle, iterations) if self._loss(middle) > wanted_loss \
                else (low, middle)
        started = time.perf_counter()
        model = self._fit(iterations)
        seconds = time.perf_counter() - started
        return {"seconds": seconds, "loss": self._loss(iterations), "iterations": iterations,
                "accuracy": model.score(self.data["val_x"], self.data["val_y"])}

    def _loss(self, iterations):
        if iterations not in self.losses:
            model = self._fit(iterations)
            self.losses[iterations] = loss_of(model.decision_function(self.data["x"]),
                                              self.data["y"])
            print(f"scikit-learn, {iterations} iterations: {self.losses[iterations]:.5f}",
                  flush=True)
        return self.losses[iterations]

    def _fit(self, iterations):
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression
        # Its own tolerance would end it before the loss that it is to reach.
        model = LogisticRegression(C=np.inf, tol=1e-12, max_iter=iterations)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early is what is wanted
            model.fit(self.data["x"], self.data["y"])
        if model.n_iter_[0] < iterations:
            raise LabError(f"scikit-learn ended after {model.n_iter_[0]} of {iterations} "
                           "iterations, above the loss it was to reach.")
        return model


if __name__ == "__main__":
    run_as_script(main)
