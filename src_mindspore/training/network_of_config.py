"""The network that a configuration asks for, trained on photos, inside a run."""
import contextlib
import dataclasses
from pathlib import Path

import mindspore as ms
import numpy as np

from src_mindspore.backbones.checkpoint import read_checkpoint
from src_mindspore.backbones.registry import Backbone
from src_mindspore.configuration import ON_MAPS
from src_mindspore.data.preprocess import PreprocessSpec
from src_mindspore.errors import LabError
from src_mindspore.features.extract import Views
from src_mindspore.features.of_config import prepare_backbone, train_views
from src_mindspore.files import sha256_of_json
from src_mindspore.heads.build import HeadSpec, head_spec
from src_mindspore.mobilenetv2 import mobilenet_v2
from src_mindspore.model import save_model
from src_mindspore.networks.blocks import he_init, parameter_count
from src_mindspore.networks.cnn import CHANNELS, HIDDEN, STRIDE, ScratchCNN, architecture_of
from src_mindspore.networks.parts import blocks_of, trained_blocks
from src_mindspore.training.live_charts import charts_of
from src_mindspore.training.memory import require_memory
from src_mindspore.training.network_batches import PhotoSource
from src_mindspore.training.network_loop import NetworkTrainer
from src_mindspore.training.run import load_state


@dataclasses.dataclass(frozen=True)
class ReadSplit:
    """How a split is read while a network is trained; stands where a FeatureCache stands for a
    head: `labels`, (N,) int, and `what`, the dict that the report shows.
    """

    labels: np.ndarray
    what: dict


def prepare_network(config, num_classes):
    """Build the network: a pretrained backbone, or ten layers with weights drawn from the seed.

    Args:
        config: the configuration.
        num_classes: int.

    Returns:
        (network, backbone, spec): MobileNetV2Combine, Backbone (the same cells, with what has to
        travel with them) and HeadSpec.

    Raises:
        LabError: see `prepare_backbone` and `trained_blocks`; or a head that is not trained by
            gradients on photos.
    """
    if config.head not in ON_MAPS or config.normalise:
        raise LabError(f"train_network.py trains the layers of a network by their gradients; "
                       f"--head is {config.head} and --normalise is "
                       f"{str(config.normalise).lower()}, and other heads and the normalisation "
                       "are fitted on cached features. Take --preset finetune or cnn_scratch, or "
                       f"set --head {', '.join(ON_MAPS[:-1])} or {ON_MAPS[-1]}, and --normalise "
                       "false.")
    if config.backbones:
        raise LabError(f"train_network.py trains one network; --backbones is {config.backbones}, "
                       "which are joined as cached features. Name one with --backbone, or take "
                       "train_head.py.")
    if config.network == "cnn":
        cell = ScratchCNN(attention=config.block_attention)
        he_init(cell, config.seed)
        source = f"trained from scratch, initial weights of seed {config.seed}"
        if config.block_attention != "none":
            count = parameter_count(cell)
            source += (f"; {config.block_attention} behind each stage has "
                       f"{count - parameter_count(ScratchCNN()):,} of its {count:,} parameters")
        preprocess = PreprocessSpec(
            config.image_height, config.image_width, config.resize, config.interpolation,
            crop=config.crop, standardise=config.standardise)
        backbone = Backbone(architecture_of(config.block_attention), cell, CHANNELS, "same",
                            preprocess, source, "")
        kind, width = ("hidden", HIDDEN) if config.head == "linear" else (config.head, 0)
        spec = HeadSpec(CHANNELS, -(-config.image_height // STRIDE), num_classes, kind,
                        config.reduction, config.activation, config.has_bias, width=width)
        if config.reduction is None and config.image_height != config.image_width:
            raise LabError(f"The head reads every position of a square map; the input is "
                           f"{config.image_height}x{config.image_width}. Take a square input, or "
                           "--reduction mean.")
    else:
        backbone = prepare_backbone(config)
        backbone = dataclasses.replace(backbone, source=f"{backbone.source}; fine-tuned")
        spec = head_spec(config, backbone.channels, num_classes, 0, _map_side(backbone, config))
    # The trainer asks again; here no run has begun, whose folder would stay behind empty.
    trained_blocks(blocks_of(backbone.cell), config.unfreeze)
    head = spec.build(config.weight_init, config.seed)
    if spec.kind == "hidden":
        he_init(head.prepare, config.seed + 1)
    return mobilenet_v2(backbone.cell, head), backbone, spec


def _map_side(backbone, config):
    """Return the side of the map that a head reads position by position; None: as of nearly all
    networks, which MindCV's need not be.
    """
    if config.reduction is not None or "mindcv:" not in config.backbone:
        return None
    black = np.zeros((1, *backbone.preprocess.input_shape), np.float32)
    return backbone.cell(ms.Tensor(black)).shape[-1]


def read_splits(photos, backbone, config):
    """Return (sources, splits): dicts with 'train' and 'val' of PhotoSource and ReadSplit."""
    preprocess = backbone.preprocess
    views = {"train": dataclasses.replace(
                 train_views(config, preprocess, len(photos.classes)), include_clean=False),
             "val": Views(preprocess)}
    sources = {split: PhotoSource(photos.splits[split], photos.root, view, config.workers)
               for split, view in views.items()}
    splits = {split: ReadSplit(sources[split].labels, {
        **view.to_dict(), "engine": "mindspore", "precision": "float32"})
        for split, view in views.items()}
    small = sum(min(r.width, r.height) < config.crop_pixels for r in photos.splits["train"])
    if small:
        print(f"note: {small} of {len(photos.splits['train'])} train photos are smaller than "
              f"crop_pixels {config.crop_pixels}; they are enlarged, which adds no detail.")
    return sources, splits


def inputs_of(photos, backbone, splits):
    """Return what a run of a network depends on besides its configuration: dict of str."""
    return {**{split: sha256_of_json({
        "images": [[r.path, r.sha256, r.label] for r in photos.splits[split]],
        "views": {k: v for k, v in read.what.items()}}) for split, read in splits.items()},
        "weights": backbone.sha256}


def train(run, network, sources, config, workers):
    """Train until the last epoch, until nothing gets better, or until Ctrl-C.

    Args:
        run: Run of the first process, None in the others.
        network: from `prepare_network`.
        sources: from `read_splits`.
        config: the configuration.
        workers: Workers.

    Returns:
        NetworkTrainer.

    Raises:
        LabError: see `NetworkTrainer`, `require_memory`.
        KeyboardInterrupt: Ctrl-C before the first validation was saved.
    """
    trainer = NetworkTrainer(network, sources["train"], sources["val"], config, workers)
    require_memory(network, trainer.trained_cells(),
                   trainer.batch // workers.count // config.accumulate, config)
    # The first process writes the run; the others read where it goes on.
    state = load_state(Path(workers.told(str(run.folder.resolve()) if run else "")))
    if state:
        trainer.restore(*state)
        print(f"training: going on after epoch {state[1][-1]['epoch']:g} of {config.epochs} "
              f"(step {trainer.step} of {trainer.total})")
    try:
        # One process writes; the charts of the others are off.
        with charts_of(config, run.folder) if run else contextlib.nullcontext() as charts:
            for row in trainer.run():
                if run:
                    run.save_epoch(trainer)
                    charts.epoch(row, trainer.confusion)
                    print_row(row, trainer)
    except KeyboardInterrupt:
        if not run or not run.candidates(trainer.history):
            raise
        print(f"\nstopped by Ctrl-C after epoch {trainer.history[-1]['epoch']:g}: the best so far "
              "is chosen")
    except RuntimeError as error:
        if workers.count == 1:
            raise
        raise LabError(
            f"The {workers.count} processes of this run no longer answer one another: one has "
            f"ended, and this is process {workers.rank} (MindSpore: "
            f"{str(error).strip().splitlines()[0][:120]}). "
            + (f"Everything up to epoch {trainer.history[-1]['epoch']:g} is kept"
               if trainer.history else "No validation had been reached")
            + "; the same command goes on from there.") from error
    trainer.leave()
    return trainer


def print_row(row, trainer):
    """Print one line of numbers."""
    left = (trainer.total - row["step"]) * trainer.batch / row["images_per_second"]
    raw = f" (raw {row['raw_val_top1']:6.2%})" if "raw_val_top1" in row else ""
    print(f"epoch {row['epoch']:6.2f}/{trainer.config.epochs}  lr {row['learning_rate']:.6f}  "
          f"train loss {row['train_loss']:.4f} top-1 {row['train_top1']:6.2%}  "
          f"val loss {row['val_loss']:.4f} top-1 {row['val_top1']:6.2%} top-5 "
          f"{row['val_top5']:6.2%}{raw}  {row['images_per_second']:.1f} images/s, "
          f"{left / 60:.0f} min left", flush=True)


def save_raw(run, chosen, trainer, spec, backbone, photos, splits):
    """Write best_raw.ckpt beside best.ckpt: the chosen epoch's weights without averaging.

    Args:
        run, chosen, trainer, spec, backbone, photos, splits: of this run, after
            `choose_and_export`. The network keeps the averaged weights.

    Returns:
        Path, or None where there is no average.
    """
    if not trainer.averages:
        return None
    parameters, _ = read_checkpoint(run.checkpoint_of(chosen.row["epoch"]))
    trainer.put(parameters, raw=True)
    path = run.folder / "best_raw.ckpt"
    save_model(path, backbone, trainer.head, spec, photos.classes, 1.0,
               {"split": "val", "epoch": chosen.row["epoch"],
                "top1": chosen.row["raw_val_top1"], "top5": chosen.row["raw_val_top5"],
                "n": len(trainer.val.labels)}, splits["train"].what["augmentation"])
    trainer.put(parameters)
    return path
