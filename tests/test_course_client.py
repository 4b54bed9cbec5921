"""A student's old notebook, written from the course's material alone, on this library."""
import math
import os

import mindspore as ms
import numpy as np
import pytest
from easydict import EasyDict
from mindspore import Model, Tensor, load_checkpoint, nn, save_checkpoint
from mindspore.common import dtype as mstype
from mindspore.nn import SoftmaxCrossEntropyWithLogits, TrainOneStepCell, WithLossCell
from mindspore.ops import operations as P

from src_mindspore.data.drawn import draw_dataset
from src_mindspore.dataset import create_dataset
from src_mindspore.mobilenetv2 import MobileNetV2Backbone, mobilenet_v2
from src_mindspore.model import load_model, load_network

WEIGHTS = "results/weights/mobilenetv2_keras.ckpt"  # the fixture weights_path sees to it


# --- what the notebook defines itself


def build_lr(total_steps, lr_init=0.0, lr_end=0.0, lr_max=0.1, warmup_steps=0,
             decay_type="cosine"):
    steps = []
    for step in range(total_steps):
        if step < warmup_steps:
            rate = lr_init + (lr_max - lr_init) * step / warmup_steps
        else:
            part = (step - warmup_steps) / (total_steps - warmup_steps)
            rate = {"cosine": lr_end + (lr_max - lr_end) * 0.5 * (1 + math.cos(math.pi * part)),
                    "square": lr_end + (lr_max - lr_end) * (1 - part) ** 2,
                    "constant": lr_max}[decay_type]
        steps.append(rate)
    return Tensor(np.array(steps, np.float32))


class GlobalPooling(nn.Cell):
    def __init__(self, reduction="mean"):
        super().__init__()
        self.pool = P.ReduceMax() if reduction == "max" else P.ReduceMean()

    def construct(self, x):
        return self.pool(x, (2, 3))


class MobileNetV2Head(nn.Cell):
    def __init__(self, input_channel=1280, hw=7, num_classes=1000, reduction="mean",
                 activation="None"):
        super().__init__()
        if reduction:
            self.flatten = GlobalPooling(reduction)
        else:
            self.flatten = nn.Flatten()
            input_channel = input_channel * hw * hw
        self.dense = nn.Dense(input_channel, num_classes, weight_init="ones", has_bias=False)
        self.activation = nn.Softmax() if activation == "Softmax" else None

    def construct(self, x):
        x = self.dense(self.flatten(x))
        return x if self.activation is None else self.activation(x)


def extract_features(net, dataset_path, config):
    if not os.path.exists(config.features_path):
        os.makedirs(config.features_path)
    dataset = create_dataset(config=config)
    for i, data in enumerate(dataset.create_dict_iterator()):
        path = os.path.join(config.features_path, f"feature_{i}.npy")
        if not os.path.exists(path):
            np.save(path, net(data["image"]).asnumpy())
            np.save(os.path.join(config.features_path, f"label_{i}.npy"),
                    data["label"].asnumpy())
    return dataset.get_dataset_size()


def train_head(config):
    backbone = MobileNetV2Backbone()
    if config.pretrained_ckpt:
        load_checkpoint(config.pretrained_ckpt, net=backbone)
    for parameter in backbone.get_parameters():
        parameter.requires_grad = False
    step_size = extract_features(backbone, config.dataset_path, config)
    head = MobileNetV2Head(input_channel=backbone.out_channels, num_classes=config.num_classes,
                           reduction=config.reduction)
    network = mobilenet_v2(backbone, head)
    loss = SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
    rate = build_lr(config.epochs * step_size, lr_max=config.lr_max,
                    decay_type=config.decay_type)
    optimizer = nn.Momentum(head.trainable_params(), rate, config.momentum, config.weight_decay)
    net = TrainOneStepCell(WithLossCell(head, loss), optimizer)
    net.set_train()
    losses = []
    for _ in range(config.epochs):
        epoch = []
        for i in range(step_size):
            feature = Tensor(np.load(os.path.join(config.features_path, f"feature_{i}.npy")))
            label = Tensor(np.load(os.path.join(config.features_path, f"label_{i}.npy")))
            epoch.append(float(net(feature, label).asnumpy()))
        losses.append(np.mean(epoch))
    os.makedirs(config.save_ckpt_path, exist_ok=True)
    path = os.path.join(config.save_ckpt_path, f"mobilenetv2-{config.epochs}.ckpt")
    save_checkpoint(network, path)
    return network, losses, path, step_size


def accuracy_of(network, config):
    eval_dataset = create_dataset(config=config, training=False)
    loss = SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean")
    model = Model(network, loss_fn=loss, metrics={"acc": nn.Accuracy()})
    return model.eval(eval_dataset, dataset_sink_mode=False)["acc"]


# --- what it may rely on


@pytest.fixture(scope="module", autouse=True)
def _graph_mode():
    ms.set_context(mode=ms.GRAPH_MODE, device_target="CPU")


@pytest.fixture(scope="module")
def config(tmp_path_factory, weights_path):
    """The course's keys and no other."""
    folder = tmp_path_factory.mktemp("course")
    draw_dataset(folder / "data", 8, 3, classes=3, progress=False)
    return EasyDict(
        num_classes=3, reduction="mean", image_height=224, image_width=224, batch_size=8,
        eval_batch_size=4, epochs=2, lr_max=0.01, decay_type="cosine", momentum=0.8,
        weight_decay=4e-5, dataset_path=str(folder / "data"),
        features_path=str(folder / "features"),
        class_index={"00_00": 0, "00_01": 1, "00_02": 2}, save_ckpt_epochs=1,
        save_ckpt_path=str(folder / "ckpt"), pretrained_ckpt=str(weights_path),
        export_path=str(folder / "out.mindir"))


@pytest.fixture(scope="module")
def trained(config):
    return train_head(config)


@pytest.fixture(scope="module")
def accuracy(config, trained):
    return accuracy_of(trained[0], config)


def test_the_course_notebook_learns(config, trained):
    network, losses, _, step_size = trained
    assert step_size == 24 // 8
    # Weights of ones: every logit is equal before the first step.
    assert losses[1] < losses[0] < 2 * math.log(3)
    assert np.load(os.path.join(config.features_path, "feature_0.npy")).shape == (8, 1280, 7, 7)
    dense = network.head.dense.weight.asnumpy()
    assert np.abs(dense - 1).max() > 1e-4


def test_a_saved_course_network_loads_into_a_new_one(config, trained, accuracy):
    network, _, path, _ = trained
    again = mobilenet_v2(MobileNetV2Backbone(), MobileNetV2Head(num_classes=3))
    not_loaded = ms.load_param_into_net(again, load_checkpoint(path))[0]
    assert not_loaded == []
    names = {p.name for p in again.get_parameters()}
    assert {"features.0.features.0.weight", "features.18.features.1.moving_variance"} <= names
    assert len(names) == 261
    assert again.backbone.padding == network.backbone.padding
    for ours, theirs in zip(again.get_parameters(), network.get_parameters(), strict=True):
        np.testing.assert_array_equal(ours.asnumpy(), theirs.asnumpy())
    assert accuracy_of(again, config) == accuracy


def test_pretrained_features_separate_the_drawn_classes(accuracy):
    assert accuracy > 0.5


def course_checkpoint(path, pretrained):
    """A course network of 26 classes with a Dense layer that tells classes apart."""
    backbone = MobileNetV2Backbone()
    if pretrained:
        load_checkpoint(WEIGHTS, net=backbone)
    head = MobileNetV2Head(num_classes=26)
    weight = np.random.default_rng(3).normal(0, 0.1, (26, 1280)).astype(np.float32)
    head.dense.weight.set_data(Tensor(weight, mstype.float32))
    network = mobilenet_v2(backbone, head).set_train(False)
    save_checkpoint(network, str(path))
    return network


@pytest.mark.parametrize("pretrained", [False, True])
def test_evaluate_accepts_a_course_checkpoint_without_a_contract(config, tmp_path, pretrained):
    path = tmp_path / "course.ckpt"
    course = course_checkpoint(path, pretrained)
    batch = next(create_dataset(config, training=False).create_dict_iterator(num_epochs=1))
    expected = course(batch["image"]).asnumpy()
    network, meta = load_network(path)
    np.testing.assert_array_equal(network.set_train(False)(batch["image"]).asnumpy(), expected)
    assert meta["classes"]["english"][24] == "Eggshell"
    assert meta["padding"] == ("same" if pretrained else "symmetric")
    model = load_model(path)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(model.logits(batch["image"].asnumpy()), expected,
                               atol=1e-3 * scale)
    # The photos are prepared as create_dataset prepared them for the notebook.
    assert model.preprocess.mean == ((127.5,) * 3 if pretrained else (123.675, 116.28, 103.53))
