"""The training loop: it learns, repeats itself, resumes exactly, and notices divergence."""
import numpy as np
import pytest
from easydict import EasyDict
from sklearn.metrics import log_loss, top_k_accuracy_score

from src_mindspore.errors import LabError
from src_mindspore.training import schedules

WIDTH, CLASSES = 12, 6
SETTINGS = {"epochs": 6, "batch_size": 16, "optimizer": "momentum", "lr_init": 0.0, "lr_max": 0.1,
            "lr_end": 0.0, "warmup_epochs": 1, "decay_type": "cosine", "decay_rate": 0.1,
            "decay_steps": 3, "decay_patience": 2, "momentum": 0.9, "weight_decay": 1e-4,
            "label_smoothing": 0.0,
            "loss": "cross_entropy", "class_weights": "none", "sampler": "none",
            "sampler_power": 0.5, "lookahead": 0, "effective_beta": 0.99,
            "dropout": 0.0, "seed": 1,
            "memory_limit_mb": 16}
SHARES = {"train_top1", "train_top5", "val_top1", "val_top5"}


def settings(**changes):
    return EasyDict({**SETTINGS, **changes})


def mapped(rows, columns=slice(None)):
    """Rows as a cache gives them where they are too many for memory."""
    from src_mindspore.features.cache import MappedRows
    parts = [rows[:32], rows[32:64], rows[64:]]
    return MappedRows(parts.__getitem__, [len(part) for part in parts], columns)


def clusters(seed, count, spread=0.3):
    """Rows around one positive centre a class: (count, WIDTH) float32, (count,) int32."""
    centres = 4 * np.eye(CLASSES, WIDTH) + 1
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, count).astype(np.int32)
    rows = centres[labels] + rng.normal(0, spread, (count, WIDTH))
    return np.abs(rows).astype(np.float32), labels


@pytest.fixture(scope="module")
def splits():
    from src_mindspore.training.rows import Split
    return Split(*clusters(0, 90)), Split(*clusters(1, 40))


@pytest.fixture
def make_trainer(mindspore, splits, tmp_path):
    """Function from settings to a HeadTrainer with a new linear head."""
    from src_mindspore.heads.linear import MobileNetV2Head
    from src_mindspore.training.loop import HeadTrainer
    from src_mindspore.training.rows import root_statistics

    def make(train=None, normalise=True, **changes):
        config = settings(features_path=str(tmp_path), **changes)
        head = MobileNetV2Head(WIDTH, 1, CLASSES, normalise=normalise, seed=config.seed)
        train = train or splits[0]
        if normalise:
            head.prepare.fit(*root_statistics(train.rows))
        return HeadTrainer(head, train, splits[1], config)
    return make


def weights_of(trainer):
    return {p.name: p.asnumpy().copy() for p in trainer.head.get_parameters()}


def assert_same_weights(one, other):
    one, other = weights_of(one), weights_of(other)
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.parametrize("optimizer", ["momentum", "sgd", "adam", "adamw", "radam", "ranger"])
def test_separable_classes_are_learnt(make_trainer, splits, optimizer):
    # In 36 steps RAdam has hardly begun to trust its scale: its steps are a tenth of Adam's.
    trainer = make_trainer(optimizer=optimizer, lr_max=2 if optimizer in ("radam", "ranger")
                           else 0.1)
    rows = list(trainer.run())
    assert rows == trainer.history
    assert [r["epoch"] for r in rows] == [1, 2, 3, 4, 5, 6]
    assert rows[-1]["val_top1"] == 1.0
    assert rows[-1]["val_loss"] < rows[0]["val_loss"] < np.log(CLASSES) * 1.5
    assert all(0 <= r[name] <= 1 for r in rows for name in SHARES)


def test_history_is_what_the_head_says_about_all_rows(make_trainer, splits):
    trainer = make_trainer()
    *_, last = trainer.run()
    for name, split, raw in (("train", trainer.train, splits[0]), ("val", trainer.val, splits[1])):
        logits = trainer.logits(split)
        assert logits.shape == (len(raw.labels), CLASSES)
        assert last[f"{name}_top1"] == (logits.argmax(1) == raw.labels).mean()
        weights = weights_of(trainer)
        prepared = (np.sqrt(raw.rows) - weights["prepare.mean"]) * weights["prepare.scale"]
        np.testing.assert_allclose(logits, prepared @ weights["dense.weight"].T
                                   + weights["dense.bias"], rtol=1e-4, atol=1e-4)


def test_learning_rate_of_the_history_is_the_last_one_of_the_epoch(make_trainer):
    trainer = make_trainer()
    assert trainer.steps_per_epoch == 6  # 90 rows, 16 a batch: the last batch has 10
    rows = list(trainer.run())
    assert [r["learning_rate"] for r in rows] == trainer.rates[5::6]
    assert rows[0]["learning_rate"] == pytest.approx(0.1 * 5 / 6)


def test_same_seed_same_weights_and_another_seed_others(make_trainer):
    one, two, three = make_trainer(), make_trainer(), make_trainer(seed=2)
    for trainer in (one, two, three):
        trainer.train_to_the_end()
    assert_same_weights(one, two)
    assert not np.array_equal(weights_of(one)["dense.weight"], weights_of(three)["dense.weight"])


def test_measuring_does_not_change_the_training(make_trainer):
    measured, silent = make_trainer(dropout=0.2), make_trainer(dropout=0.2)
    list(measured.run())
    silent.train_to_the_end()
    assert_same_weights(measured, silent)


@pytest.mark.parametrize(("normalise", "dropout"), [(True, 0.0), (False, 0.0), (True, 0.3)])
def test_rows_on_disk_train_the_same_weights(make_trainer, splits, normalise, dropout, monkeypatch,
                                             tmp_path):
    from src_mindspore.training.loop import HeadTrainer
    from src_mindspore.training.rows import ScratchRows, Split
    changes = {"normalise": normalise, "dropout": dropout, "lr_max": 0.02}
    one = make_trainer(**changes)
    # Five full batches of 16, two a call: the third call is shorter than the graph.
    monkeypatch.setattr(HeadTrainer, "_steps_a_call", lambda self: 2)
    two = make_trainer(Split(mapped(splits[0].rows), splits[0].labels), **changes)
    assert isinstance(two.train.rows, ScratchRows)
    assert not list(tmp_path.iterdir())  # the scratch file has no name that could be left behind
    for trainer in (one, two):
        list(trainer.run())
    assert_same_weights(one, two)
    assert [r["train_loss"] for r in one.history] == [r["train_loss"] for r in two.history]


@pytest.mark.parametrize(("limit_mb", "dropout", "steps"), [
    (16, 0.0, 5), (0, 0.0, 5), (0, 0.3, 1), (16 * 12 * 4 * 4 * 3 / 2**20, 0.3, 3)])
def test_masks_of_dropout_keep_to_the_memory_limit(make_trainer, limit_mb, dropout, steps):
    assert make_trainer(memory_limit_mb=limit_mb, dropout=dropout)._steps_a_call() == steps


def plain_loop(trainer):
    """Train as one would by hand, a call from Python for every step."""
    rows, labels, config = trainer.train.rows, trainer.train.labels, trainer.config
    losses = []
    for epoch in range(1, config.epochs + 1):
        rng = np.random.default_rng([config.seed, epoch])
        order = rng.permutation(len(labels))
        trainer.step.set_train(True)
        for first in range(0, len(order), config.batch_size):
            numbers = order[first:first + config.batch_size]
            inputs = rows[numbers]
            if config.dropout:
                kept = rng.random(inputs.shape, np.float32) >= config.dropout
                inputs = inputs * kept / np.float32(1 - config.dropout)
            losses.append(trainer.step(ms_tensor(inputs), ms_tensor(labels[numbers])))
    return [float(loss.asnumpy()) for loss in losses]


def ms_tensor(array):
    import mindspore
    return mindspore.Tensor(array)


@pytest.mark.parametrize(("optimizer", "dropout"), [
    ("momentum", 0.0), ("sgd", 0.0), ("adam", 0.0), ("adamw", 0.0), ("momentum", 0.4),
    ("ranger", 0.0)])
def test_the_compiled_loop_takes_the_steps_of_the_plain_one(make_trainer, optimizer, dropout):
    changes = {"optimizer": optimizer, "dropout": dropout, "label_smoothing": 0.1}
    plain, compiled = make_trainer(**changes), make_trainer(**changes)
    losses = plain_loop(plain)
    assert len(losses) == 36  # 90 rows make five full batches and one of 10, six times
    compiled.train_to_the_end()
    assert_same_weights(plain, compiled)
    for one, other in zip(plain.optimizer.get_parameters(), compiled.optimizer.get_parameters(),
                          strict=True):
        np.testing.assert_array_equal(one.asnumpy(), other.asnumpy(), err_msg=one.name)


@pytest.mark.parametrize("count", [9, 16, 32])
def test_any_number_of_rows_is_trained_on(make_trainer, splits, count):
    """Fewer than a batch, one batch, two without a rest."""
    from src_mindspore.training.rows import Split
    some = Split(splits[0].rows[:count], splits[0].labels[:count])
    plain, compiled = make_trainer(some), make_trainer(some)
    plain_loop(plain)
    compiled.train_to_the_end()
    assert_same_weights(plain, compiled)


@pytest.mark.parametrize(("optimizer", "dropout", "after"), [
    ("momentum", 0.3, 4), ("adam", 0.3, 2), ("adamw", 0.0, 5), ("ranger", 0.0, 3)])
def test_resumed_training_ends_bit_equal(make_trainer, optimizer, dropout, after):
    unbroken = make_trainer(optimizer=optimizer, dropout=dropout)
    whole = list(unbroken.run())
    first = make_trainer(optimizer=optimizer, dropout=dropout)
    epochs = first.run()
    for _ in range(after):
        next(epochs)
    second = make_trainer(optimizer=optimizer, dropout=dropout)
    second.restore(first.state(), first.history)
    rest = list(second.run())
    assert [r["epoch"] for r in rest] == list(range(after + 1, 7))
    assert_same_weights(unbroken, second)
    for old, new in zip(whole, second.history, strict=True):
        assert {k: v for k, v in old.items() if k != "seconds"} \
            == {k: v for k, v in new.items() if k != "seconds"}


@pytest.mark.parametrize("on_disk", [False, True])
def test_soft_labels_of_one_class_train_as_that_class(make_trainer, splits, on_disk):
    from src_mindspore.training.rows import Split
    rows, labels = splits[0].rows, splits[0].labels
    soft = Split(mapped(rows) if on_disk else rows, np.eye(CLASSES, dtype=np.float32)[labels])
    changes = {"label_smoothing": 0.1, "class_weights": "inverse", "sampler": "balanced"}
    one, two = make_trainer(**changes), make_trainer(soft, **changes)
    for row, other in zip(one.run(), two.run(), strict=True):
        for name in row.keys() - {"seconds"}:
            assert row[name] == pytest.approx(other[name], abs=1e-5), name
    for name, value in weights_of(one).items():
        np.testing.assert_allclose(value, weights_of(two)[name], atol=1e-5)


def test_soft_labels_are_measured_as_what_they_are():
    from src_mindspore.training.loop import scores
    logits = np.random.default_rng(0).normal(size=(8, CLASSES))
    soft = np.random.default_rng(1).dirichlet(np.ones(CLASSES), 8)
    measured = scores(logits, soft)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert measured["loss"] == pytest.approx(-(soft * log_p).sum() / 8)
    assert measured["top1"] == (logits.argmax(1) == soft.argmax(1)).mean()


@pytest.mark.parametrize("changes", [
    {"loss": "focal", "focal_gamma": 2.0}, {"loss": "joint", "joint_share": 0.5},
    {"class_weights": "effective"}, {"sampler": "weighted"},
    {"lookahead": 3}])
def test_every_technique_learns_separable_classes_in_its_own_way(make_trainer, changes):
    changes = {"label_smoothing": 0.1, **changes}
    plain, tricked = make_trainer(label_smoothing=0.1), make_trainer(**changes)
    for trainer in (plain, tricked):
        list(trainer.run())
    assert tricked.history[-1]["val_top1"] > 0.9
    assert not np.array_equal(weights_of(plain)["dense.weight"],
                              weights_of(tricked)["dense.weight"])


@pytest.mark.parametrize("soft", [False, True])
def test_class_weights_count_photos_not_passes(mindspore, tmp_path, soft):
    from src_mindspore.heads.build import HeadSpec
    from src_mindspore.training.class_weights import class_weights
    from src_mindspore.training.head_of_config import make_trainer
    from src_mindspore.training.loop import HeadTrainer
    from src_mindspore.training.rows import Split
    config = settings(class_weights="effective", effective_beta=0.9, features_path=str(tmp_path),
                      weight_init="he")
    rows, labels = clusters(2, 60)
    kept = np.flatnonzero((labels != 3) | (np.cumsum(labels == 3) <= 2))
    rows, labels = rows[kept], labels[kept]
    expected = class_weights("effective", np.bincount(labels), 0.9)
    given = np.eye(CLASSES, dtype=np.float32)[labels] if soft else labels
    # One pass; six; and two with three more of a class, as upsampling adds them.
    once, weak = np.arange(len(labels)), np.flatnonzero(labels == 3)
    for photos in (once, np.tile(once, 6), np.concatenate((once, once, weak, weak, weak))):
        index = np.stack((photos, np.zeros_like(photos)), axis=1)
        spec = HeadSpec(WIDTH, 1, CLASSES)
        trainer = make_trainer(spec, Split(rows[photos], given[photos]), Split(rows, labels), index,
                               config)
        np.testing.assert_allclose(trainer.loss.targets.weights.asnumpy(), expected, rtol=1e-6)
        # As a sweep does, whose heads share the stage before the Dense layer.
        again = HeadTrainer(spec.build(), trainer.train, trainer.val, config)
        np.testing.assert_allclose(again.loss.targets.weights.asnumpy(), expected, rtol=1e-6)


def test_a_class_without_photos_cannot_be_weighted(make_trainer, splits):
    from src_mindspore.training.rows import Split
    kept = splits[0].labels != 2
    some = Split(splits[0].rows[kept], splits[0].labels[kept])
    with pytest.raises(LabError, match="Class 2 has no photos"):
        make_trainer(some, class_weights="inverse")


def test_untrained_heads_depend_on_the_seed_alone(make_trainer):
    """MindSpore draws from a stream of its own where it is left to; a resume would notice."""
    one, two, three = make_trainer(), make_trainer(), make_trainer(seed=2)
    assert_same_weights(one, two)
    assert not np.array_equal(weights_of(one)["dense.weight"], weights_of(three)["dense.weight"])


def test_dropout_changes_training_but_not_the_answer(make_trainer):
    plain, dropped = make_trainer(), make_trainer(dropout=0.5)
    np.testing.assert_array_equal(plain.logits(plain.val), dropped.logits(dropped.val))
    for trainer in (plain, dropped):
        next(trainer.run())
    one, other = (weights_of(trainer)["dense.weight"] for trainer in (plain, dropped))
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(dropped.logits(dropped.val), dropped.logits(dropped.val))


def test_dropped_inputs_are_zero_and_the_others_larger(mindspore):
    from src_mindspore.training.steps import StepLoop

    class SumOfInputs(mindspore.nn.Cell):
        def construct(self, inputs, labels):
            return inputs.sum()
    kept = np.random.default_rng(3).random((5, 16, WIDTH)) >= 0.25
    arrays = (np.ones((90, WIDTH), np.float32), np.zeros(90, np.int32),
              np.zeros((5, 16), np.int32), kept)
    sums = StepLoop(SumOfInputs(), 5, 0.25)(*map(mindspore.Tensor, arrays), mindspore.Tensor(4))
    np.testing.assert_allclose(sums.asnumpy(), [*kept.sum((1, 2))[:4] / 0.75, 0], rtol=1e-6)


def test_divergence_is_explained(make_trainer):
    trainer = make_trainer(lr_max=100.0, weight_decay=90.0, epochs=60)
    with pytest.raises(LabError, match=r"loss is (nan|inf) at step \d+ of epoch \d+") as error:
        list(trainer.run())
    assert "Lower --lr_max (now 100; try 10) or --weight_decay (now 90)" in str(error.value)


def test_a_feature_that_is_not_a_number_is_noticed_at_its_step(make_trainer, splits):
    from src_mindspore.training.rows import Split
    rows = splits[0].rows.copy()
    rows[:, 0] = np.nan
    trainer = make_trainer(Split(rows, splits[0].labels), normalise=False, weight_decay=0.0)
    with pytest.raises(LabError, match="loss is nan at step 1 of epoch 1") as error:
        list(trainer.run())
    assert "weight_decay" not in str(error.value)


@pytest.mark.parametrize("classes", [3, 8])
def test_scores_are_those_of_scikit_learn(mindspore, classes):
    from src_mindspore.training.loop import scores
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 4, (50, classes)).astype(np.float32)
    labels = rng.integers(0, classes, 50)
    result = scores(logits, labels)
    probabilities = np.exp(logits.astype(np.float64))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    every = np.arange(classes)
    assert result["loss"] == pytest.approx(log_loss(labels, probabilities, labels=every), rel=1e-9)
    for k, name in ((1, "top1"), (5, "top5")):
        expected = 1.0 if k >= classes else top_k_accuracy_score(labels, logits, k=k, labels=every)
        assert result[name] == expected


def test_statistics_are_those_of_the_square_roots(mindspore):
    from src_mindspore.training.rows import root_statistics
    rows = np.random.default_rng(5).gamma(0.3, 2, (101, 7)).astype(np.float32)
    rows[:, 3] = 0  # a channel that never fires
    mean, deviation = root_statistics(rows, chunk=10)
    np.testing.assert_allclose(mean, np.sqrt(rows.astype(np.float64)).mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(deviation, np.sqrt(rows.astype(np.float64)).std(axis=0), atol=1e-7)


@pytest.mark.parametrize("changes", [{}, {"lookahead": 3}, {"optimizer": "adamw"}])
def test_on_a_plateau_the_rate_falls_to_its_floor(make_trainer, monkeypatch, changes):
    """Where nothing counts as a gain, it is a plateau from the start."""
    monkeypatch.setattr(schedules, "LEAST_GAIN", 10.0)
    changes = {"decay_type": "plateau", "lr_max": 1e-6, "lr_end": 3e-8, "decay_rate": 0.1,
               "warmup_epochs": 0, "epochs": 7, **changes}
    trainer = make_trainer(**changes)
    epochs = trainer.run()
    rows = [next(epochs) for _ in range(3)]
    state = {name: value.copy() for name, value in trainer.state().items()}  # they are views
    before = weights_of(trainer)["dense.weight"]
    rows += epochs
    assert [row["learning_rate"] for row in rows] == pytest.approx(
        [1e-6, 1e-6, 1e-6, 1e-7, 1e-7, 3e-8, 3e-8])
    resumed = make_trainer(**changes)
    resumed.restore(state, rows[:3])
    next(resumed.run())
    assert resumed.history[3]["learning_rate"] == pytest.approx(1e-7)
    # The optimizer takes the lowered rate, not only the history.
    moved = np.abs(weights_of(resumed)["dense.weight"] - before).max()
    assert 0 < moved < 6 * 1e-7 * 10
    asked = make_trainer(**changes)
    asked.train_to_the_end()
    assert asked.rates[-1] == pytest.approx(3e-8)
