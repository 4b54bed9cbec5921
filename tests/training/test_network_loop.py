"""Training a whole network, on one small enough that every property can be checked exactly."""
import types

import mindspore as ms
import numpy as np
import pytest
from easydict import EasyDict
from mindspore import nn

from config import KEYS
from src_mindspore.errors import LabError
from src_mindspore.heads.hidden import HiddenHead
from src_mindspore.mobilenetv2 import mobilenet_v2
from src_mindspore.networks.blocks import VGGStack, he_init
from src_mindspore.training.memory import require_memory, values_of_maps
from src_mindspore.training.network_loop import NetworkTrainer
from src_mindspore.training.network_step import Update, averages_of, scalar
from src_mindspore.training.optimizers import build_optimizer

PHOTOS, CLASSES = 20, 3


class Backbone(nn.Cell):
    """Three blocks and spatial dropout, as the CNN has them."""

    def __init__(self):
        super().__init__()
        self.first = VGGStack(3, (4,), 2)
        self.second = VGGStack(4, (8,))
        self.third = VGGStack(8, (4,))
        self.dropout_channels = (8, 4)

    def construct(self, x, kept=None):
        x = self.second(self.first(x))
        if kept is not None:
            x = x * kept[0]
        x = self.third(x)
        return x if kept is None else x * kept[1]


class Source:
    """Photos that need no files: random pixels, another view of them in every pass."""

    def __init__(self, seed, poison=None):
        rng = np.random.default_rng(seed)
        self.labels = rng.integers(0, CLASSES, PHOTOS).astype(np.int32)
        self.labels[:CLASSES] = range(CLASSES)
        self.pixels = rng.normal(0, 1, (PHOTOS, 3, 8, 8)).astype(np.float32)
        self.pixels += self.labels[:, None, None, None]
        self.records = [None] * PHOTOS
        self.poison = poison

    def batches(self, numbers, size, number=0):
        for first in range(0, len(numbers), size):
            rows = np.asarray(numbers)[first:first + size]
            images = self.pixels[rows] + 0.1 * np.sin(number + rows)[:, None, None, None]
            if self.poison == number:
                images = images * np.float32(np.nan)
            yield images.astype(np.float32), self.labels[rows]


def make(seed=1, poison=None, workers=None, head=None, train=None, **flags):
    """A trainer of a new small network; weights, photos and order follow from the seed."""
    backbone = Backbone()
    he_init(backbone, seed)
    if head is None:
        head = HiddenHead(4, 1, CLASSES, 6, reduction="mean", seed=seed)
        he_init(head.prepare, seed + 9)
    config = EasyDict({**{name: key.default for name, key in KEYS.items()}, "network": "cnn",
                       "epochs": 3, "batch_size": 8, "lr_max": 0.05, "eval_batch_size": 7,
                       "momentum": 0.0, "weight_decay": 0.0, "decay_type": "constant",
                       "bn": "frozen", **flags})
    return NetworkTrainer(mobilenet_v2(backbone, head), train or Source(3, poison), Source(4),
                          config, workers, progress=False)


def values(trainer):
    return {p.name: p.asnumpy().copy() for p in trainer.network.get_parameters()}


def moved(trainer, before):
    return {name for name, value in values(trainer).items()
            if not np.array_equal(value, before[name])}


def block_of(name):
    return name.split(".")[0]


def test_what_is_frozen_does_not_move_and_all_the_rest_does(mindspore):
    trainer = make(unfreeze="last:2", optimizer="adam", lr_max=0.01)
    before = values(trainer)
    next(trainer.run())
    assert moved(trainer, before) == {
        name for name in before if block_of(name) in {"second", "third", "prepare", "dense"}
        and ("moving_" not in name or block_of(name) == "prepare")}


def test_the_first_stage_trains_the_head_alone_and_the_second_everything(mindspore):
    trainer = make(head_epochs=1, backbone_rate=0.1, bn="train")
    before = values(trainer)
    run = trainer.run()
    first = next(run)
    assert moved(trainer, before) == {name for name in before
                                      if block_of(name) in {"prepare", "dense"}}
    assert first["learning_rate"] == 0.05
    middle = values(trainer)
    second = next(run)
    assert second["learning_rate"] == pytest.approx(0.005)
    assert moved(trainer, middle) == set(middle)


def test_without_a_second_stage_the_head_alone_is_trained_to_the_end(mindspore):
    trainer = make(unfreeze="none", bn="train")
    assert trainer.head_steps == trainer.total == 6
    assert {block_of(p.name) for p in trainer.parameters} == {"prepare", "dense"}
    norms = [cell for _, cell in trainer.network.backbone.cells_and_names()
             if isinstance(cell, nn.BatchNorm2d)]
    assert [norm.use_batch_statistics for norm in norms] == [False] * 3


def one_step(**flags):
    """One step on 16 photos: (dict name -> change, row). BatchNorm of the head, which would see
    the parts of a batch, is frozen by hand."""
    trainer = make(**{"epochs": 1, "batch_size": 16, "lr_max": 0.01, **flags})
    trainer.head.prepare[1].use_batch_statistics = False
    before = values(trainer)
    row = next(trainer.run())
    return {n: v - before[n] for n, v in values(trainer).items()}, row


@pytest.fixture(scope="module")
def plain(mindspore):
    """One step of gradient descent."""
    return one_step()


def test_a_batch_in_parts_is_the_batch(plain):
    parts, _ = one_step(accumulate=4)
    for name, change in plain[0].items():
        np.testing.assert_allclose(parts[name], change, rtol=1e-3, atol=1e-7, err_msg=name)


def test_dropout_in_front_of_attention_thins_what_attention_reads(mindspore):
    """The mask of a step, laid on by hand, gives the loss that the step reports."""
    from src_mindspore.heads.linear import MobileNetV2Head
    head = MobileNetV2Head(4, 1, CLASSES, attention="sigmoid", seed=1)
    trainer = make(head=head, dropout=0.5, batch_size=PHOTOS, epochs=1)
    (kept,) = trainer._masks()
    order = trainer.sampler(np.random.default_rng([trainer.config.seed, 1]))
    images, labels = next(trainer.train.batches(order, PHOTOS))
    trainer.network.set_train(False)
    pooled = head.prepare(head.pooling(trainer.network.backbone(ms.Tensor(images))))
    logits = head.dense(pooled * ms.Tensor(kept))
    expected = float(trainer.loss(logits, ms.Tensor(labels)).asnumpy())
    row = next(trainer.run())
    assert row["train_loss"] == pytest.approx(expected, rel=1e-4)
    assert set(np.unique(kept)) == {0, 2}


def test_gradients_longer_than_the_limit_are_shortened_to_it(plain):
    plain, row = plain
    clipped, same = one_step(clip_norm=row["gradient_norm"] / 4)
    assert same["gradient_norm"] == pytest.approx(row["gradient_norm"])
    learnt = [n for n in plain if "moving_" not in n]
    length = np.sqrt(sum((plain[n]**2).sum() for n in learnt)) / 0.01
    assert length == pytest.approx(row["gradient_norm"], rel=1e-3)
    for name in learnt:
        np.testing.assert_allclose(4 * clipped[name], plain[name], rtol=1e-2, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["momentum", "adamw"])
def test_a_block_further_from_the_head_takes_a_smaller_step(plain, optimizer):
    changes, flags = plain[0], {"optimizer": optimizer}
    if optimizer == "adamw":
        flags["unfreeze"] = "last:2"
        changes, _ = one_step(**flags)
    layered, _ = one_step(layer_decay=0.5, **flags)
    factors = {"third": 0.5, "second": 0.25, "first": 0.125}
    for name, change in changes.items():
        if "moving_" not in name:
            np.testing.assert_allclose(layered[name], factors.get(block_of(name), 1) * change,
                                       rtol=2e-3, atol=3e-7, err_msg=name)


def test_a_network_of_many_parameters_is_no_deeper_a_graph(mindspore):
    """MindSpore ends at a depth of 1,000; EfficientNet-Lite0 learns 149 parameters."""
    count = 149
    parameters = [ms.Parameter(ms.Tensor([1.0], ms.float32), f"p{i}") for i in range(count)]
    factors = {p.name: 0.5 if i % 2 else 1.0 for i, p in enumerate(parameters)}
    optimizer = build_optimizer("adamw", parameters, [0.1] * 3, 0.9, 0.01, factors=factors)
    sums = optimizer.parameters.clone(prefix="gradient", init="ones")
    update = Update(sums, optimizer, 1.0, averages_of(optimizer.parameters))
    _, norm = update(scalar(1.0), scalar(0.5))
    assert float(norm.asnumpy()) == pytest.approx(count**0.5)
    steps = {p.name: 1 - float(p.asnumpy()[0]) for p in parameters}
    assert steps["p1"] == pytest.approx(0.5 * steps["p0"], rel=1e-4)
    assert len({round(step, 6) for step in steps.values()}) == 2
    assert not any(total.asnumpy().any() for total in sums)


def test_the_average_follows_the_weights_by_its_formula(mindspore):
    trainer = make(ema=0.5, validate_every=1, epochs=2, unfreeze="last:1")
    average = values(trainer)
    for step, row in enumerate(trainer.run()):
        decay = min(0.5, (1 + step) / (10 + step))
        now = values(trainer)
        kept = trainer.weights()
        assert {block_of(p.name) for p in trainer.parameters} == {"third", "prepare", "dense"}
        for name in (p.name for p in trainer.parameters):
            average[name] = decay * average[name] + (1 - decay) * now[name]
            np.testing.assert_allclose(kept[name], average[name], rtol=1e-4, atol=1e-6)
            np.testing.assert_array_equal(kept[f"raw.{name}"], now[name])
        assert {"val_top1", "raw_val_top1"} <= row.keys()
    # The row's figures are those of the averaged weights, the raw ones those of the others.
    for raw, key in ((False, "val_loss"), (True, "raw_val_loss")):
        trainer.put({name: ms.Parameter(ms.Tensor(v)) for name, v in kept.items()}, raw)
        assert trainer._measure()["loss"] == pytest.approx(row[key], rel=1e-6)


FULL = {"dropout": 0.5, "spatial_dropout": 0.25, "ema": 0.9, "head_epochs": 1, "layer_decay": 0.7,
        "decay_type": "plateau", "decay_rate": 0.5, "decay_patience": 1, "clip_norm": 1.0,
        "optimizer": "adam", "lr_max": 0.01, "weight_decay": 1e-3, "bn": "train", "epochs": 4,
        "accumulate": 2, "validate_every": 1}
CUTS = (2, 5)  # at the end of the first stage, and within the second


@pytest.fixture(scope="module")
def unbroken(mindspore):
    """(trainer, rows, saved) of a run that nothing cut; `saved` has at each of CUTS what a run
    writes there: the state and the history."""
    trainer = make(**FULL)
    rows, saved = [], {}
    for row in trainer.run():
        rows.append(row)
        if len(rows) in CUTS:
            saved[len(rows)] = ({k: v.copy() for k, v in trainer.state().items()}, list(rows))
    return trainer, rows, saved


def test_a_graph_is_compiled_once_and_not_in_every_step(unbroken):
    """Other masks, a halved rate and averaged weights are new values, not new graphs."""
    trainer, rows, _ = unbroken
    assert len({row["learning_rate"] for row in rows}) > 1
    for graph in (trainer.gradients, trainer.update, trainer.answers):
        assert len(graph.compile_cache) == 1


@pytest.mark.parametrize("stop", CUTS)
def test_a_run_that_goes_on_ends_bit_equal(unbroken, stop):
    whole, rows, saved = unbroken
    again = make(**FULL)
    for parameter in again.network.get_parameters():  # nothing may come from the new start
        parameter.set_data(ms.Tensor(parameter.asnumpy() + 1))
    again.restore(*saved[stop])
    rest = list(again.run())
    assert len(rest) == len(rows) - stop
    assert again.losses == whole.losses
    for name, value in whole.weights().items():
        np.testing.assert_array_equal(again.weights()[name], value, err_msg=name)
    for one, other in zip(rows, again.history, strict=True):
        for key in one.keys() - {"seconds", "images_per_second"}:
            assert one[key] == other[key], key


def test_the_loss_is_kept_every_five_steps(unbroken):
    trainer, rows, _ = unbroken
    assert len(trainer.losses) == trainer.step == 8
    # A validation a step: the loss of a row is that of its step, as the network saw it.
    (point,) = trainer.step_losses
    assert point["step"] == 5
    assert point["epoch"] == 2.5
    assert point["loss"] == pytest.approx(np.mean([row["train_loss"] for row in rows[:5]]))


def test_the_confusion_is_that_of_the_last_validation(unbroken):
    trainer, rows, _ = unbroken
    counts = trainer.confusion()
    np.testing.assert_array_equal(counts.sum(axis=1), np.bincount(trainer.val.labels))
    assert counts.trace() / PHOTOS == rows[-1]["val_top1"]


@pytest.fixture(scope="module")
def mixing(make_config, drawn_data, tmp_path_factory):
    """(PhotoSource, data folder, configuration): photos that are mixed as a network is trained."""
    from src_mindspore.data.prepare import prepare_photos
    from src_mindspore.data.preprocess import PreprocessSpec
    from src_mindspore.training.network_of_config import read_splits
    config = make_config("cnn_scratch", mixup=0.8, cutmix=1.0, mix_probability=0.8, resize=96,
                         crop=96, crop_pixels=80, seed=3,
                         results_path=str(tmp_path_factory.mktemp("mixing")))
    photos = prepare_photos(config, progress=False)
    spec = PreprocessSpec(16, 16, 96, crop=96)
    sources, _ = read_splits(photos, types.SimpleNamespace(preprocess=spec), config)
    return sources["train"], drawn_data, config


def test_photos_are_mixed_end_to_end_as_by_hand(mixing):
    from src_mindspore.data.augment import rng_for
    from src_mindspore.data.decode import load_rgb
    from src_mindspore.data.mix import cut_box
    from src_mindspore.data.preprocess import normalise
    source, root, config = mixing
    numbers, kinds = np.random.default_rng(0).permutation(30), set()
    batches = list(source.batches(numbers, 8, number=2))
    assert [len(labels) for _, labels in batches] == [8, 8, 8, 6]
    images = np.concatenate([images for images, _ in batches])
    labels = np.concatenate([labels for _, labels in batches])
    assert labels.dtype == np.float32

    def view(record):
        return source.views.of(load_rgb(root / record.path), record.path, 2).astype(np.float32)
    for image, label, number in zip(images, labels, numbers, strict=True):
        record = source.records[number]
        rng = rng_for(config.seed, f"mix {record.path}", 2)
        kind, partner, share = source.views.mix.draw(30, rng) or ("none", number, 1.0)
        picture, other = view(record), view(source.records[partner])
        if kind == "mixup":
            picture = np.rint(share * picture + (1 - share) * other)
        if kind == "cutmix":
            top, bottom, left, right = cut_box(16, 16, share, rng)
            picture[top:bottom, left:right] = other[top:bottom, left:right]
            share = 1 - (bottom - top) * (right - left) / 256
        expected = share * np.eye(5)[record.label] \
            + (1 - share) * np.eye(5)[source.records[partner].label]
        np.testing.assert_allclose(label, expected, atol=1e-6)
        np.testing.assert_allclose(
            image, normalise(picture[None].astype(np.uint8), source.views.preprocess)[0], atol=1e-6)
        kinds.add(kind)
    assert kinds == {"mixup", "cutmix", "none"}


def test_a_step_on_mixed_photos_has_the_loss_of_their_soft_labels(mindspore, mixing):
    head = HiddenHead(4, 1, 5, 6, reduction="mean", seed=1)
    he_init(head.prepare, 10)
    head.prepare[1].use_batch_statistics = False
    trainer = make(head=head, train=mixing[0], batch_size=10, epochs=1, label_smoothing=0.2)
    order = trainer.sampler(np.random.default_rng([trainer.config.seed, 1]))
    images, labels = next(trainer.train.batches(order, 10))
    assert ((labels > 0).sum(axis=1) == 2).any()
    logits = trainer.answers.set_train(False)(ms.Tensor(images)).asnumpy().astype(np.float64)
    log_shares = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = -((0.8 * labels + 0.2 / 5) * log_shares).sum(axis=1).mean()
    next(trainer.run())
    assert trainer.losses[0] == pytest.approx(expected, rel=1e-4)


def test_training_ends_early_and_halves_on_a_plateau(mindspore):
    trainer = make(lr_max=1e-12, epochs=50, decay_type="plateau", decay_rate=0.5,
                   decay_patience=2, stop_patience=5, unfreeze="none")
    rows = list(trainer.run())
    assert len(rows) == trainer.history.index(rows[-1]) + 1 < 50
    rates = [row["learning_rate"] / 1e-12 for row in rows[-6:]]
    assert rates[0] > rates[-1]


def test_a_loss_that_is_no_number_stops_with_what_to_do(mindspore):
    trainer = make(poison=1, lr_max=0.5)
    run = trainer.run()
    next(run)
    good = {name: value.copy() for name, value in trainer.state().items()}  # they are views
    with pytest.raises(LabError, match=r"diverged: at step 3.*gradients nan.*try 0.05.*clip_norm"):
        next(run)
    assert len(trainer.history) == 1
    assert all(np.isfinite(v).all() for v in good.values())


def test_batches_that_cannot_be_divided_are_refused(mindspore):
    with pytest.raises(LabError, match="batch_size is 8.*Take a multiple of 3"):
        make(accumulate=3)
    with pytest.raises(LabError, match="train has 20 photos, fewer than the 32 parts"):
        make(accumulate=32, batch_size=32)
    assert make(batch_size=64).batch == PHOTOS


def test_a_batch_that_does_not_fit_names_one_that_does(mindspore):
    trainer = make()
    network, trained = trainer.network, trainer.trained_cells()
    assert len(make(unfreeze="last:1").trained_cells()) == 1
    # Convolution, BatchNorm and ReLU of each block compute 4x4 maps of 4, 8 and 4 channels.
    values_a_photo = 3 * 16 * (4 + 8 + 4)
    assert values_of_maps(network, trained, 8, 8) == values_a_photo
    config = types.SimpleNamespace(batch_size=64, accumulate=1, image_height=8, image_width=8)
    a_photo = values_a_photo * 10
    require_memory(network, trained, 64, config, available=lambda: 64 * a_photo)
    require_memory(network, [], 64, config, available=lambda: 1)
    with pytest.raises(LabError, match="64 photos at once.*--batch_size 20 would fit; "
                       "--accumulate 4 keeps the batch of 64"):
        require_memory(network, trained, 64, config, available=lambda: 20 * a_photo)
    require_memory(network, trained, 10**6, config, available=lambda: None)
