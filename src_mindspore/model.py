"""A whole model: backbone, head and all that travels with them; saved, loaded, and asked."""
import dataclasses
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn

from src_mindspore.activation import undo_activation
from src_mindspore.backbones.checkpoint import load_strictly, read_checkpoint, save_checkpoint
from src_mindspore.backbones.folding import fold_batchnorm
from src_mindspore.backbones.fused import ARCHITECTURE as FUSED
from src_mindspore.backbones.fused import build_fused
from src_mindspore.backbones.registry import (
    BACKBONES,
    complete_contract,
    entry_of,
    freeze,
    spec_of,
)
from src_mindspore.data.classes import COURSE_CLASSES, ClassNames, name_classes
from src_mindspore.data.preprocess import PreprocessSpec
from src_mindspore.errors import LabError
from src_mindspore.features.engines import Engine, padded
from src_mindspore.files import read_json, sha256_of
from src_mindspore.heads.build import HeadSpec
from src_mindspore.mobilenetv2 import mobilenet_v2


@dataclasses.dataclass(frozen=True)
class Model:
    """Something that turns preprocessed photos into logits, and knows what it needs.

    Attributes:
        network: Cell in evaluation mode, (N, *input_shape) float32 -> (N, C) float32: logits, or
            what the head's activation makes of them.
        preprocess: PreprocessSpec; of several backbones, FusedSpec.
        classes: ClassNames.
        batch_size: int the network takes at once, 0 for any.
        sha256: str, of the file it came from.
        meta: dict, the contract as stored.
        engine: Engine that answers in the network's place, see evaluation/accelerate.py, or None.
    """

    network: nn.Cell
    preprocess: PreprocessSpec
    classes: ClassNames
    batch_size: int
    sha256: str
    meta: dict
    engine: Engine | None = None

    @property
    def temperature(self):
        """What logits are divided by before they become probabilities; float > 0."""
        return self.meta.get("temperature", 1.0)

    @property
    def augmentation(self):
        """The augmentation it was trained with: a dict of `AugmentSpec`, or None."""
        return self.meta.get("augmentation")

    def logits(self, images):
        """Compute logits, whatever activation the network ends in.

        Args:
            images: (N, *input_shape) float32 from `preprocess`: (N, 3, H, W) of one backbone.

        Returns:
            (N, C) float32.
        """
        return undo_activation(self.outputs(images), self.meta["head"]["activation"])

    def outputs(self, images):
        """Compute what the network answers: logits, or probabilities where it ends in them.

        Args, Returns: as for `logits`.
        """
        size = self.batch_size or len(images)
        out = []
        for first in range(0, len(images), size):
            part = images[first:first + size]
            out.append(self.engine(part) if self.engine else
                       self.network(ms.Tensor(padded(part, size))).asnumpy()[:len(part)])
        return np.concatenate(out)


def save_model(path, backbone, head, spec, classes, temperature, metrics, augmentation=None):
    """Write backbone and head as one checkpoint that loads into `mobilenet_v2(backbone, head)`.

    Args:
        path: file to appear.
        backbone: Backbone or FusedBackbone.
        head: Cell.
        spec: HeadSpec.
        classes: ClassNames.
        temperature: float, what logits are divided by before they become probabilities.
        metrics: JSON-able dict, what was measured when it was chosen.
        augmentation: dict from `AugmentSpec.to_dict`, how its training photos were changed.
    """
    save_checkpoint(mobilenet_v2(backbone.cell, head), path, {
        "kind": "network", **backbone.contract(), "preprocess": backbone.preprocess.to_dict(),
        "head": spec.to_dict(), "classes": classes.to_dict(), "temperature": temperature,
        "metrics": metrics, "augmentation": augmentation})


def load_network(path):
    """Load a checkpoint of a whole network, ours or the course's, unfolded and trainable.

    Args:
        path: best.ckpt of a run, or a checkpoint that a course notebook saved.

    Returns:
        (network, meta): MobileNetV2Combine, and the complete contract.

    Raises:
        LabError: not a checkpoint, only a backbone or only a head, or of another network.
    """
    parameters, meta = read_checkpoint(path)
    if meta.get("kind", "network") != "network":
        raise LabError(f"{path} holds a {meta['kind']} alone; expected a whole network, for "
                       "example best.ckpt of a run in results/runs.")
    name = meta.get("architecture", "mobilenet_v2")
    if name == FUSED:
        backbone = build_fused(meta, path)
    else:
        entry = entry_of(name, path)
        known = complete_contract(meta, parameters, entry)
        backbone = entry.build(known.get("padding", entry.default_padding))
    if not meta:
        parameters, meta = _course_contract(parameters, backbone, entry, path)
        meta |= known
    head = HeadSpec(**meta["head"]).build()
    network = mobilenet_v2(backbone, head)
    load_strictly(network, parameters, path)
    return network, meta


def _course_contract(parameters, backbone, entry, path):
    """Give a checkpoint without a contract the one the course's lab implies."""
    known = {p.name for p in backbone.get_parameters()}
    rest = {name: value for name, value in parameters.items() if name not in known}
    weights = [name for name, value in rest.items() if value.ndim == 2]
    biases = [name for name, value in rest.items() if value.ndim == 1]
    missing = known - set(parameters)
    if missing or len(weights) != 1 or len(biases) > 1 or len(rest) > 2:
        raise LabError(
            f"{path} carries no contract and is not a course checkpoint either: expected the "
            f"{len(known)} parameters of MobileNetV2 and one Dense layer, found {len(missing)} of "
            f"them missing and {len(rest)} others.")
    classes, width = rest[weights[0]].shape
    if width not in (entry.channels, entry.channels * 49):
        raise LabError(f"{path}: the Dense layer reads {width} values; expected {entry.channels} "
                       f"(pooled) or {entry.channels * 49} (not pooled).")
    if classes != len(COURSE_CLASSES):
        raise LabError(f"{path} has {classes} classes but carries no class names; the course's "
                       f"checkpoints have {len(COURSE_CLASSES)}.")
    spec = HeadSpec(entry.channels, 7, classes, "mean" if width == entry.channels else None,
                    has_bias=bool(biases))
    named = {name: value for name, value in parameters.items() if name in known}
    named["dense.weight"] = rest[weights[0]]
    if biases:
        named["dense.bias"] = rest[biases[0]]
    for name, value in named.items():
        value.name = name
    names = name_classes(folder for folder, _, _ in COURSE_CLASSES)
    return named, {"architecture": "mobilenet_v2", "head": spec.to_dict(),
                   "classes": names.to_dict(), "padding": entry.default_padding,
                   "source": "course checkpoint without a contract"}


def load_model(path, batch_size=32):
    """Load a checkpoint for inference: BatchNorm folded, parameters frozen.

    Args:
        path: see `load_network`.
        batch_size: int, photos the compiled graph takes at once.

    Returns:
        Model.

    Raises:
        LabError: see `load_network`.
    """
    network, meta = load_network(path)
    fold_batchnorm(network.backbone)
    return Model(freeze(network), spec_of(meta, BACKBONES.get(meta["architecture"])),
                 ClassNames.from_dict(meta["classes"]), batch_size, sha256_of(path), meta)


def sidecar_of(path):
    """Return the Path of the JSON file that belongs to NAME.mindir or NAME_dynamic.mindir."""
    path = Path(path)
    return path.with_name(path.stem.removesuffix("_dynamic") + ".json")


def load_mindir(path):
    """Load an exported MindIR with its sidecar.

    Args:
        path: Path of NAME.mindir or NAME_dynamic.mindir; the sidecar is NAME.json beside it.

    Returns:
        Model.

    Raises:
        LabError: missing, damaged, or the sidecar belongs to another file.
    """
    path = Path(path)
    if not path.is_file():
        raise LabError(f"There is no MindIR {path}. Expected a file that a run exported, for "
                       "example results/latest/best.mindir.")
    sidecar = sidecar_of(path)
    if not sidecar.exists():
        raise LabError(f"{path} has no sidecar {sidecar.name} beside it. Keep the two together: it "
                       "holds the classes and the preprocessing.")
    meta = read_json(sidecar)
    digest = sha256_of(path)
    if digest not in (meta.get("mindir_sha256"), meta.get("mindir_dynamic_sha256")):
        raise LabError(f"{sidecar} belongs to another file: {path} has SHA-256 {digest}, expected "
                       f"{meta.get('mindir_sha256')}. Export again.")
    try:
        network = nn.GraphCell(ms.load(str(path)))
    except Exception as error:  # MindSpore raises many types on damaged files
        raise LabError(f"{path} cannot be loaded as MindIR: {error}.") from error
    batch_size = meta["batch_size"] if digest == meta["mindir_sha256"] else 0
    return Model(network, PreprocessSpec.from_dict(meta["preprocess"]),
                 ClassNames.from_dict(meta["classes"]), batch_size, digest, meta)
