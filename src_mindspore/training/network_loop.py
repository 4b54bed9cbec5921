"""The training loop of a whole network: photos in, a validation every epoch or every N steps."""
import collections
import contextlib
import math
import time

import mindspore as ms
import numpy as np
from tqdm import tqdm

from src_mindspore.errors import LabError
from src_mindspore.features.engines import padded
from src_mindspore.networks.parts import blocks_of, rate_factors, set_trainable, trained_blocks
from src_mindspore.parallel import Workers
from src_mindspore.training.early_stopping import should_stop
from src_mindspore.training.loop import confusion_of, sums
from src_mindspore.training.loss_of_config import build_loss
from src_mindspore.training.network_step import (
    Forward,
    Gradients,
    Logits,
    Update,
    average_decay,
    averages_of,
    keep_mask,
    scalar,
)
from src_mindspore.training.optimizers import build_optimizer
from src_mindspore.training.samplers import build_sampler
from src_mindspore.training.scaled_rates import ScaledRates
from src_mindspore.training.schedules import build_lr, plateau_factor

# Before the names of the weights as they are, in a checkpoint whose weights are averages.
RAW = "raw."
# Steps whose mean loss is a line of losses.csv.
LOSS_EVERY = 5


class NetworkTrainer:
    """Trains a backbone and a head on photos.

    A step is named by its number alone: which photos, how they are augmented and what dropout
    zeroes follow from the seed and the number, so a run that goes on ends where an unbroken one
    would, and N processes see what one would.

    Args:
        network: MobileNetV2Combine.
        train, val: PhotoSource, val without augmentation.
        config: the configuration; the keys of training and of whole networks are read.
        workers: Workers; None: this process alone.
        progress: bool, show a bar.

    Attributes:
        history: list of dicts, one a validation.
        step: int, steps taken.
        losses: list of float, the loss of each of them.
    """

    KIND = "network"
    SCRIPT = "train_network.py"

    def __init__(self, network, train, val, config, workers=None, progress=True):
        self.network = network
        self.head = network.head
        self.config = config
        self.train = train
        self.val = val
        self.workers = workers or Workers()
        self.processes = self.workers.count
        self.progress = progress and self.workers.is_first
        self.blocks = blocks_of(network.backbone)
        self.count = trained_blocks(self.blocks, config.unfreeze)
        self.batch = _batch_size(len(train.records), config, self.workers.count)
        # A remainder is left out, another one in every epoch: BatchNorm and the average of the
        # workers want batches of one size.
        self.steps_per_epoch = len(train.records) // self.batch
        self.total = self.steps_per_epoch * config.epochs
        self.head_steps = self.steps_per_epoch * config.head_epochs if self.count else self.total
        self.every = config.validate_every or self.steps_per_epoch
        num_classes = network.head.dense.out_channels
        self.loss = build_loss(config, train.labels, num_classes)
        self.sampler = build_sampler(config.sampler, train.labels, num_classes,
                                     config.sampler_power)
        self.channels = getattr(network.backbone, "dropout_channels", ()) \
            if config.spatial_dropout else ()
        self.answers = Logits(network)
        self.history = []
        self.losses = []
        self.answered = None  # (N, C) logits of the last validation
        self.step = 0
        self.stage = None
        self._enter_stage()

    # --- what learns, and how fast

    def _enter_stage(self):
        """Make the graphs of the stage of the next step: the head alone, or everything."""
        stage = 1 if self.step < self.head_steps else 2
        if stage == self.stage:
            return
        self.stage, config = stage, self.config
        count = 0 if stage == 1 else self.count
        set_trainable(self.blocks, self.head, count, config.bn)
        parameters = self.network.trainable_params()
        factors = rate_factors(self.blocks, parameters, config.layer_decay)
        if set(factors.values()) == {1.0} and config.decay_type != "plateau":
            factors = None
        self.rates = self._rates()
        optimizer = build_optimizer(
            config.optimizer, parameters, self.rates[0 if stage == 1 else self.head_steps:],
            config.momentum, config.weight_decay, config.lookahead, factors,
            # From scratch only the Dense layers are decayed, as in the reference.
            is_decayed=lambda p: p.ndim == 2 if config.network == "cnn" else p.ndim > 1)
        inner = getattr(optimizer, "inner", None)
        self.scaled = next((c for c in (optimizer, inner) if isinstance(c, ScaledRates)), None)
        self.optimizer = optimizer
        self.parameters = optimizer.parameters
        forward = Forward(self.network, self.loss, bool(self.channels), bool(config.dropout))
        self.gradients = Gradients(forward, self.parameters, config.accumulate)
        self.averages = averages_of(self.parameters) if config.ema else ()
        self.update = Update(self.gradients.sums, optimizer, config.clip_norm, self.averages,
                             self.workers.count)

    def trained_cells(self):
        """Return the cells of the backbone that are trained: list of Cell."""
        return [cell for block in self.blocks[len(self.blocks) - self.count:] for cell in block]

    def _rates(self):
        """Return the learning rate of every step of the run."""
        config, rest = self.config, self.total - self.head_steps
        head = [config.lr_max] * self.head_steps
        if self.head_steps in (0, self.total):
            # One stage: the schedule of the configuration, as for a head.
            rest, head = self.total, []
        factor = config.backbone_rate if self.count else 1.0
        warmup = min(self.steps_per_epoch * config.warmup_epochs, rest)
        return head + build_lr(rest, config.lr_init * factor, config.lr_end * factor,
                               config.lr_max * factor, warmup, config.decay_type,
                               config.decay_rate, config.decay_steps)

    def _factor(self):
        """Return the factor on all rates until the next validation; 1 without a plateau."""
        config = self.config
        if config.decay_type != "plateau":
            return 1.0
        factor = plateau_factor([row["val_loss"] for row in self.history], config.decay_rate,
                                config.decay_patience)
        lowest = config.lr_end / config.lr_max if config.lr_max else 0.0
        return max(factor, min(1.0, lowest))

    # --- the loop

    def run(self):
        """Train from the step after the last one, to a validation at a time.

        Yields:
            dict per validation: epoch (a whole number, or a part of one), step, learning_rate,
            train_loss, train_top1, train_top5 (of the augmented photos since the last one),
            gradient_norm (mean), val_loss, val_top1, val_top5 (of the averaged weights where there
            is an average; then raw_val_... of the raw ones), images_per_second, seconds.

        Raises:
            LabError: the loss is not a finite number.
        """
        bar = tqdm(total=self.total * self.batch, initial=self.step * self.batch, unit="img",
                   desc="training", mininterval=1, disable=not self.progress)
        with bar:
            while self.step < self.total and not should_stop(self.history,
                                                             self.config.stop_patience):
                row = self._to_the_next_validation(bar)
                self.history.append(row)
                # What follows is the caller's: the bar must not stand in its lines.
                bar.clear()
                yield row

    def _to_the_next_validation(self, bar):
        started = time.perf_counter()
        last = min(self.total, (self.step // self.every + 1) * self.every)
        totals, norms, seen = collections.Counter(), [], 0
        factor = self._factor()
        while self.step < last:
            self._enter_stage()
            if self.scaled:
                self.scaled.scale.set_data(scalar(factor))
            epoch, place = divmod(self.step, self.steps_per_epoch)
            # To the validation, the epoch's end or the stage's, whichever comes first.
            steps = min(last, (epoch + 1) * self.steps_per_epoch) - self.step
            order = self.sampler(np.random.default_rng([self.config.seed, epoch + 1]))
            numbers = order[place * self.batch:(place + steps) * self.batch]
            for result, norm in self._steps(numbers, epoch):
                totals.update(result)
                norms.append(norm)
                seen += self.batch // self.workers.count
                bar.update(self.batch)
        trained = time.perf_counter() - started
        epochs, rest = divmod(self.step, self.steps_per_epoch)
        row = {"epoch": epochs + round(rest / self.steps_per_epoch, 4) if rest else epochs,
               "step": self.step, "learning_rate": self.rates[self.step - 1] * factor}
        row.update({f"train_{k}": v / seen for k, v in totals.items()})
        row["gradient_norm"] = float(np.mean(norms))
        row.update(self._validate())
        row["images_per_second"] = (self.batch * len(norms)) / trained
        row["seconds"] = time.perf_counter() - started
        return row

    def _steps(self, numbers, epoch):
        """Take steps on whole batches of photos; yields (sums of scores, norm) of each."""
        self.network.set_train(True)
        part = self.batch // self.workers.count // self.config.accumulate
        batches = numbers.reshape(-1, self.batch)
        mine = np.concatenate([self.workers.share(batch) for batch in batches])
        parts = self.train.batches(mine, part, epoch)
        try:
            for _ in batches:
                yield self._one_step([next(parts) for _ in range(self.config.accumulate)])
        finally:
            parts.close()

    def _one_step(self, parts):
        masks = self._masks()
        totals, mean = collections.Counter(), 0.0
        size = len(parts[0][0])
        for number, (images, labels) in enumerate(parts):
            kept = [ms.Tensor(mask[number * size:(number + 1) * size]) for mask in masks]
            loss, logits = self.gradients(ms.Tensor(images), ms.Tensor(labels), kept[-1],
                                          *kept[:-1])
            mean += float(loss.asnumpy()) / len(parts)
            totals.update(sums(logits.asnumpy(), labels))
        decay = average_decay(self.config.ema, self.step)
        loss, norm = (float(v.asnumpy()) for v in self.update(scalar(mean), scalar(decay)))
        self.step += 1
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise LabError(
                f"Training diverged: at step {self.step} (epoch "
                f"{self.step / self.steps_per_epoch:.2f}) the loss is {loss:g} and the norm of "
                f"the gradients {norm:g}. Lower --lr_max (now {self.config.lr_max:g}; try "
                f"{self.config.lr_max / 10:g})"
                + ("" if self.config.clip_norm else " or limit the gradients with --clip_norm 5")
                + ". Checkpoints of earlier validations are kept, and a run with other settings "
                  "gets a folder of its own.")
        self.losses.append(loss)
        return totals, norm

    @property
    def step_losses(self):
        """The mean loss of every LOSS_EVERY steps: list of dicts with step, epoch and loss."""
        steps = range(LOSS_EVERY, len(self.losses) + 1, LOSS_EVERY)
        return [{"step": step, "epoch": round(step / self.steps_per_epoch, 4),
                 "loss": float(np.mean(self.losses[step - LOSS_EVERY:step]))} for step in steps]

    def _masks(self):
        """Return the dropout masks of this process in this step; the last one is the head's."""
        rng = np.random.default_rng([self.config.seed, 2**20, self.step])
        out = []
        for channels in self.channels:
            mask = keep_mask(rng, (self.batch, channels, 1, 1), self.config.spatial_dropout)
            out.append(self.workers.share(mask))
        width = self.head.dense.in_channels if self.config.dropout else 1
        mask = keep_mask(rng, (self.batch, width), self.config.dropout)
        return [*out, self.workers.share(mask)]

    # --- validation

    def _validate(self):
        """Return val_loss, val_top1 and val_top5, and those of the raw weights beside them."""
        self._agree()
        raw = self._measure()
        if not self.averages:
            return {f"val_{k}": v for k, v in raw.items()}
        with self.averaged():
            row = {f"val_{k}": v for k, v in self._measure().items()}
        return {**row, **{f"raw_val_{k}": v for k, v in raw.items()}}

    def _agree(self):
        """Average BatchNorm's moving statistics over the processes: each saw its own photos."""
        if self.workers.count == 1:
            return
        moving = [p for p in self.network.get_parameters()
                  if p.name.rpartition(".")[2].startswith("moving_")]
        for parameter, value in zip(moving, self.workers.mean([p.asnumpy() for p in moving]),
                                    strict=True):
            parameter.set_data(ms.Tensor(value))

    def _measure(self):
        self.answered = self.logits(self.val)
        return {k: v / len(self.val.labels)
                for k, v in sums(self.answered, self.val.labels).items()}

    def confusion(self):
        """Return (C, C) int: photos of val by their class and the one that was named at the last
        validation; by the averaged weights where there is an average."""
        return confusion_of(self.answered, self.val.labels)

    def logits(self, source):
        """Return (N, C) float32 logits of the photos of a PhotoSource, in every process."""
        self.answers.set_train(False)
        size = self.config.eval_batch_size
        each = -(-len(source.labels) // self.workers.count)
        numbers = np.arange(len(source.labels))[self.workers.rank * each:][:each]
        out = np.zeros((each, self.head.dense.out_channels), np.float32)
        first = 0
        for images, _ in source.batches(numbers, size):
            answer = self.answers(ms.Tensor(padded(images, size))).asnumpy()
            out[first:first + len(images)] = answer[:len(images)]
            first += len(images)
        return self.workers.gathered(out)[:len(source.labels)]

    def outputs(self, logits):
        """Return what the network answers outside training: the head's activation on logits."""
        return self.head.activation(ms.Tensor(logits)).asnumpy()

    def leave(self):
        """Compute alone from now on: the other processes end with the training."""
        self.workers = Workers()

    # --- what is kept

    @contextlib.contextmanager
    def averaged(self):
        """Inside, the network has the averaged weights; afterwards its own again."""
        raw = [p.asnumpy().copy() for p in self.parameters]
        self._set(self.parameters, [p.asnumpy() for p in self.averages])
        try:
            yield
        finally:
            self._set(self.parameters, raw)

    @staticmethod
    def _set(parameters, values):
        for parameter, value in zip(parameters, values, strict=True):
            parameter.set_data(ms.Tensor(value))

    def weights(self):
        """Return what a checkpoint holds: dict name -> ndarray. With a moving average its weights
        have the names of the network, and the raw ones stand beside them as `raw.<name>`."""
        raw = {p.name: p.asnumpy().copy() for p in self.network.get_parameters()}
        if not self.averages:
            return raw
        average = {p.name: a.asnumpy().copy()
                   for p, a in zip(self.parameters, self.averages, strict=True)}
        return {**raw, **average, **{f"{RAW}{name}": raw[name] for name in average}}

    def put(self, parameters, raw=False):
        """Put the weights of a checkpoint into the network.

        Args:
            parameters: dict name -> Parameter, from `weights`.
            raw: bool, the raw weights instead of the averaged ones.
        """
        values = {name: p.asnumpy() for name, p in parameters.items()}
        for parameter in self.network.get_parameters():
            name = parameter.name
            value = values[RAW + name] if raw and RAW + name in values else values[name]
            parameter.set_data(ms.Tensor(value))

    def state(self):
        """Return what a resume needs besides the history: dict name -> ndarray."""
        parts = {f"network.{p.name}": p.asnumpy() for p in self.network.get_parameters()}
        parts.update({f"{p.name}": p.asnumpy() for p in self.averages})
        parts.update({f"optimizer.{p.name}": p.asnumpy() for p in self._optimizer_parameters()})
        return {**parts, "stage": np.array([self.stage], np.int32),
                "losses": np.array(self.losses, np.float32)}

    def _optimizer_parameters(self):
        learnt = {p.name for p in self.parameters}
        return [p for p in self.optimizer.get_parameters()
                if p.name not in learnt and not p.name.startswith("learning_rate")]

    def restore(self, state, history):
        """Continue after a validation.

        Args:
            state: dict name -> ndarray, from `state`.
            history: list of dicts, one a validation.
        """
        for parameter in self.network.get_parameters():
            parameter.set_data(ms.Tensor(state[f"network.{parameter.name}"]))
        self.history = list(history)
        self.step = history[-1]["step"]
        self.losses = [float(loss) for loss in state["losses"]]
        # The moving averages begin as the weights are now.
        self.stage = None
        self._enter_stage()
        if int(state["stage"][0]) != self.stage:
            return  # the next step is the first of the second stage
        for prefix, parameters in (("optimizer.", self._optimizer_parameters()),
                                   ("", self.averages)):
            for parameter in parameters:
                parameter.set_data(ms.Tensor(state[prefix + parameter.name]))

    def describe(self):
        """Return in words how it was trained, for the report."""
        config, blocks = self.config, len(self.blocks)
        trained = "whole network" if self.count == blocks else \
            f"the last {self.count} of {blocks} blocks" if self.count else "head alone"
        return (f"{trained}, BatchNorm statistics {config.bn}, "
                + (f"first {config.head_epochs} epochs the head alone, "
                   if config.head_epochs and self.count else "")
                + f"{config.epochs} epochs at most, {self.step} steps of {self.batch} photos, "
                f"{config.optimizer}, learning rate {config.lr_max:g} {config.decay_type}"
                + (f", times {config.backbone_rate:g} with the backbone"
                   if config.backbone_rate != 1 and self.count else "")
                + (f", times {config.layer_decay:g} a block" if config.layer_decay != 1 else "")
                + f", weight decay {config.weight_decay:g}, label smoothing "
                f"{config.label_smoothing:g}, dropout {config.dropout:g}, average of the weights "
                f"{config.ema:g}, seed {config.seed}"
                + (f", {self.processes} processes" if self.processes > 1 else ""))


def _batch_size(photos, config, workers):
    """Return the photos of a step, which every process and every part shares evenly.

    Raises:
        LabError: batch_size cannot be divided so, or there are too few photos for one step.
    """
    pieces = workers * config.accumulate
    if config.batch_size % pieces:
        raise LabError(f"batch_size is {config.batch_size}, but {workers} process(es) and "
                       f"--accumulate {config.accumulate} divide it into {pieces} parts. Take a "
                       f"multiple of {pieces}.")
    batch = min(config.batch_size, photos // pieces * pieces)
    if not batch:
        raise LabError(f"train has {photos} photos, fewer than the {pieces} parts of a batch "
                       f"({workers} process(es), --accumulate {config.accumulate}). Add photos, or "
                       "lower --accumulate.")
    return batch
