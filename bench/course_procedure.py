"""The course's original procedure, as its handout has it, to be measured beside ours.

Feature maps are cached unpooled, one file a batch; every training step loads its file again; every
epoch saves the whole network.
"""
from pathlib import Path

import mindspore as ms
import numpy as np
from easydict import EasyDict
from mindspore import nn

from src_mindspore.dataset import create_dataset
from src_mindspore.heads.linear import MobileNetV2Head
from src_mindspore.mobilenetv2 import mobilenet_v2
from src_mindspore.training.losses import SoftmaxCrossEntropy
from src_mindspore.training.schedules import build_lr


def extract_features(backbone, data, folder, config):
    """Write feature_{i}.npy and label_{i}.npy of unpooled maps; returns (batches, bytes)."""
    folder.mkdir(parents=True)
    pipeline = create_dataset(EasyDict({**config, "dataset_path": str(data)}),
                              repeat=config.repeat)
    size = batches = 0
    for batch in pipeline.create_dict_iterator(num_epochs=1):
        feature = backbone(batch["image"]).asnumpy()
        np.save(folder / f"feature_{batches}.npy", feature)
        np.save(folder / f"label_{batches}.npy", batch["label"].asnumpy())
        size += feature.nbytes
        batches += 1
    return batches, size


def train_head(backbone, folder, batches, classes, config):
    """Train with one np.load a step and a whole checkpoint an epoch; returns the network."""
    head = MobileNetV2Head(num_classes=classes, reduction="mean", weight_init="ones",
                           has_bias=False)
    network = mobilenet_v2(backbone, head)
    rates = build_lr(config.epochs * batches, lr_max=config.lr_max,
                     decay_type=config.decay_type)
    optimizer = nn.Momentum(head.trainable_params(), rates, config.momentum, config.weight_decay)
    step = nn.TrainOneStepCell(nn.WithLossCell(head, SoftmaxCrossEntropy(classes)), optimizer)
    step.set_train()
    for epoch in range(config.epochs):
        for i in np.random.default_rng(epoch).permutation(batches):
            feature = ms.Tensor(np.load(folder / f"feature_{i}.npy"))
            label = ms.Tensor(np.load(folder / f"label_{i}.npy"))
            step(feature, label).asnumpy()
        ms.save_checkpoint(network, str(Path(folder) / f"network-{epoch}.ckpt"))
    return network
