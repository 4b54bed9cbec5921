"""What a sweep tries: `lr_max=0.1,0.3 optimizer=momentum,adam` to a list of trials."""
import itertools
import math

import numpy as np

from config import KEYS
from src_mindspore.configuration import check_value
from src_mindspore.errors import LabError
from src_mindspore.files import sha256_of_json

# Keys that decide of what the head is made; heads that agree in them share the work before the
# Dense layer.
STAGE_KEYS = ("head", "reduction", "normalise", "rbf_centres", "rbf_width", "rbf_gamma",
              "svm_c", "svd_components", "attention", "has_bias")
# Keys that read the same cache. All others would need another extraction a value.
SWEPT_KEYS = (*STAGE_KEYS, "epochs", "batch_size", "optimizer", "lr_init", "lr_max", "lr_end",
              "warmup_epochs", "decay_type", "decay_rate", "decay_patience", "decay_steps",
              "momentum", "weight_decay", "label_smoothing", "dropout", "weight_init", "lookahead",
              "sampler", "sampler_power", "loss", "joint_share", "focal_gamma", "class_weights",
              "effective_beta")
RANGE = ".."


def parse_space(texts):
    """Read what is to be tried.

    Args:
        texts: list of str: `key=value,value,...`, or `key=low..high` for a random sweep.

    Returns:
        dict from key to a list of values, or to a tuple (low, high).

    Raises:
        LabError: not of that form, a key that is not swept, or a value that is not allowed.
    """
    space = {}
    for text in texts:
        key, _, values = text.partition("=")
        if not values:
            raise LabError(f"--try received {text!r}; expected key=value,value or key=low..high, "
                           "for example lr_max=0.1,0.3 or lr_max=0.01..1.")
        check_key(key)
        if key in space:
            raise LabError(f"--try names {key} twice; give all its values at once: "
                           f"{key}=value,value.")
        if RANGE in values:
            space[key] = _range(key, values)
        else:
            space[key] = list(dict.fromkeys(check_value(KEYS, key, value, f"--try {text}")
                                            for value in values.split(",")))
    return space


def check_key(key):
    """Refuse a key that does not exist or that reads another cache.

    Raises:
        LabError: see above.
    """
    if key not in KEYS:
        check_value(KEYS, key, "", "--try")  # names the nearest
    if key not in SWEPT_KEYS:
        raise LabError(f"--try names {key}, which changes more than the head: a sweep reuses one "
                       f"cache of features. It varies {', '.join(SWEPT_KEYS)}. To compare values "
                       f"of {key}, run the sweep once for each with --{key}.")


def _range(key, values):
    low, _, high = values.partition(RANGE)
    low, high = (check_value(KEYS, key, end, f"--try {key}={values}") for end in (low, high))
    if not all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high)) \
            or not 0 < low < high:
        raise LabError(f"--try received {key}={values}; a range goes from a number above 0 to a "
                       "larger one and is drawn evenly in its logarithm. Expected for example "
                       "lr_max=0.01..1.")
    return low, high


def default_space(config):
    """Return the space that is tried where none is named: rates around the preset's, and more."""
    return {"lr_max": [float(f"{config.lr_max * factor:.3g}") for factor in (0.3, 1, 3)],
            "weight_decay": [config.weight_decay, float(f"{config.weight_decay * 10:.3g}")],
            "decay_type": ["cosine", "constant"]}


def grid(space):
    """Return every combination: list of dicts from key to value.

    Raises:
        LabError: a range stands in the space.
    """
    for key, values in space.items():
        if isinstance(values, tuple):
            raise LabError(f"--try {key}={values[0]}{RANGE}{values[1]} is a range, which is drawn "
                           "from: add --random N for N trials, or list values with commas.")
    return [dict(zip(space, values, strict=True)) for values in itertools.product(*space.values())]


def draw(space, count, seed):
    """Return `count` random combinations (Bergstra and Bengio, JMLR 13, 2012).

    Ranges are drawn evenly in the logarithm. Trial i depends on the seed and i alone, so more
    trials later are the same ones and then others.
    """
    trials = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        trials.append({key: _draw_one(key, values, rng) for key, values in space.items()})
    return trials


def _draw_one(key, values, rng):
    if isinstance(values, list):
        return values[int(rng.integers(len(values)))]
    value = math.exp(rng.uniform(*map(math.log, values)))
    if isinstance(values[0], int):
        return min(max(round(value), values[0]), values[1])
    return KEYS[key].rule.parse(float(f"{value:.3g}"))


def trial_id(config):
    """Return what a trial is known by: a hash of all keys that decide its result but the seed."""
    return sha256_of_json({key: config[key] for key in SWEPT_KEYS})[:16]


def stage_id(config):
    """Return what heads share that have the same values before the Dense layer."""
    return sha256_of_json({key: config[key] for key in STAGE_KEYS})[:16]
