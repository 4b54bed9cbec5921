import numpy as np
import pytest
from scipy.special import expit, softmax

from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore.configuration import resolve
from src_mindspore.errors import LabError
from src_mindspore.heads.attention import FeatureAttention
from src_mindspore.heads.build import HeadSpec

ROWS = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)


@pytest.mark.parametrize(("kind", "reference"), [
    ("softmax", lambda score: 6 * softmax(score, axis=1)), ("sigmoid", lambda s: 2 * expit(s))])
def test_features_are_weighed_by_what_they_say_together(mindspore, kind, reference):
    cell = FeatureAttention(6, kind)
    rng = np.random.default_rng(1)
    matrix, bias = (rng.normal(size=s).astype(np.float32) for s in ((6, 6), 6))
    cell.score.weight.set_data(mindspore.Tensor(matrix))
    cell.score.bias.set_data(mindspore.Tensor(bias))
    expected = reference(ROWS @ matrix.T + bias)
    np.testing.assert_allclose(cell.weights(mindspore.Tensor(ROWS)).asnumpy(), expected, rtol=1e-4)
    np.testing.assert_allclose(cell(mindspore.Tensor(ROWS)).asnumpy(), ROWS * expected, rtol=1e-4)


@pytest.mark.parametrize("kind", ["linear", "svd", "rbf"])
@pytest.mark.parametrize("attention", ["softmax", "sigmoid"])
def test_training_starts_from_the_head_without_attention(mindspore, kind, attention):
    shape = {"input_channel": 6, "hw": 1, "num_classes": 4, "kind": kind, "centres": 5,
             "width": 3, "components": 3}
    plain = HeadSpec(**shape).build(seed=3).dense
    head = HeadSpec(**shape, attention=attention).build(seed=3).dense
    x = mindspore.Tensor(ROWS[:, :6 if kind == "linear" else 3])
    np.testing.assert_allclose(head(x).asnumpy(), plain(x).asnumpy(), rtol=1e-5, atol=1e-6)


def test_attention_finds_what_a_dense_layer_alone_cannot(mindspore, tmp_path):
    """The sign of one feature says whether another one means its class or the opposite."""
    from easydict import EasyDict

    from src_mindspore.training.loop import HeadTrainer
    from src_mindspore.training.rows import Split
    rows = np.random.default_rng(2).choice([-1, 1], (400, 2)).astype(np.float32)
    split = Split(rows, (rows.prod(axis=1) > 0).astype(np.int32))
    config = EasyDict(resolve(KEYS, PRESETS, DEFAULT_PRESET, flags={
        "epochs": 30, "batch_size": 32, "optimizer": "adam", "lr_max": 0.03,
        "decay_type": "constant", "label_smoothing": 0, "features_path": str(tmp_path)}))
    top1 = {}
    for attention in ("none", "sigmoid"):
        head = HeadSpec(2, 1, 2, attention=attention).build(seed=1)
        trainer = HeadTrainer(head, split, split, config)
        trainer.train_to_the_end()
        top1[attention] = (trainer.logits(trainer.val).argmax(1) == split.labels).mean()
    assert top1["none"] < 0.8
    assert top1["sigmoid"] == 1


@pytest.mark.parametrize("flags", [{"head": "svm_rbf"}, {
    "head": "linear", "reduction": "none", "normalise": False, "resize": 0}])
def test_where_there_is_nothing_to_weigh_it_is_refused(flags):
    with pytest.raises(LabError, match="attention is sigmoid.*--attention none"):
        resolve(KEYS, PRESETS, DEFAULT_PRESET, flags={"attention": "sigmoid", **flags})
