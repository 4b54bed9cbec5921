"""Keys, their types and ranges, and how presets, YAML files and flags become one configuration.

Nothing here imports mindspore: `--help` and mistakes in a flag answer at once.
"""
import argparse
import dataclasses
import difflib
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from easydict import EasyDict

from src_mindspore.errors import LabError


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a value must be.

    Attributes:
        parse: function from any value (a flag's str, a YAML value) to the value; raises ValueError.
        allowed: str for people, for example 'an integer from 1 to 1000'.
    """

    parse: Callable[[Any], Any]
    allowed: str


@dataclasses.dataclass(frozen=True)
class Key:
    """One key of the configuration: its default, its rule and a line of help.

    `implies` returns what other keys are by a value of this key, as a dict. Who names the value
    brings them along: a flag's win over the preset, which was chosen for another value; a preset's
    own values and every flag win over them.
    """

    default: Any
    rule: Rule
    help: str
    implies: Callable[[Any], dict] = lambda value: {}


def integer(low, high):
    """A Rule: an integer in [low, high]."""
    def parse(value):
        if isinstance(value, bool) or (isinstance(value, float) and value != int(value)):
            raise ValueError
        return _within(int(value), low, high)
    return Rule(parse, f"an integer from {low} to {high}")


def number(low, high):
    """A Rule: a finite number in [low, high]."""
    def parse(value):
        if isinstance(value, bool):
            raise ValueError
        return _within(float(value), low, high)
    return Rule(parse, f"a number from {low} to {high:g}")


def _within(value, low, high):
    if not math.isfinite(value) or not low <= value <= high:
        raise ValueError
    return value


def text():
    """A Rule: a text."""
    def parse(value):
        if not isinstance(value, str):
            raise ValueError
        return value
    return Rule(parse, "a text")


def pattern():
    """A Rule: a regular expression; or '' for none."""
    def parse(value):
        if not isinstance(value, str):
            raise ValueError
        try:
            re.compile(value)
        except re.error:
            raise ValueError from None
        return value
    return Rule(parse, "a regular expression")


def choice(*options):
    """A Rule: one of the options; None is written none."""
    def parse(value):
        for option in options:
            if value == option or (option is None and str(value).lower() in ("none", "null", "")):
                return option
        raise ValueError
    return Rule(parse, "one of " + ", ".join("none" if o is None else str(o) for o in options))


# Families of MindCV that may be named without `mindcv:` in front.
MINDCV_FAMILIES = ("resnet", "resnext", "resnest", "seresnet", "squeezenet", "efficientnet_b",
                   "inception_v", "densenet", "vgg", "mobilenet_v3", "shufflenet",
                   "mnasnet", "regnet", "res2net", "xception", "ghostnet", "mixnet", "rexnet",
                   "convnext", "vit_", "swin", "hrnet")


ALSO = "each also as mirrored:NAME, the former also as multilevel:NAME"


def architecture(*options):
    """A Rule: the name of a backbone, one of the options or mindcv:NAME. Whether MindCV has NAME is
    known when it is imported; the families it is best known for need no `mindcv:` in front. Any
    name may have `mirrored:` before it, an option `multilevel:`, or both in this order.
    """
    def parse(value):
        if not isinstance(value, str):
            raise ValueError
        if value.startswith("mirrored:"):
            inner = value.removeprefix("mirrored:")
            if inner.startswith("mirrored:"):
                raise ValueError
            return f"mirrored:{parse(inner)}"
        if value.startswith("multilevel:") and value.removeprefix("multilevel:") in options:
            return value
        if value in options or re.fullmatch(r"mindcv:\w+", value):
            return value
        if re.fullmatch(rf"({'|'.join(MINDCV_FAMILIES)})\w+", value):
            return f"mindcv:{value}"
        raise ValueError
    return Rule(parse, "one of " + ", ".join(options) + ", or mindcv:NAME; " + ALSO)


def several(*options):
    """A Rule: two or more different backbones with commas between, each as `architecture` takes it
    or followed by @pixels; or '' for none.
    """
    one = architecture(*options)

    def parse(value):
        if not isinstance(value, str):
            raise ValueError
        members = []
        for part in value.split(",") if value else []:
            name, at, pixels = part.strip().partition("@")
            if at and not 32 <= int(pixels) <= 1024:
                raise ValueError
            members.append(one.parse(name) + at + pixels)
        if members and len(set(members)) < max(2, len(members)):
            raise ValueError
        return ",".join(members)
    return Rule(parse, "two or more different ones with commas between, each NAME or NAME@PIXELS "
                "(32 to 1024), of " + ", ".join(options) + " and mindcv:NAME; " + ALSO)


def numbers(count, low, high):
    """A Rule: so many finite numbers, written 1,2,3 on the command line; or '' for none."""
    def parse(value):
        if value == "" or value == []:
            return []
        parts = value.split(",") if isinstance(value, str) else list(value)
        if len(parts) != count:
            raise ValueError
        return [_within(float(part), low, high) for part in parts]
    return Rule(parse, f"{count} numbers from {low} to {high:g} with commas between")


def flag():
    """A Rule: true or false."""
    def parse(value):
        if isinstance(value, bool):
            return value
        return {"true": True, "false": False}[str(value).lower()]
    return Rule(parse, "true or false")


def blocks():
    """A Rule: which blocks of a backbone are trained: none, all, or last:N."""
    def parse(value):
        value = "none" if value is None else str(value)
        name, colon, count = value.partition(":")
        if value not in ("none", "all") and not (name == "last" and colon and int(count) >= 1):
            raise ValueError
        return value
    return Rule(parse, "none, all, or last:N, the N blocks nearest to the head")


def mapping():
    """A Rule: a mapping from text to integer, written as JSON on the command line."""
    def parse(value):
        value = dict(json.loads(value) if isinstance(value, str) else value)
        return {str(k): integer(0, 10**6).parse(v) for k, v in value.items()}
    return Rule(parse, 'a mapping such as {"00_00": 0, "00_01": 1}')


def check_value(keys, name, value, where):
    """Return the value of one key, converted to its type.

    Args:
        keys: dict name -> Key.
        name, value: the pair to check.
        where: str, for the message ('flag --epochs', 'my.yaml').

    Raises:
        LabError: unknown name (with the nearest valid one), wrong type or out of range.
    """
    if name not in keys:
        near = difflib.get_close_matches(name, keys, n=1, cutoff=0.0)[0]
        raise LabError(f"Unknown key {name!r} in {where}. The nearest valid name is {near!r} "
                       f"({keys[near].rule.allowed}); `--help` lists all.")
    try:
        return keys[name].rule.parse(value)
    except (ValueError, KeyError, TypeError, OverflowError):
        raise LabError(f"Wrong value for {name!r} in {where}. Received: {value!r}. Allowed: "
                       f"{keys[name].rule.allowed}.") from None


def read_yaml(keys, path):
    """Read overrides from a YAML file.

    Returns:
        dict of checked values; a 'preset' entry is kept as it is.

    Raises:
        LabError: unreadable, not YAML, not a mapping, or a wrong key or value.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise LabError(f"The configuration {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LabError(f"{path} is not valid YAML: {error}. Expected lines `key: "
                       "value`.") from error
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise LabError(f"{path} holds a {type(values).__name__}; expected lines `key: value`.")
    return {name: value if name == "preset" else check_value(keys, str(name), value, str(path))
            for name, value in values.items()}


def resolve(keys, presets, default_preset, *, preset=None, yaml_path=None, flags=None):
    """Combine defaults, a preset, a YAML file and flags, later ones winning.

    Args:
        keys: dict name -> Key.
        presets: dict name -> dict of overrides.
        default_preset: str, taken when neither `preset` nor the file names one.
        preset: str or None.
        yaml_path: path or None.
        flags: dict name -> value, or None.

    Returns:
        EasyDict with every key, and 'preset'.

    Raises:
        LabError: see `check_value` and `read_yaml`; or an unknown preset.
    """
    overrides = read_yaml(keys, yaml_path) if yaml_path else {}
    preset = preset or overrides.pop("preset", None) or default_preset
    overrides.pop("preset", None)
    if not isinstance(preset, str) or preset not in presets:
        near = difflib.get_close_matches(str(preset), presets, n=1, cutoff=0.0)[0]
        raise LabError(f"Unknown preset {preset!r}. The nearest is {near!r}; there are "
                       f"{', '.join(presets)}.")
    values = {name: key.default for name, key in keys.items()}
    overrides |= {name: check_value(keys, name, value, f"flag --{name}")
                  for name, value in (flags or {}).items()}
    for layer in (presets[preset], overrides):
        for name in layer:
            values.update(keys[name].implies(layer[name]))
        values.update(layer)
    result = EasyDict(preset=preset)
    # EasyDict would turn {} values into EasyDicts anyway; order follows config.py.
    result.update({name: values[name] for name in keys})
    _check_together(result)
    return result


# Heads that read a feature map with its positions; the first one also reads pooled features.
ON_MAPS = ("linear", "se", "cbam")


def _check_together(config):
    """Refuse combinations of values that are each allowed but contradict one another."""
    if config.upsample and (config.mixup or config.cutmix):
        raise LabError("upsample adds passes with one label each, mixup and cutmix blend labels; "
                       "together they are not supported. Set --upsample 0, or --mixup 0 and "
                       "--cutmix 0.")
    if config.attention != "none" and (config.head.startswith("svm") or config.reduction is None):
        raise LabError(f"attention is {config.attention}: it learns with the Dense layer behind "
                       "pooled features, and a support vector machine has none. Take --attention "
                       "none, or --head linear, rbf or svd with a --reduction.")
    if config.block_attention != "none" and config.network != "cnn":
        raise LabError(f"block_attention is {config.block_attention}: it stands behind the stages "
                       f"of the CNN from scratch, and network is {config.network}. Take "
                       "train_network.py --preset cnn_scratch, or --block_attention none; the head "
                       "weighs the last map of any network: --head se or cbam.")
    if config.warmup_epochs >= config.epochs:
        raise LabError(f"warmup_epochs is {config.warmup_epochs} but epochs is {config.epochs}; "
                       "the warm-up must be shorter than the run. Lower warmup_epochs.")
    if config.crop and not config.crop <= config.resize:
        raise LabError(f"crop is {config.crop}, but resize is {config.resize}; the crop is taken "
                       "from the photo after its short side was made resize pixels long. Raise "
                       "resize, or lower crop.")
    if config.crop_pixels and not config.crop_pixels <= config.resize:
        raise LabError(f"crop_pixels is {config.crop_pixels}, but resize is {config.resize}; the "
                       "random crop is taken from the photo after its short side was made resize "
                       "pixels long. Raise resize, or lower crop_pixels.")
    if config.resize and not config.crop \
            and config.resize < max(config.image_height, config.image_width):
        raise LabError(f"resize is {config.resize}, less than the input of {config.image_height}x"
                       f"{config.image_width} that is cropped from it. Raise resize, or set it to "
                       "0 for no crop.")
    height, width = config.image_height, config.image_width
    # Maps of MindCV's networks and of the CNN are of other sizes.
    steps_of_32 = config.network == "backbone" and "mindcv:" not in config.backbone
    if config.reduction is None and (height != width or (steps_of_32 and height % 32)):
        raise LabError(f"reduction none keeps every position of the feature map, which has one for "
                       f"32x32 pixels; the input is {height}x{width}. Take a square input whose "
                       "side is a multiple of 32, or another --reduction.")
    if config.reduction is None and (config.normalise or config.head not in ON_MAPS):
        raise LabError("reduction none keeps every position of the feature map; it goes with "
                       f"--normalise false and --head {', '.join(ON_MAPS)} only.")
    if config.reduction is not None and config.head in ON_MAPS[1:]:
        raise LabError(f"The head {config.head} weighs the positions of the feature map, and "
                       f"reduction {config.reduction} leaves none. Add --reduction none "
                       "--normalise false; the cache is about 25 times as large.")

    if config.reduction is None and config.backbones:
        raise LabError("reduction none keeps every position of the feature map, and backbones are "
                       "joined by their pooled features. Take another --reduction, or one "
                       "--backbone.")
    if (config.mixup or config.cutmix) and config.head.startswith("svm"):
        raise LabError("mixup and cutmix give a photo shares of two classes, and a support vector "
                       "machine puts it on one side. Set both to 0, or take --head rbf.")
    if (config.mixup or config.cutmix) and config.repeat == 1 and config.include_clean:
        raise LabError("mixup and cutmix change augmented passes only, and with repeat 1 and "
                       "include_clean true there is none. Raise --repeat.")


def to_yaml(config):
    """Return a configuration as YAML text that `read_yaml` reads back."""
    return yaml.safe_dump(json.loads(json.dumps(config)), allow_unicode=True, sort_keys=False)


def parse_arguments(keys, presets, default_preset, argv, description):
    """Read the command line of a script whose flags are the keys.

    Args:
        keys, presets, default_preset: as for `resolve`.
        argv: list of str.
        description: str for --help.

    Returns:
        EasyDict.

    Raises:
        LabError: a mistake on the command line.
        SystemExit: after --help.
    """
    parser = Parser(description=description, allow_abbrev=False,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", metavar="NAME", help=f"{', '.join(presets)} "
                        f"(default {default_preset})")
    parser.add_argument("--config", metavar="FILE", help="YAML file with overrides")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    for name, key in keys.items():
        allowed = f"{key.help} ({key.rule.allowed}; default {key.default!r})"
        parser.add_argument(f"--{name}", metavar="X", help=allowed.replace("%", "%%"),
                            default=argparse.SUPPRESS)
    known, unknown = parser.parse_known_args(argv)
    for argument in unknown:
        if argument.startswith("--"):
            check_value(keys, argument[2:].split("=")[0], "", "the command line")
        raise LabError(f"Unexpected {argument!r} on the command line. Flags are written "
                       "`--key value`; `--help` lists them.")
    flags = {name: value for name, value in vars(known).items() if name in keys}
    return resolve(keys, presets, default_preset, preset=known.preset, yaml_path=known.config,
                   flags=flags)


class Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes are LabErrors."""

    def error(self, message):
        raise LabError(f"{message[0].upper()}{message[1:]}. `--help` lists the flags.")
