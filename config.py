"""The one configuration: flat, commented, with named presets.

    python train_head.py --preset recommended            # a preset
    python train_head.py --epochs 20 --lr_max 0.05       # any key is a flag
    python train_head.py --config my.yaml --epochs 20    # a YAML file; flags win

`config` is an EasyDict, so a notebook may write `config.epochs = 20`. Order of precedence:
default below < preset < YAML file < flag. A backbone brings its weights and input size along.
"""
import re

from easydict import EasyDict

from src_mindspore.configuration import (
    Key,
    architecture,
    blocks,
    choice,
    flag,
    integer,
    mapping,
    number,
    numbers,
    pattern,
    several,
    text,
)

# What comes with another backbone than the default: its weights, and the input they were made for.
LITE = {
    f"efficientnet_lite{number}": {
        "pretrained_ckpt": f"./results/weights/efficientnet_lite{number}.ckpt",
        "image_height": size, "image_width": size, "resize": 0}
    for number, size in ((0, 224), (1, 240), (2, 260))
}

# Inputs other than 224 that architectures of MindCV were published with.
MINDCV_SIDES = {"efficientnet_b1": 240, "efficientnet_b2": 260, "efficientnet_b3": 300,
                "efficientnet_b4": 380, "efficientnet_b5": 456, "efficientnet_b6": 528,
                "efficientnet_b7": 600, "inception_v3": 299, "inception_v4": 299, "xception": 299}


def of_backbone(name):
    """Return the keys that come with a backbone: its weights, and the input they were made for."""
    name = name.removeprefix("mirrored:").removeprefix("multilevel:")
    if not name.startswith("mindcv:"):
        return LITE.get(name, {})
    name = name.removeprefix("mindcv:")
    in_name = re.search(r"_(256|384|448)$", name)
    side = MINDCV_SIDES.get(name, int(in_name[1]) if in_name else 224)
    return {"pretrained_ckpt": "", "image_height": side, "image_width": side, "resize": 0}


KEYS = {
    # --- data
    "dataset_path": Key("./datasets/garbage_26x100", text(), "folder of photos: {train,val}/<class>/*.jpg or <class>/*.jpg; also looked for under the folder that LAB_DATA names"),
    "num_classes": Key(0, integer(0, 100_000), "number of classes; 0: as many as the data has; another number must agree with it"),
    "class_index": Key({}, mapping(), "class folder -> label, as in the course; {}: sorted folder names; a given map must agree with them"),
    "val_fraction": Key(0.2, number(0.01, 0.9), "part of a plain folder that becomes the validation split"),
    "group_by": Key("", pattern(), "part of a file's name, as a regular expression: photos of a class that have it in common stay together in folds and in a drawn split, as near copies do; '^[^_]+': what stands before the first _"),
    "bad_images": Key("fail", choice("fail", "skip"), "what a photo that cannot be read does: stop the run, or be skipped and counted"),
    "decisions": Key("", text(), "CSV of decisions about photos of train: keep, drop, relabel CLASS (python -m src_mindspore.data.cleaning writes it); '': none"),
    "pseudo_labels": Key("", text(), "CSV of photos that a model labelled, which join train (python -m src_mindspore.training.pseudo_labels writes it); '': none"),
    "leaks": Key("refuse", choice("refuse", "drop", "allow"), "copies of val in train. refuse: byte-identical ones stop the run, near ones are left out of train; drop: both are left out; allow: both stay"),
    "fgvc_level": Key("variant", choice("variant", "family", "manufacturer"), "which classes of a folder in the layout of FGVC-Aircraft"),

    # --- preprocessing (part of every cache key)
    "crop_bottom": Key(-1, integer(-1, 1000), "pixel rows cut off the bottom of every photo before anything else; -1: the 20 of the copyright banner in an FGVC-Aircraft folder, else none"),
    "image_height": Key(224, integer(32, 1024), "pixels of the backbone's input"),
    "image_width": Key(224, integer(32, 1024), "pixels of the backbone's input"),
    "resize": Key(256, integer(0, 2048), "short side before the centre crop in evaluation; 0: resize straight to the input, no crop"),
    "interpolation": Key("area", choice("area", "bilinear"), "area: averages when it shrinks, good for large photos; bilinear: as the course"),
    "crop": Key(0, integer(0, 2048), "side of the centre crop after resize, which is then shrunk to the input; 0: a crop of the input's size"),
    "standardise": Key(False, flag(), "network cnn: each photo by its own mean and deviation instead of fixed ones"),

    "mean": Key([], numbers(3, 0, 255), "what is subtracted from red, green, blue (0 to 255); '': as the weights' file says, else ImageNet's"),
    "std": Key([], numbers(3, 0.001, 255), "what they are divided by then; '': as the weights' file says, else ImageNet's"),

    # --- augmentation (part of the cache key of train)
    "repeat": Key(1, integer(1, 1000), "how many times the backbone reads each training photo, each pass differently augmented"),
    "upsample": Key(0, integer(0, 100), "further augmented passes of the weakest class by the cross-validated confusion matrix, fewer for less weak ones; 0: off"),
    "include_clean": Key(False, flag(), "the first pass shows the photo as evaluation will, without augmentation"),
    "crop_scale_min": Key(0.08, number(0.01, 1), "smallest part of the photo's area that a random crop takes"),
    "crop_pixels": Key(0, integer(0, 2048), "side of a random crop after resize, instead of a crop of random size; 0: off"),
    "crop_ratio": Key(4 / 3, number(1, 4), "largest ratio of a crop's sides"),
    "flip": Key(0.5, number(0, 1), "probability of a horizontal flip"),
    "brightness": Key(0.4, number(0, 1), "colour jitter: a factor from [1-x, 1+x]; 0: off"),
    "contrast": Key(0.4, number(0, 1), "colour jitter: a factor from [1-x, 1+x]; 0: off"),
    "saturation": Key(0.4, number(0, 1), "colour jitter: a factor from [1-x, 1+x]; 0: off"),
    "rotation": Key(0.0, number(0, 180), "largest rotation in degrees, either way; 0: off"),
    "shift": Key(0.0, number(0, 0.5), "largest shift, as a part of the side; 0: off"),
    "zoom": Key(0.0, number(0, 0.9), "random zoom: the size changes by a factor from [1-x, 1+x]; 0: off"),
    "shear": Key(0.0, number(0, 60), "largest angle in degrees by which upright lines lean, either way; 0: off"),
    "erasing": Key(0.0, number(0, 1), "probability of random erasing: a box of noise"),
    "mixup": Key(0.0, number(0, 100), "mixup: alpha of the Beta distribution of the shares; 0: off"),
    "cutmix": Key(0.0, number(0, 100), "cutmix: alpha of the Beta distribution of the shares; 0: off"),
    "mix_probability": Key(0.5, number(0, 1), "part of the augmented views that mixup or cutmix mixes"),

    # --- backbone and features
    "backbone": Key("mobilenet_v2", architecture("mobilenet_v2", *LITE), "which frozen backbone computes the features; mirrored:NAME looks at each photo and at its mirror image, in twice the time; multilevel:NAME reads two inner layers too; with another than mobilenet_v2 come its own weights and input size", of_backbone),
    "backbones": Key("", several("mobilenet_v2", *LITE), "several backbones, their features joined, each with its own weights and input size: a,b,c or, at another size, a@288,b; '': one, as backbone says"),
    "pretrained_ckpt": Key("./results/weights/mobilenetv2_keras.ckpt", text(), "its weights; those that `python -m src_mindspore.weights list` shows are fetched when absent. Of mindcv:NAME a .ckpt, .safetensors, .pth or .pt; '': results/weights/NAME with such a suffix, else random"),
    "features_path": Key("./results/features", text(), "where cached features live, one folder a key"),
    "engine": Key("auto", choice("auto", "mindspore", "openvino", "onnxruntime"), "who computes the training features; auto: the fastest that is installed and agrees with MindSpore"),
    "precision": Key("float32", choice("float32", "bf16"), "of the engine; bf16: faster on processors that have it (openvino), and features are rounded"),
    "feature_dtype": Key("float32", choice("float32", "float16"), "dtype on disk; float16 halves the cache"),
    "extract_batch_size": Key(16, integer(1, 4096), "photos the backbone reads at once; one cache file each"),
    "eval_batch_size": Key(32, integer(1, 4096), "photos at once in evaluation and in create_dataset(training=False)"),
    "workers": Key(0, integer(0, 256), "threads that decode and augment; 0: one a core; never changes the result"),

    # --- whole networks (train_network.py)
    "network": Key("backbone", choice("backbone", "cnn"), "backbone: the pretrained one with a new head, fine-tuned; cnn: ten layers from scratch"),
    "unfreeze": Key("all", blocks(), "blocks of the backbone that are trained; the rest stays as it is, its BatchNorm too"),
    "head_epochs": Key(0, integer(0, 100_000), "the first epochs train the head alone, at lr_max; 0: everything from the start"),
    "backbone_rate": Key(1.0, number(0, 1), "factor on every learning rate once the backbone is trained too"),
    "layer_decay": Key(1.0, number(0.01, 1), "a block's learning rate is that of the block behind it times this; 1: all alike"),
    "bn": Key("frozen", choice("frozen", "train"), "BatchNorm statistics of the trained blocks. frozen: those of the weights; train: those of each batch"),
    "spatial_dropout": Key(0.0, number(0, 0.95), "cnn: part of the channels behind each Inception module that is zeroed in training"),
    "block_attention": Key("none", choice("none", "se", "cbam"), "cnn: attention behind each of its three stages, which learns with them; se: on the channels; cbam: on channels, then positions"),
    "clip_norm": Key(0.0, number(0, 1e6), "largest norm of all gradients together; 0: off"),
    "accumulate": Key(1, integer(1, 4096), "parts in which a batch is read, their gradients averaged: memory of a part, step of the whole"),
    "ema": Key(0.0, number(0, 0.99999), "moving average of the weights, evaluated and saved beside the raw ones; 0: off"),
    "validate_every": Key(0, integer(0, 1_000_000), "steps from one validation to the next; 0: an epoch"),
    "stop_patience": Key(0, integer(0, 100_000), "validations without a gain after which training ends; 0: never"),

    # --- head
    "head": Key("linear", choice("linear", "rbf", "svd", "se", "cbam", "svm_linear", "svm_rbf"), "linear: one Dense layer; rbf: similarity to training photos, then a Dense layer; svd: the strongest directions of the training features, then a Dense layer; se, cbam: attention on the unpooled map (--reduction none), then a Dense layer; svm_...: a support vector machine, fitted at once"),
    "svm_c": Key(1.0, number(1e-6, 1e6), "svm: how much a photo on the wrong side of the margin costs"),
    "rbf_centres": Key(2048, integer(2, 20_000), "rbf: how many training photos a photo is compared with; all of them where there are fewer"),
    "rbf_width": Key(1024, integer(2, 20_000), "rbf: values left of the comparisons after whitening"),
    "rbf_gamma": Key(1.0, number(0.001, 1000), "rbf, svm_rbf: how fast similarity falls with distance, in units of the mean squared distance"),
    "svd_components": Key(512, integer(1, 20_000), "svd: how many directions are kept"),
    "attention": Key("none", choice("none", "softmax", "sigmoid"), "linear, rbf, svd: weights from a Dense layer on the features, multiplied onto them; softmax: they share a fixed sum; sigmoid: each its own"),
    "reduction": Key("mean", choice("mean", "max", "mean+max", None), "global pooling of the feature map; none: every position, large cache"),
    "activation": Key("None", choice("None", "Sigmoid", "Softmax"), "on the logits when the head is used, never in training"),
    "weight_init": Key("he", choice("he", "ones"), "ones: the course's, all logits equal at the start"),
    "has_bias": Key(True, flag(), "a bias in the Dense layer; the course's head has none"),
    "normalise": Key(True, flag(), "square root and standardisation before the Dense layer"),

    # --- training
    "epochs": Key(40, integer(1, 100_000), "passes over the cached features"),
    "batch_size": Key(64, integer(1, 100_000), "cached rows a training step sees"),
    "sampler": Key("none", choice("none", "balanced", "weighted"), "rows of an epoch. none: each once; balanced: every class equally often; weighted: drawn by the size of their class"),
    "sampler_power": Key(0.5, number(0, 1), "weighted: a photo of a class of n is drawn with weight n^-power"),
    "optimizer": Key("momentum", choice("momentum", "sgd", "adam", "adamw", "radam", "ranger"), "momentum: SGD with Nesterov off; adamw: decoupled weight decay; ranger: RAdam with gradient centralisation in Lookahead"),
    "lookahead": Key(0, integer(0, 1000), "Lookahead around the optimizer, so many steps forward for one back; 0: off, but 6 in ranger"),
    "lr_init": Key(0.0, number(0, 100), "learning rate at the start of the warm-up"),
    "lr_max": Key(0.05, number(0, 100), "learning rate after the warm-up"),
    "lr_end": Key(0.0, number(0, 100), "learning rate at the end of cosine and square; the lowest of plateau"),
    "warmup_epochs": Key(0, integer(0, 100_000), "epochs of linear warm-up; 0: none"),
    "decay_type": Key("cosine", choice("constant", "cosine", "square", "exponential", "step", "plateau"), "schedule after the warm-up; plateau: lower when the validation loss no longer falls (in cross-validation the training loss)"),
    "decay_rate": Key(0.1, number(0.0001, 1), "exponential: factor reached at the end; step, plateau: factor of each step"),
    "decay_patience": Key(5, integer(1, 100_000), "plateau: epochs, or validations of a whole network, without a lower loss before a step"),
    "decay_steps": Key(3, integer(1, 1000), "step: how many equal stretches the run has"),
    "momentum": Key(0.9, number(0, 0.9999), "momentum of the optimizer momentum"),
    "weight_decay": Key(4e-5, number(0, 100), "on weights only, never on biases"),
    "loss": Key("cross_entropy", choice("cross_entropy", "joint", "focal"), "joint: plain and label-smoothed cross-entropy together; focal: what is already right counts less"),
    "joint_share": Key(0.5, number(0, 1), "joint: weight of the plain cross-entropy"),
    "focal_gamma": Key(2.0, number(0, 10), "focal: how much less; 0: cross-entropy"),
    "class_weights": Key("none", choice("none", "inverse", "effective"), "weights of classes in the loss: by 1/n, or by the effective number of n photos"),
    "effective_beta": Key(0.999, number(0, 0.999999), "effective: 0 is no weights, near 1 is inverse"),
    "label_smoothing": Key(0.0, number(0, 0.9), "probability taken from the true class and spread over all"),
    "dropout": Key(0.0, number(0, 0.95), "part of the Dense layer's inputs that is zeroed in training"),
    "calibrate": Key(True, flag(), "fit one temperature on val, so that probabilities mean what they say; predictions stay the same"),
    "seed": Key(1, integer(0, 2**32 - 1), "of the split, the augmentation, the initial weights and the order of the rows"),
    "memory_limit_mb": Key(1024, integer(16, 1_000_000), "features up to this size stay in memory; larger ones are read through memory maps"),

    # --- output
    "results_path": Key("./results", text(), "runs, caches and weights are written here"),
    "run_name": Key("", text(), "name of the run's folder; '': date, time and preset"),
    "save_ckpt_epochs": Key(1, integer(1, 100_000), "a head checkpoint and a resume point every so many epochs"),
    "keep_checkpoints": Key(3, integer(1, 100_000), "how many of the best head checkpoints are kept"),
    "save_ckpt_path": Key("", text(), "folder for the head checkpoints, in a folder of the run's name; '': the run's folder"),
    "export_path": Key("", text(), "a further copy of the exported MindIR; '': only in the run's folder"),
    "tensorboard": Key(False, flag(), "live charts: also write TensorBoard event files into the run's folder"),
    "language": Key("en", choice("en", "zh"), "class names in plots and tables"),
}

COURSE = {
    "resize": 256, "interpolation": "bilinear", "reduction": "mean", "head": "linear",
    "weight_init": "ones", "has_bias": False, "normalise": False, "batch_size": 32,
}

# One clean pass at three levels, and the head of recommended; the best ones mirror each photo too.
READ = "mirrored:multilevel:{}".format
ONE_PASS = {
    "resize": 0, "repeat": 1, "include_clean": True, "head": "rbf", "reduction": "mean",
    "normalise": False, "rbf_width": 2048, "epochs": 150, "batch_size": 128,
    "optimizer": "momentum", "lr_max": 0.3, "lr_end": 0.0, "decay_type": "cosine",
    "weight_decay": 2e-5, "label_smoothing": 0.3,
}

PRESETS = {
    # The published starting point of the course: bad on purpose.
    "course_default": {
        **COURSE, "epochs": 10, "lr_max": 0.01, "decay_type": "constant", "momentum": 0.8,
        "weight_decay": 3.0,
    },
    # The published good settings.
    "course_best": {
        **COURSE, "epochs": 40, "lr_max": 0.03, "decay_type": "cosine", "weight_decay": 4e-5,
        "optimizer": "adam", "repeat": 8, "brightness": 0.2, "contrast": 0.01, "saturation": 0.01,
    },
    # Ours: chosen by cross-validation on train alone (docs/recipe.md).
    "recommended": {
        "image_height": 256, "image_width": 256, "resize": 0, "repeat": 6, "include_clean": True,
        "crop_scale_min": 0.7, "brightness": 0.1, "contrast": 0.05, "saturation": 0.05,
        "head": "rbf", "reduction": "mean", "normalise": False, "epochs": 30, "batch_size": 128,
        "lr_max": 0.3, "momentum": 0.9, "weight_decay": 2e-5, "label_smoothing": 0.3,
    },
    # train_network.py: the head first, then every block at a lower rate (docs/network.md).
    "finetune": {
        "image_height": 224, "image_width": 224, "resize": 0, "head": "linear",
        "reduction": "mean", "normalise": False, "crop_scale_min": 0.5, "brightness": 0.1,
        "contrast": 0.05, "saturation": 0.05, "epochs": 6, "head_epochs": 2, "batch_size": 32,
        "optimizer": "adamw", "lr_max": 1e-3, "backbone_rate": 0.3, "layer_decay": 0.85,
        "weight_decay": 0.01, "label_smoothing": 0.1, "clip_norm": 5.0, "ema": 0.99,
    },
    # train_network.py: ten layers from scratch on 100x100 pixels (docs/network.md).
    "cnn_scratch": {
        "network": "cnn", "image_height": 100, "image_width": 100, "resize": 260, "crop": 260,
        "standardise": True, "crop_pixels": 200, "brightness": 0.25, "contrast": 0.2,
        "saturation": 0.0, "head": "linear", "reduction": None, "normalise": False,
        "epochs": 60, "batch_size": 128, "optimizer": "adam", "lr_max": 1e-3,
        "decay_type": "plateau", "decay_rate": 0.5, "decay_patience": 7, "weight_decay": 1e-4,
        "bn": "train", "dropout": 0.5, "spatial_dropout": 0.25, "ema": 0.999, "stop_patience": 15,
    },
    # Three backbones side by side as a contest was won with: SVD, attention, Adam (docs/fused.md).
    "fused": {
        "backbones": "efficientnet_lite0,efficientnet_lite1,efficientnet_lite2", "resize": 0,
        "repeat": 6, "crop_scale_min": 1.0, "crop_ratio": 1.0, "brightness": 0.0, "contrast": 0.0,
        "saturation": 0.0, "rotation": 20.0, "shift": 0.05, "zoom": 0.05, "head": "svd",
        "svd_components": 512, "attention": "softmax", "normalise": False, "dropout": 0.2,
        "epochs": 100, "batch_size": 64, "optimizer": "adam", "lr_max": 1e-3, "lr_end": 1e-5,
        "decay_type": "plateau", "decay_rate": 0.2, "decay_patience": 5, "weight_decay": 0.0,
    },
    # Photos to an exported model in the least time (bench/README.md).
    "quick": {"backbone": "multilevel:mobilenet_v2", "image_height": 256, "image_width": 256,
              **ONE_PASS, "epochs": 60},
    # The best of one backbone, and of several as one network (docs/tricks.md, docs/fused.md).
    "best_single": {"backbone": READ("mobilenet_v2"), "image_height": 256, "image_width": 256,
                    **ONE_PASS},
    "best_ensemble": {"backbones": ",".join(map(READ, LITE)), **ONE_PASS},
}
DEFAULT_PRESET = "recommended"

config = EasyDict({name: key.default for name, key in KEYS.items()})
config.update(PRESETS[DEFAULT_PRESET])
