"""The training loop: it learns, repeats itself, resumes exactly, and notices divergence."""
import numpy as np
import pytest
from easydict import EasyDict
from sklearn.metrics import log_loss, top_k_accuracy_score

from src_mindspore.errors import LabError

WIDTH, CLASSES = 12, 6
SETTINGS = {"epochs": 6, "batch_size": 16, "optimizer": "momentum", "lr_init": 0.0, "lr_max": 0.1,
            "lr_end": 0.0, "warmup_epochs": 1, "decay_type": "cosine", "decay_rate": 0.1,
            "decay_steps": 3, "momentum": 0.9, "weight_decay": 1e-4, "label_smoothing": 0.0,
            "dropout": 0.0, "seed": 1}
SHARES = {"train_top1", "train_top5", "val_top1", "val_top5"}


def settings(**changes):
    return EasyDict({**SETTINGS, **changes})


def clusters(seed, count, spread=0.3):
    """Rows around one positive centre a class: (count, WIDTH) float32, (count,) int32."""
    centres = 4 * np.eye(CLASSES, WIDTH) + 1
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, count).astype(np.int32)
    rows = centres[labels] + rng.normal(0, spread, (count, WIDTH))
    return np.abs(rows).astype(np.float32), labels


@pytest.fixture(scope="module")
def splits():
    from src_mindspore.training.loop import Split
    return Split(*clusters(0, 90)), Split(*clusters(1, 40))


@pytest.fixture
def make_trainer(mindspore, splits):
    """Function from settings to a HeadTrainer with a new linear head."""
    from src_mindspore.heads.linear import MobileNetV2Head
    from src_mindspore.training.head_of_config import root_statistics
    from src_mindspore.training.loop import HeadTrainer

    def make(train=None, normalise=True, **changes):
        config = settings(**changes)
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


@pytest.mark.parametrize("optimizer", ["momentum", "sgd", "adam", "adamw"])
def test_separable_classes_are_learnt(make_trainer, splits, optimizer):
    trainer = make_trainer(optimizer=optimizer)
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


@pytest.mark.parametrize("normalise", [True, False])
def test_rows_on_disk_train_the_same_weights(make_trainer, splits, normalise):
    from src_mindspore.features.cache import MappedRows
    from src_mindspore.training.loop import Split
    rows, labels = splits[0].rows, splits[0].labels
    mapped = Split(MappedRows([rows[:32], rows[32:64], rows[64:]], slice(None)), labels)
    one = make_trainer(normalise=normalise, lr_max=0.02)
    two = make_trainer(mapped, normalise=normalise, lr_max=0.02)
    for trainer in (one, two):
        list(trainer.run())
    assert_same_weights(one, two)
    assert [r["train_loss"] for r in one.history] == [r["train_loss"] for r in two.history]


@pytest.mark.parametrize(("optimizer", "dropout", "after"), [
    ("momentum", 0.3, 4), ("adam", 0.3, 2), ("adamw", 0.0, 5)])
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


def test_dropped_inputs_are_zero_and_the_others_larger(make_trainer):
    trainer = make_trainer(dropout=0.25)
    seen, step = [], trainer.step

    class Recorder:
        def set_train(self, mode):
            return step.set_train(mode)

        def __call__(self, inputs, labels):
            seen.append(inputs.asnumpy())
            return step(inputs, labels)
    trainer.step = Recorder()
    next(trainer.run())
    order = np.random.default_rng([SETTINGS["seed"], 1]).permutation(90)
    inputs, clean = np.concatenate(seen), trainer.train.rows[order]
    kept = inputs != 0
    np.testing.assert_allclose(inputs[kept], clean[kept] / 0.75, rtol=1e-6)
    assert kept.mean() == pytest.approx(0.75, abs=0.05)


def test_divergence_is_explained(make_trainer):
    trainer = make_trainer(lr_max=100.0, weight_decay=90.0, epochs=60)
    with pytest.raises(LabError, match=r"loss is (nan|inf) at step \d+ of epoch \d+") as error:
        list(trainer.run())
    assert "Lower --lr_max (now 100; try 10) or --weight_decay (now 90)" in str(error.value)


def test_a_feature_that_is_not_a_number_is_noticed_at_its_step(make_trainer, splits):
    from src_mindspore.training.loop import Split
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
    from src_mindspore.training.head_of_config import root_statistics
    rows = np.random.default_rng(5).gamma(0.3, 2, (101, 7)).astype(np.float32)
    rows[:, 3] = 0  # a channel that never fires
    mean, deviation = root_statistics(rows, chunk=10)
    np.testing.assert_allclose(mean, np.sqrt(rows.astype(np.float64)).mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(deviation, np.sqrt(rows.astype(np.float64)).std(axis=0), atol=1e-7)
