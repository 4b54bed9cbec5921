"""The two graphs of a training step: gradients of a part of a batch, and the update.

What is done to every parameter is mapped over them. A loop in a graph would nest a function for
each, and MindSpore stops at a depth of 1,000: a network of 200 parameters and five loops.
"""
import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

_add_share = ops.MultitypeFuncGraph("add_share")
_copied = ops.MultitypeFuncGraph("copied")
_flat = ops.MultitypeFuncGraph("flat")
_shaped = ops.MultitypeFuncGraph("shaped")
_sum_of_squares = ops.MultitypeFuncGraph("sum_of_squares")
_scaled = ops.MultitypeFuncGraph("scaled")
_follow = ops.MultitypeFuncGraph("follow")
_zero = ops.MultitypeFuncGraph("zero")


@_add_share.register("Number", "Tensor", "Tensor")
def _(share, total, gradient):
    return ops.assign_add(total, gradient * share)


@_copied.register("Tensor")
def _(value):
    return value * 1.0


@_flat.register("Tensor")
def _(value):
    return value.reshape(-1)


@_shaped.register("Tensor", "Tensor")
def _(flat, like):
    return flat.reshape(like.shape)


@_sum_of_squares.register("Tensor")
def _(value):
    return ops.sum(value * value)


@_scaled.register("Tensor", "Tensor")
def _(factor, value):
    return value * factor


@_follow.register("Tensor", "Tensor", "Tensor")
def _(share, average, value):
    return ops.assign(average, average + share * (value - average))


@_zero.register("Tensor")
def _(value):
    return ops.assign(value, ops.zeros_like(value))


class Forward(nn.Cell):
    """Loss and logits of photos, with the dropout that training adds.

    Masks come from outside, drawn by NumPy from the number of the step: a run that goes on after a
    kill draws what an unbroken one would. Each is an argument of its own: a tuple of tensors is a
    constant to MindSpore, which would compile the graph anew for the masks of every step.

    Args:
        network: MobileNetV2Combine: a backbone and a head with `pooling`, `prepare` and `dense`.
        loss: Cell (logits, labels) -> scalar.
        thins_maps: bool, the backbone takes masks of whole channels.
        thins_values: bool, the inputs of the last Dense layer are multiplied by a mask.
    """

    def __init__(self, network, loss, thins_maps=False, thins_values=False):
        super().__init__(auto_prefix=False)
        self.backbone = network.backbone
        self.head = network.head
        self.loss = loss
        self.thins_maps = thins_maps
        self.thins_values = thins_values

    def construct(self, images, labels, kept_values, *kept_maps):
        maps = self.backbone(images, kept_maps) if self.thins_maps else self.backbone(images)
        values = self.head.prepare(self.head.pooling(maps))
        if self.thins_values:
            values = values * kept_values
        logits = self.head.dense(values)
        return self.loss(logits, labels), logits


class Logits(nn.Cell):
    """(N, 3, H, W) float32 -> (N, C) float32 logits, whatever activation the head ends in.

    Args:
        network: as for Forward.
    """

    def __init__(self, network):
        super().__init__(auto_prefix=False)
        self.backbone = network.backbone
        self.head = network.head

    def construct(self, images):
        return self.head.dense(self.head.prepare(self.head.pooling(self.backbone(images))))


class Gradients(nn.Cell):
    """Add the gradients of one part of a batch to `sums`.

    (N, 3, H, W) float32 images, labels, masks -> (loss, (N, C) logits).

    Args:
        forward: Forward.
        parameters: ParameterTuple of what learns.
        parts: int, how many parts a batch has; each counts 1 / parts.
    """

    def __init__(self, forward, parameters, parts):
        super().__init__(auto_prefix=False)
        self.forward = forward
        self.parameters = parameters
        self.share = 1.0 / parts
        self.sums = parameters.clone(prefix="gradient", init="zeros")
        self.gradients_of = ops.value_and_grad(forward, None, parameters, has_aux=True)
        self.map = ops.HyperMap()

    def construct(self, images, labels, kept_values, *kept_maps):
        (loss, logits), gradients = self.gradients_of(images, labels, kept_values, *kept_maps)
        self.map(ops.partial(_add_share, self.share), self.sums, gradients)
        return loss, logits


class Update(nn.Cell):
    """Reduce over devices, clip, step, and move the average of the weights.

    The moving average (Polyak and Juditsky, 1992) follows faster at the start, as TensorFlow's
    ExponentialMovingAverage with num_updates: after t steps its decay is
    min(ema, (1 + t) / (10 + t)).

    Args:
        sums: ParameterTuple, the gradients; zeroed for the next step.
        optimizer: Cell (gradients) with `parameters`.
        clip_norm: float, largest global norm; 0: off (Pascanu et al., arXiv:1211.5063).
        averages: ParameterTuple of the moving averages, () without.
        workers: int, processes whose gradients are averaged.
    """

    def __init__(self, sums, optimizer, clip_norm=0.0, averages=(), workers=1):
        super().__init__(auto_prefix=False)
        self.sums = sums
        self.optimizer = optimizer
        self.parameters = optimizer.parameters
        self.clip_norm = clip_norm
        self.averages = averages
        self.workers = workers
        self.all_reduce = ops.AllReduce() if workers > 1 else None
        self.sizes = [int(np.prod(p.shape)) for p in sums]
        self.map = ops.HyperMap()

    def construct(self, loss, decay):
        """Take the step.

        Args:
            loss: scalar float32 Tensor, mean loss of this process's photos.
            decay: scalar float32 Tensor, decay of the moving average in this step.

        Returns:
            (loss, norm): scalars, mean loss over the processes, global norm before clipping.
        """
        gradients = self.map(_copied, self.sums)
        if self.workers > 1:
            # One message for everything: each costs a round trip.
            flat = (loss.reshape(1), *self.map(_flat, gradients))
            reduced = ops.split(self.all_reduce(ops.concat(flat)) / self.workers,
                                [1, *self.sizes])
            loss = reduced[0].reshape(())
            gradients = self.map(_shaped, reduced[1:], self.sums)
        norm = ops.sqrt(ops.addn(self.map(_sum_of_squares, gradients)))
        if self.clip_norm:
            factor = self.clip_norm / ops.maximum(norm, self.clip_norm)
            gradients = self.map(ops.partial(_scaled, factor), gradients)
        self.optimizer(gradients)
        if self.averages:
            self.map(ops.partial(_follow, 1 - decay), self.averages, self.parameters)
        self.map(_zero, self.sums)
        return loss, norm


def average_decay(ema, steps):
    """Return the decay of the moving average in the step after `steps` steps; see Update."""
    return min(ema, (1 + steps) / (10 + steps))


def keep_mask(rng, shape, dropped):
    """Return a dropout mask: float32 of `shape`, 0 or 1 / (1 - dropped).

    Args:
        rng: numpy Generator.
        shape: tuple of int.
        dropped: float in [0, 1).
    """
    return (rng.random(shape, np.float32) >= dropped) / np.float32(1 - dropped)


def scalar(value):
    """Return a scalar float32 Tensor."""
    return Tensor(np.float32(value), ms.float32)


def averages_of(parameters):
    """Return moving averages that begin as the parameters are: ParameterTuple."""
    return ms.ParameterTuple([Parameter(Tensor(p.asnumpy()), f"average.{p.name}",
                                        requires_grad=False) for p in parameters])
