"""The training loop of a head: one visible loop over epochs, one compiled step in MindSpore."""
import dataclasses
import math
import time

import mindspore as ms
import numpy as np
from mindspore import nn

from src_mindspore.errors import LabError
from src_mindspore.training.losses import SoftmaxCrossEntropy
from src_mindspore.training.optimizers import build_optimizer
from src_mindspore.training.schedules import build_lr

# Rows a forward pass sees at once when a whole split is evaluated.
EVAL_ROWS = 4096


@dataclasses.dataclass(frozen=True)
class Split:
    """Rows of one split: (N, F) float32 features (array or MappedRows) and (N,) int32 labels."""

    rows: object
    labels: np.ndarray


class HeadTrainer:
    """Trains the Dense layer of a head on cached features.

    What the head does before its Dense layer (`prepare`) has no parameters to learn, so it
    is computed once for rows that are resident, and a batch at a time for rows on disk.

    Args:
        head: Cell with `prepare` (a Cell (N, F) -> (N, G)) and `dense` (a Dense (N, G) -> (N, C)).
        train, val: Split.
        config: the configuration; epochs, batch_size, optimizer, schedule, seed, ... are read.

    Attributes:
        history: list of dicts, one an epoch.
    """

    def __init__(self, head, train, val, config):
        self.head = head
        self.config = config
        self.train = self._prepared(train)
        self.val = self._prepared(val)
        self.steps_per_epoch = math.ceil(len(train.labels) / config.batch_size)
        self.rates = build_lr(
            self.steps_per_epoch * config.epochs, config.lr_init, config.lr_end, config.lr_max,
            self.steps_per_epoch * config.warmup_epochs, config.decay_type, config.decay_rate,
            config.decay_steps)
        num_classes = head.dense.out_channels
        self.loss = SoftmaxCrossEntropy(num_classes, config.label_smoothing)
        self.optimizer = build_optimizer(config.optimizer, list(head.dense.trainable_params()),
                                         self.rates, config.momentum, config.weight_decay)
        self.step = nn.TrainOneStepCell(nn.WithLossCell(head.dense, self.loss), self.optimizer)
        self.history = []

    def _prepared(self, split):
        if not isinstance(split.rows, np.ndarray):
            return split
        return Split(apply_in_chunks(self.head.prepare, split.rows), split.labels)

    def _inputs(self, split, numbers):
        rows = split.rows[numbers]
        if isinstance(split.rows, np.ndarray):
            return rows
        return self.head.prepare(ms.Tensor(rows)).asnumpy()

    def run(self):
        """Train epoch by epoch, from the one after the last in `history`.

        Yields:
            dict per epoch: epoch (from 1), learning_rate (of its last step), train_loss,
            train_top1, train_top5, val_loss, val_top1, val_top5 (shares from 0 to 1), seconds.

        Raises:
            LabError: the loss is not a finite number.
        """
        for epoch in range(len(self.history) + 1, self.config.epochs + 1):
            started = time.perf_counter()
            self._train_one_epoch(epoch)
            row = {"epoch": epoch, "learning_rate": self.rates[epoch * self.steps_per_epoch - 1]}
            for name, split in (("train", self.train), ("val", self.val)):
                row.update({f"{name}_{k}": v for k, v in self._measure(split).items()})
            row["seconds"] = time.perf_counter() - started
            self.history.append(row)
            yield row

    def train_to_the_end(self):
        """Train all epochs without measuring any, as cross-validation does."""
        for epoch in range(1, self.config.epochs + 1):
            self._train_one_epoch(epoch)

    def _train_one_epoch(self, epoch):
        # Every epoch has a stream of its own, so a resumed run draws what an unbroken one does.
        rng = np.random.default_rng([self.config.seed, epoch])
        order = rng.permutation(len(self.train.labels))
        self.step.set_train(True)
        losses = []
        for first in range(0, len(order), self.config.batch_size):
            numbers = order[first:first + self.config.batch_size]
            inputs = self._inputs(self.train, numbers)
            if self.config.dropout:
                kept = rng.random(inputs.shape, np.float32) >= self.config.dropout
                inputs = inputs * kept / np.float32(1 - self.config.dropout)
            losses.append(self.step(ms.Tensor(inputs), ms.Tensor(self.train.labels[numbers])))
        losses = np.array([float(loss.asnumpy()) for loss in losses])
        if not np.isfinite(losses).all():
            step = int(np.flatnonzero(~np.isfinite(losses))[0]) + 1
            raise LabError(
                f"Training diverged: the loss is {losses[step - 1]} at step {step} of epoch "
                f"{epoch}. Lower --lr_max (now {self.config.lr_max:g}; try "
                f"{self.config.lr_max / 10:g})"
                + (f" or --weight_decay (now {self.config.weight_decay:g})"
                   if self.config.weight_decay > 0.01 else "")
                + ". Checkpoints of earlier epochs are kept.")

    def _measure(self, split):
        logits = self.logits(split)
        return scores(logits, split.labels)

    def logits(self, split):
        """Return (N, C) float32 logits of a prepared split."""
        self.head.dense.set_train(False)
        out = []
        for first in range(0, len(split.labels), EVAL_ROWS):
            numbers = np.arange(first, min(first + EVAL_ROWS, len(split.labels)))
            out.append(self.head.dense(ms.Tensor(self._inputs(split, numbers))).asnumpy())
        return np.concatenate(out)

    def outputs(self, logits):
        """Return what the head answers outside training: its activation on (N, C) logits."""
        return self.head.activation(ms.Tensor(logits)).asnumpy()

    def state(self):
        """Return what a resume needs besides the history: dict name -> ndarray."""
        parts = {f"head.{p.name}": p.asnumpy() for p in self.head.dense.get_parameters()}
        parts.update({f"optimizer.{p.name}": p.asnumpy() for p in self.optimizer.get_parameters()
                      if p.name != "learning_rate"})
        return parts

    def restore(self, state, history):
        """Continue after an epoch.

        Args:
            state: dict name -> ndarray, from `state`.
            history: list of dicts, one an epoch.
        """
        for prefix, cell in (("optimizer.", self.optimizer), ("head.", self.head.dense)):
            for parameter in cell.get_parameters():
                if prefix + parameter.name in state:
                    parameter.set_data(ms.Tensor(state[prefix + parameter.name]))
        self.history = list(history)


def apply_in_chunks(cell, rows):
    """Return a Cell applied to (N, F) rows, EVAL_ROWS at a time: (N, G) float32."""
    cell.set_train(False)
    return np.concatenate([cell(ms.Tensor(rows[first:first + EVAL_ROWS])).asnumpy()
                           for first in range(0, len(rows), EVAL_ROWS)])


def scores(logits, labels):
    """Return mean cross-entropy, top-1 and top-5 of logits as a dict of floats.

    Args:
        logits: (N, C) float32.
        labels: (N,) int.
    """
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    order = np.argsort(-logits, axis=1, kind="stable")
    right = order == labels[:, None]
    return {"loss": float(-log_probabilities[np.arange(len(labels)), labels].mean()),
            "top1": float(right[:, :1].any(axis=1).mean()),
            "top5": float(right[:, :5].any(axis=1).mean())}
