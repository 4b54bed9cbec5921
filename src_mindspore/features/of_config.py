"""The features a configuration asks for: its backbone, its views, its caches."""
import dataclasses
from pathlib import Path

from easydict import EasyDict

from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore.backbones.fused import FusedBackbone, fuse
from src_mindspore.backbones.registry import load_backbone
from src_mindspore.configuration import resolve
from src_mindspore.data.augment import AugmentSpec
from src_mindspore.data.fgvc import banner_rows
from src_mindspore.data.folder import find_data
from src_mindspore.data.mix import MixSpec
from src_mindspore.features.engines import MindSporeEngine, choose_engine
from src_mindspore.features.extract import Views, extract
from src_mindspore.features.fused import JoinedCache
from src_mindspore.weights.prepare import require_weights

# What belongs to a backbone; everything else is common to all that are joined.
OF_A_MEMBER = ("backbone", "pretrained_ckpt", "image_height", "image_width", "resize", "mean",
               "std")


def member_config(config, member):
    """Return the configuration that one of `config.backbones` has alone: its own weights and
    input, the rest common.

    Args:
        config: the configuration.
        member: str, 'name' or 'name@pixels'.
    """
    name, _, pixels = member.partition("@")
    size = {"image_height": pixels, "image_width": pixels, "resize": 0} if pixels else {}
    alone = resolve(KEYS, PRESETS, DEFAULT_PRESET, flags={"backbone": name, **size})
    return EasyDict({**config, **{key: alone[key] for key in OF_A_MEMBER}, "backbones": ""})


def member_configs(config):
    """Return a dict from each backbone's name to the configuration that it has alone."""
    if not config.backbones:
        return {config.backbone: config}
    return {member: member_config(config, member) for member in config.backbones.split(",")}


def prepare_backbone(config):
    """Load the configured backbone or backbones; their weights are fetched where they are absent.

    The size and geometry of the input come from the configuration (a banner to cut off also from
    the layout of the data), the arithmetic (mean, std, channel order) from the weights, unless the
    configuration names mean or std.

    Returns:
        Backbone; FusedBackbone where `config.backbones` names several.

    Raises:
        LabError: see `require_weights` and `load_backbone`.
    """
    if config.backbones:
        return fuse({member: prepare_backbone(alone)
                     for member, alone in member_configs(config).items()})
    weights = config.pretrained_ckpt
    if weights or "mindcv:" not in config.backbone:
        weights = require_weights(weights)
    backbone = load_backbone(weights, config.backbone)
    arithmetic = {name: config[name] for name in ("mean", "std") if config[name]}
    preprocess = dataclasses.replace(
        backbone.preprocess, image_height=config.image_height, image_width=config.image_width,
        resize=config.resize, interpolation=config.interpolation, crop=config.crop,
        crop_bottom=banner_rows(config.crop_bottom, find_data(config.dataset_path)), **arithmetic)
    return dataclasses.replace(backbone, preprocess=preprocess)


def augmentation_of(config):
    """Return the AugmentSpec of a configuration."""
    return AugmentSpec(
        crop_scale=(config.crop_scale_min, 1.0),
        crop_ratio=(1 / config.crop_ratio, config.crop_ratio), flip=config.flip,
        brightness=config.brightness, contrast=config.contrast, saturation=config.saturation,
        rotation=config.rotation, shift=config.shift, zoom=config.zoom, shear=config.shear,
        erasing=config.erasing, crop_pixels=config.crop_pixels)


def train_views(config, preprocess, num_classes=None):
    """Return the Views of the training split: `repeat` passes, augmented as configured.

    Args:
        config: the configuration.
        preprocess: PreprocessSpec.
        num_classes: int, length of the soft labels of mixed photos; None: no photos are mixed.
    """
    augmentation = augmentation_of(config)
    mix = MixSpec(num_classes, config.mixup, config.cutmix, config.mix_probability) \
        if num_classes and (config.mixup or config.cutmix) else None
    return Views(preprocess, config.repeat, config.include_clean, augmentation, config.seed, mix)


def extract_splits(photos, backbone, config, splits=("train", "val"), how=extract):
    """Return the feature caches of splits: dict from split name to FeatureCache; of several
    backbones to a JoinedCache, whose members are extracted one by one.

    Train is read augmented, by the configured engine. Every other split is read clean and by
    MindSpore, so that what is reported is what the exported network answers.

    Args:
        photos: Photos.
        backbone: Backbone or FusedBackbone.
        config: the configuration.
        splits: names of splits.
        how: `extract`, or another function with its arguments (a shard, a merge), whose answers
            are returned; of several backbones a dict from member to answer.

    Raises:
        LabError: see `extract`, `choose_engine` and `JoinedCache`.
    """
    if isinstance(backbone, FusedBackbone):
        parts = {name: extract_splits(photos, member, config, splits, how)
                 for name, member in backbone.members.items()}
        join = JoinedCache if how is extract else dict
        return {split: join({name: part[split] for name, part in parts.items()})
                for split in splits}
    reference = _reference(backbone, config)
    return {split: _extract(photos, reference, config, split,
                            train_views(config, backbone.preprocess, len(photos.classes))
                            if split == "train" else Views(backbone.preprocess),
                            as_configured=split == "train", how=how)
            for split in splits}


def extract_clean(photos, backbone, config, split):
    """Return the cache of a split read as in evaluation: once, without augmentation."""
    if isinstance(backbone, FusedBackbone):
        return JoinedCache({name: extract_clean(photos, member, config, split)
                            for name, member in backbone.members.items()})
    return _extract(photos, _reference(backbone, config), config, split,
                    Views(backbone.preprocess), as_configured=False)


def extract_more(records, photos, backbone, config):
    """Return the features of photos beside the data folder, such as unlabelled ones.

    Args:
        records: list of FileRecord, their paths relative to the root of `photos`.
        photos: Photos.
        backbone: Backbone.
        config: the configuration.

    Returns:
        (cache, cache): as train is read, and clean, as evaluation reads.
    """
    if isinstance(backbone, FusedBackbone):
        parts = {name: extract_more(records, photos, member, config)
                 for name, member in backbone.members.items()}
        return tuple(JoinedCache({name: part[side] for name, part in parts.items()})
                     for side in (0, 1))
    more = dataclasses.replace(photos, splits={"unlabelled": records})
    reference = _reference(backbone, config)
    dtype = config.feature_dtype
    return (_extract(more, reference, config, "unlabelled",
                     train_views(config, backbone.preprocess), as_configured=True, dtype=dtype),
            _extract(more, reference, config, "unlabelled", Views(backbone.preprocess),
                     as_configured=False))


def extract_further(photos, backbone, config, passes, stream):
    """Return the cache of further augmented passes of train, none of them clean.

    Args:
        photos: Photos; only train is read.
        backbone: Backbone.
        config: the configuration.
        passes: int.
        stream: int, added to the seed of the augmentation.
    """
    if isinstance(backbone, FusedBackbone):
        return JoinedCache({name: extract_further(photos, member, config, passes, stream)
                            for name, member in backbone.members.items()})
    views = dataclasses.replace(train_views(config, backbone.preprocess), repeat=passes,
                                include_clean=False, seed=config.seed + stream)
    return _extract(photos, _reference(backbone, config), config, "train", views,
                    as_configured=True)


def _reference(backbone, config):
    pooling = "none" if config.reduction is None else "mean+max"
    return MindSporeEngine(backbone, pooling, config.extract_batch_size)


def _extract(photos, reference, config, split, views, *, as_configured, how=extract, dtype=None):
    # What is reported and compared with exports keeps full precision.
    dtype = dtype or (config.feature_dtype if split == "train" else "float32")
    name, precision = (config.engine, config.precision) if as_configured \
        else (reference.name, reference.precision)
    engine = choose_engine(name, reference, Path(config.features_path) / "engines", precision)
    return how(photos.splits[split], photos.root, split, reference.backbone, engine, views,
               config.features_path, dtype=dtype, pooling=reference.pooling,
               workers=config.workers)
