"""The features a configuration asks for: its backbone, its views, its caches."""
import dataclasses

from src_mindspore.backbones.registry import load_backbone
from src_mindspore.data.augment import AugmentSpec
from src_mindspore.features.engines import MindSporeEngine
from src_mindspore.features.extract import Views, extract
from src_mindspore.weights.prepare import require_weights


def prepare_backbone(config):
    """Load the configured backbone; its weights are fetched where they are absent.

    The size and geometry of the input come from the configuration, the arithmetic (mean, std,
    channel order) from the weights.

    Returns:
        Backbone.

    Raises:
        LabError: see `require_weights` and `load_backbone`.
    """
    backbone = load_backbone(require_weights(config.pretrained_ckpt), config.backbone)
    preprocess = dataclasses.replace(
        backbone.preprocess, image_height=config.image_height, image_width=config.image_width,
        resize=config.resize, interpolation=config.interpolation)
    return dataclasses.replace(backbone, preprocess=preprocess)


def train_views(config, preprocess):
    """Return the Views of the training split: `repeat` passes, augmented as configured."""
    augmentation = AugmentSpec(
        crop_scale=(config.crop_scale_min, 1.0),
        crop_ratio=(1 / config.crop_ratio, config.crop_ratio), flip=config.flip,
        brightness=config.brightness, contrast=config.contrast, saturation=config.saturation)
    return Views(preprocess, config.repeat, config.include_clean, augmentation, config.seed)


def extract_splits(photos, backbone, config, splits=("train", "val")):
    """Return the feature caches of splits: dict from split name to FeatureCache.

    Args:
        photos: Photos.
        backbone: Backbone.
        config: the configuration.
        splits: which splits; every one but train is read clean.

    Raises:
        LabError: see `extract`.
    """
    engine = _engine(backbone, config)
    return {split: _extract(photos, backbone, engine, config, split,
                            train_views(config, backbone.preprocess) if split == "train"
                            else Views(backbone.preprocess)) for split in splits}


def extract_clean(photos, backbone, config, split):
    """Return the FeatureCache of a split read as in evaluation: once, without augmentation."""
    return _extract(photos, backbone, _engine(backbone, config), config, split,
                    Views(backbone.preprocess))


def _engine(backbone, config):
    return MindSporeEngine(backbone, _pooling(config), config.extract_batch_size)


def _extract(photos, backbone, engine, config, split, views):
    return extract(photos.splits[split], photos.root, split, backbone, engine, views,
                   config.features_path, dtype=config.feature_dtype, pooling=_pooling(config),
                   workers=config.workers)


def _pooling(config):
    return "none" if config.reduction is None else "mean+max"
