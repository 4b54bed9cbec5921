"""The registry of backbones, and how one is loaded with the contract of its weights."""
import dataclasses
import functools
from collections.abc import Callable

from mindspore import nn

from src_mindspore.attention import BLOCKS
from src_mindspore.backbones.checkpoint import load_strictly, read_checkpoint, save_checkpoint
from src_mindspore.backbones.efficientnet_lite import OUT_CHANNELS, VARIANTS, EfficientNetLite
from src_mindspore.backbones.mirrored import PREFIX as MIRRORED
from src_mindspore.backbones.mirrored import mirrored_backbone, mirrored_entry
from src_mindspore.backbones.multilevel import PREFIX as MULTILEVEL
from src_mindspore.backbones.multilevel import multilevel_backbone, multilevel_entry
from src_mindspore.data.preprocess import PreprocessSpec
from src_mindspore.errors import LabError
from src_mindspore.files import sha256_of
from src_mindspore.mobilenetv2 import MobileNetV2Backbone
from src_mindspore.networks.cnn import CHANNELS as CNN_CHANNELS
from src_mindspore.networks.cnn import ScratchCNN, architecture_of
from src_mindspore.weights.sources import SOURCES, source_of_stem


@dataclasses.dataclass(frozen=True)
class BackboneEntry:
    """One architecture.

    Attributes:
        build: function (padding) -> Cell mapping (N, 3, H, W) to (N, channels, H/32, W/32),
            sides rounded up; of the CNN H/16 and W/16.
        channels: int, feature width.
        default_padding, default_preprocess: the contract of a checkpoint that carries none, as
            the course's `mobilenetv2-200_1067_cpu_gpu.ckpt`.
        stem: name of the parameter by which `source_of_stem` knows weights again.
    """

    build: Callable[[str], nn.Cell]
    channels: int
    default_padding: str
    default_preprocess: PreprocessSpec
    stem: str


BACKBONES = {
    "mobilenet_v2": BackboneEntry(MobileNetV2Backbone, 1280, "symmetric", PreprocessSpec(),
                                  "features.0.features.0.weight"),
    **{name: BackboneEntry(functools.partial(EfficientNetLite, name), OUT_CHANNELS, "same",
                           SOURCES[name].preprocess, "features.0.weight") for name in VARIANTS},
    # Trained from scratch: no weights are known by their stem.
    **{architecture_of(kind): BackboneEntry(
        functools.partial(ScratchCNN, attention=kind), CNN_CHANNELS, "same", PreprocessSpec(), "")
       for kind in ("none", *BLOCKS)},
}


def entry_of(name, path="the configuration"):
    """Return the BackboneEntry of an architecture.

    Args:
        name: str, as a checkpoint's contract names it.
        path: of the checkpoint, for the message.

    Raises:
        LabError: this version does not know it.
    """
    if name.startswith(MIRRORED):
        return mirrored_entry(entry_of(name.removeprefix(MIRRORED), path))
    if name.startswith(MULTILEVEL):
        inner = name.removeprefix(MULTILEVEL)
        return multilevel_entry(entry_of(inner, path), inner)
    if name.startswith("mindcv:"):
        from src_mindspore.backbones.mindcv_bridge import entry_of_mindcv
        return entry_of_mindcv(name)
    if name not in BACKBONES:
        raise LabError(f"{path} was made with the backbone {name!r}, which this version does not "
                       f"know; it has {', '.join(BACKBONES)} and mindcv:NAME, each also as "
                       f"{MIRRORED}NAME.")
    return BACKBONES[name]


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A backbone with weights, ready to read photos.

    Attributes:
        name: str, key of the registry.
        cell: Cell in evaluation mode, its parameters frozen.
        channels: int.
        padding: 'same' or 'symmetric'.
        preprocess: PreprocessSpec the weights were trained with.
        source: str, for people.
        sha256: str, of the checkpoint file.
    """

    name: str
    cell: nn.Cell
    channels: int
    padding: str
    preprocess: PreprocessSpec
    source: str
    sha256: str

    def contract(self):
        """Return what has to travel with the weights, as a JSON-able dict."""
        return {"architecture": self.name, "padding": self.padding, "source": self.source,
                "weights_sha256": self.sha256}


def load_backbone(path, name="mobilenet_v2"):
    """Load a backbone checkpoint with the padding and preprocessing of its source.

    Args:
        path: a checkpoint converted by this project, or the course's own; of 'mindcv:NAME' see
            `mindcv_bridge.load_mindcv`.
        name: key of the registry or 'mindcv:NAME'; or either with 'mirrored:' in front, or the
            former with 'multilevel:', which take the same weights.

    Returns:
        Backbone.

    Raises:
        LabError: not a checkpoint, or of another network.
    """
    if name.startswith(MIRRORED):
        return mirrored_backbone(load_backbone(path, name.removeprefix(MIRRORED)))
    if name.startswith(MULTILEVEL):
        return multilevel_backbone(load_backbone(path, name.removeprefix(MULTILEVEL)))
    if name.startswith("mindcv:"):
        from src_mindspore.backbones.mindcv_bridge import load_mindcv
        return load_mindcv(path, name)
    entry = BACKBONES[name]
    parameters, meta = read_checkpoint(path)
    if meta.get("architecture", name) != name:
        raise LabError(f"{path} holds {meta['architecture']} weights; expected {name}.")
    if meta.get("kind", "backbone") != "backbone":
        raise LabError(f"{path} holds a {meta['kind']}, not a backbone. pretrained_ckpt expects "
                       "the pretrained weights, for example those that `python -m "
                       "src_mindspore.weights fetch` makes.")
    meta = complete_contract(meta, parameters, entry)
    padding = meta.get("padding", entry.default_padding)
    cell = entry.build(padding)
    load_strictly(cell, parameters, path)
    return Backbone(name, freeze(cell), entry.channels, padding, spec_of(meta, entry),
                    meta.get("source", "checkpoint without a contract, taken for the course's"),
                    sha256_of(path))


def complete_contract(meta, parameters, entry):
    """Return the contract of a checkpoint, filled in where it carries none but its weights are
    known: a course notebook that loads converted weights saves them without their contract.

    Args:
        meta: dict, the contract as read.
        parameters: dict name -> Parameter.
        entry: BackboneEntry.
    """
    if meta or entry.stem not in parameters:
        return meta
    source = source_of_stem(parameters[entry.stem].asnumpy())
    if source is None:
        return meta
    # Bilinear, because such weights were used with the course's pipeline.
    preprocess = dataclasses.replace(source.preprocess, interpolation="bilinear")
    return {"padding": source.padding, "preprocess": preprocess.to_dict(),
            "source": f"{source.name}, known by its first kernel"}


def spec_of(meta, entry):
    """Return the PreprocessSpec a checkpoint's contract names, or its architecture's default."""
    return PreprocessSpec.from_dict(meta["preprocess"]) if "preprocess" in meta \
        else entry.default_preprocess


def freeze(cell):
    """Put a cell into evaluation mode and take its parameters out of training; returns it."""
    cell.set_train(False)
    for parameter in cell.get_parameters():
        parameter.requires_grad = False
    return cell


def save_backbone(parameters, path, source):
    """Write converted weights with the contract of their source.

    Args:
        parameters: dict name -> float32 array.
        path: file to appear.
        source: WeightSource.
    """
    save_checkpoint(parameters, path, {
        "kind": "backbone", "architecture": source.backbone, "padding": source.padding,
        "preprocess": source.preprocess.to_dict(), "licence": source.licence,
        "source": f"{source.name} ({source.package} {source.version}): {source.description}"})
