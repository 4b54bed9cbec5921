"""The training loop of a head: a visible loop over epochs, the steps of each in a compiled one."""
import collections
import math
import time

import mindspore as ms
import numpy as np
from easydict import EasyDict
from mindspore import nn
from sklearn.metrics import confusion_matrix

from src_mindspore.errors import LabError
from src_mindspore.training.loss_of_config import build_loss
from src_mindspore.training.optimizers import build_optimizer
from src_mindspore.training.rows import ScratchRows, Split, apply_in_chunks, joined
from src_mindspore.training.samplers import build_sampler
from src_mindspore.training.schedules import build_lr, plateau_factor
from src_mindspore.training.steps import StepLoop


class HeadTrainer:
    """Trains the Dense layer of a head on cached features.

    What the head does before its Dense layer (`prepare`) has no parameters to learn, so it is
    computed once. Rows that are resident are gathered inside the graph, a whole epoch a call; rows
    on disk are prepared into a scratch file and read a part of an epoch at a time, in the same
    order and with the same result.

    Args:
        head: Cell with `prepare` (a Cell (N, F) -> (N, G)) and `dense` (a Dense (N, G) -> (N, C)).
        train, val: Split.
        config: the configuration; epochs, batch_size, optimizer, schedule, seed, ... are read.

    Attributes:
        history: list of dicts, one an epoch.
    """

    KIND = "head"
    SCRIPT = "train_head.py"
    step_losses = ()  # an epoch of a head takes a second; its history is fine enough

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
        self.planned = tuple(self.rates)
        num_classes = head.dense.out_channels
        self.loss = build_loss(config, train.labels, num_classes, train.photos)
        self.sampler = build_sampler(config.sampler, train.labels, num_classes,
                                     config.sampler_power)
        self.optimizer = build_optimizer(config.optimizer, list(head.dense.trainable_params()),
                                         self.rates, config.momentum, config.weight_decay,
                                         config.lookahead)
        self.step = nn.TrainOneStepCell(nn.WithLossCell(head.dense, self.loss), self.optimizer)
        self.loop = StepLoop(self.step, self._steps_a_call(), config.dropout)
        self.history = []

    def _prepared(self, split):
        parts = apply_in_chunks(self.head.prepare, split.rows)
        if isinstance(split.rows, np.ndarray):
            rows = joined(parts, len(split.rows))
        else:
            rows = ScratchRows(self.config.features_path, parts)
        return Split(rows, split.labels, split.photos)

    def _steps_a_call(self):
        """Return how many full batches one call of the graph takes."""
        whole = max(1, len(self.train.labels) // self.config.batch_size)
        if isinstance(self.train.rows, np.ndarray) and not self.config.dropout:
            return whole
        # A quarter, because rows are read into one array and shuffled into another.
        room = self.config.memory_limit_mb * 2**20 // 4
        return int(min(whole, max(1, room // (self.train.rows.shape[1] * 4
                                              * self.config.batch_size))))

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
            self._follow_plateau(epoch, [row["val_loss"] for row in self.history])
            self._train_one_epoch(epoch)
            row = {"epoch": epoch, "learning_rate": self.rates[epoch * self.steps_per_epoch - 1]}
            for name, split in (("train", self.train), ("val", self.val)):
                row.update({f"{name}_{k}": v for k, v in self._measure(split).items()})
            row["seconds"] = time.perf_counter() - started
            self.history.append(row)
            yield row

    def train_to_the_end(self):
        """Train all epochs without measuring any, as cross-validation does.

        So a schedule that waits for a plateau watches the training loss, and nothing is decided
        by the photos that are asked about.
        """
        losses = []
        for epoch in range(1, self.config.epochs + 1):
            self._follow_plateau(epoch, losses)
            losses.append(self._train_one_epoch(epoch))

    def _follow_plateau(self, epoch, losses):
        """Lower the learning rates of an epoch where the losses of those before ask for it."""
        if self.config.decay_type != "plateau":
            return
        factor = plateau_factor(losses, self.config.decay_rate, self.config.decay_patience)
        first = (epoch - 1) * self.steps_per_epoch
        for step in range(first, first + self.steps_per_epoch):
            # The floor must not lift a warm-up, nor a rate that is lower from the start.
            self.rates[step] = max(self.planned[step] * factor,
                                   min(self.planned[step], self.config.lr_end))
        optimizer = getattr(self.optimizer, "inner", self.optimizer)
        optimizer.learning_rate.learning_rate.set_data(ms.Tensor(self.rates, ms.float32))

    def _train_one_epoch(self, epoch):
        """Train an epoch; returns the mean loss of its steps."""
        # Every epoch has a stream of its own, so a resumed run draws what an unbroken one does.
        rng = np.random.default_rng([self.config.seed, epoch])
        order = self.sampler(rng)
        self.loop.set_train(True)
        batch, steps = self.config.batch_size, len(self.loop.losses)
        whole = len(order) // batch
        losses = []
        for first in range(0, whole, steps):
            count = min(steps, whole - first)
            numbers = order[first * batch:(first + count) * batch]
            losses.append(self._many_steps(numbers, count, rng))
        if len(order) % batch:
            losses.append(self._last_step(order[whole * batch:], rng))
        losses = np.concatenate(losses)
        if not np.isfinite(losses).all():
            step = int(np.flatnonzero(~np.isfinite(losses))[0]) + 1
            raise LabError(
                f"Training diverged: the loss is {losses[step - 1]} at step {step} of epoch "
                f"{epoch}. Lower --lr_max (now {self.config.lr_max:g}; try "
                f"{self.config.lr_max / 10:g})"
                + (f" or --weight_decay (now {self.config.weight_decay:g})"
                   if self.config.weight_decay > 0.01 else "")
                + ". Checkpoints of earlier epochs are kept.")
        return float(losses.mean())

    def _many_steps(self, numbers, count, rng):
        """Take `count` full steps on the rows `numbers`; returns their (count,) losses."""
        steps, batch = len(self.loop.losses), self.config.batch_size
        width = self.train.rows.shape[1]
        if isinstance(self.train.rows, np.ndarray):
            rows, labels = self.train.rows, self.train.labels
        else:
            rows = np.zeros((steps * batch, width), np.float32)
            rows[:len(numbers)] = self.train.rows[numbers]
            labels = np.zeros((steps * batch, *self.train.labels.shape[1:]),
                              self.train.labels.dtype)
            labels[:len(numbers)] = self.train.labels[numbers]
            numbers = np.arange(len(numbers), dtype=np.int32)
        # The shapes of a graph are fixed: a part of an epoch that is shorter is filled up.
        named = np.zeros((steps, batch), np.int32)
        named[:count] = numbers.reshape(count, batch)
        kept = np.ones((1, 1, 1), bool)
        if self.config.dropout:
            kept = np.ones((steps, batch, width), bool)
            for step in range(count):
                kept[step] = self._kept((batch, width), rng)
        arrays = (rows, labels, named, kept)
        losses = self.loop(*map(ms.Tensor.from_numpy, arrays), ms.Tensor(count, ms.int32))
        return losses.asnumpy()[:count].copy()

    def _last_step(self, numbers, rng):
        """Take one step on fewer rows than a batch has; returns its (1,) loss."""
        inputs = self.train.rows[numbers]
        if self.config.dropout:
            inputs = inputs * self._kept(inputs.shape, rng) / np.float32(1 - self.config.dropout)
        loss = self.step(ms.Tensor(inputs), ms.Tensor(self.train.labels[numbers]))
        return loss.asnumpy().reshape(1)

    def _kept(self, shape, rng):
        return rng.random(shape, np.float32) >= self.config.dropout

    def _measure(self, split):
        totals, first = collections.Counter(), 0
        for logits in apply_in_chunks(self.head.dense, split.rows):
            totals.update(sums(logits, split.labels[first:first + len(logits)]))
            first += len(logits)
        return {name: total / len(split.labels) for name, total in totals.items()}

    def logits(self, split):
        """Return (N, C) float32 logits of a prepared split."""
        return joined(apply_in_chunks(self.head.dense, split.rows), len(split.labels))

    def confusion(self):
        """Return (C, C) int: photos of val by their class and the one that is named now."""
        return confusion_of(self.logits(self.val), self.val.labels)

    def outputs(self, logits):
        """Return what the head answers outside training: its activation on (N, C) logits."""
        return self.head.activation(ms.Tensor(logits)).asnumpy()

    def weights(self):
        """Return what a checkpoint of an epoch holds: dict name -> ndarray."""
        # What stands before the Dense layer is fitted again from the cache, so it is not stored.
        return {p.name: p.asnumpy() for p in self.head.dense.get_parameters()}

    def put(self, parameters):
        """Put the weights of a checkpoint back: dict name -> Parameter."""
        ms.load_param_into_net(self.head.dense, parameters, strict_load=True)

    def describe(self):
        """Return in words how it was trained, for the report."""
        config = self.config
        return (f"{config.epochs} epochs, batch {config.batch_size}, {config.optimizer}, learning "
                f"rate {config.lr_max:g} {config.decay_type}, weight decay "
                f"{config.weight_decay:g}, label smoothing {config.label_smoothing:g}, seed "
                f"{config.seed}")

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


class FittedTrainer(HeadTrainer):
    """Measures a head that was fitted at once: one epoch, in which nothing is left to learn.

    Args:
        head, train, val, config: as for HeadTrainer.
    """

    def __init__(self, head, train, val, config):
        super().__init__(head, train, val, EasyDict({
            **config, "epochs": 1, "warmup_epochs": 0, "lr_max": 0.0, "lr_end": 0.0}))

    def _train_one_epoch(self, epoch):
        pass

    def describe(self):
        """See HeadTrainer."""
        return f"fitted at once, C {self.config.svm_c:g}"


def scores(logits, labels):
    """Return mean cross-entropy, top-1 and top-5 of logits as a dict of floats.

    Args:
        logits: (N, C) float32.
        labels: (N,) int, or (N, C) float soft labels, of which the likeliest class is the truth.
    """
    return {name: total / len(labels) for name, total in sums(logits, labels).items()}


def confusion_of(logits, labels):
    """Return (C, C) int: rows by their class and the one that (N, C) logits name.

    Args:
        logits: (N, C) float.
        labels: (N,) int.
    """
    return confusion_matrix(labels, logits.argmax(axis=1), labels=np.arange(logits.shape[1]))


def sums(logits, labels):
    """Return what `scores` returns, summed over the rows instead of averaged."""
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    if labels.ndim == 2:
        loss, labels = -(labels * log_probabilities).sum(), labels.argmax(axis=1)
    else:
        loss = -log_probabilities[np.arange(len(labels)), labels].sum()
    of_truth = np.take_along_axis(logits, labels[:, None], axis=1)
    # Place of the truth from 0; of equal logits the class that comes first is taken first.
    earlier = np.arange(logits.shape[1]) < labels[:, None]
    place = ((logits > of_truth) | ((logits == of_truth) & earlier)).sum(axis=1)
    return {"loss": float(loss), "top1": int((place < 1).sum()), "top5": int((place < 5).sum())}
