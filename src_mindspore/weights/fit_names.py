"""Names of other frameworks to the parameters of a network: by name, else layer by layer.

torchvision, timm and MindCV write down the same architectures with the same layers in the same
order, but not always with the same names. A file fits by name where, after the spelling of
BatchNorm's arrays, every name does; else layer by layer in order of definition, which counts only
if both have the same number of layers and every array of every layer has the same shape.
"""
import numpy as np

from src_mindspore.errors import LabError
from src_mindspore.weights.weight_file import as_float32

# Parts of a name by which the classifier and other heads of a whole network are known: the feature
# part has no place for them.
HEADS = ("classifier", "final_conv", "fc", "head", "mlp_head", "last_linear", "aux", "aux1", "aux2",
         "auxlogits", "head_dist")
SPELLING = (("downsample.", "down_sample."), ("running_mean", "moving_mean"),
            ("running_var", "moving_variance"))
SHOWN = 200


def fit_names(tensors, expected, path):
    """Give the tensors of a file the names of a network's parameters.

    Args:
        tensors: dict name -> array, as the file has them.
        expected: dict name -> shape, of the network, in order of definition.
        path: of the file, for the message.

    Returns:
        (parameters, how): dict name -> float32 array with exactly the expected names and shapes,
        and 'name' or 'order'.

    Raises:
        LabError: they do not fit; the message names each parameter that does not.
    """
    found = {_plain(name): value for name, value in tensors.items()
             if not name.endswith("num_batches_tracked")}
    found = {name: value for name, value in found.items()
             if name in expected or name.split(".")[0].lower() not in HEADS}
    found = _norms_respelt(found)
    if set(found) == set(expected) and all(
            _as_shape(found[name], shape) is not None for name, shape in expected.items()):
        how, pairs = "name", {name: name for name in expected}
    else:
        how, pairs = "order", _by_order(found, expected)
    if pairs is None:
        raise LabError(_misfit(found, expected, path))
    parameters = {name: as_float32(_as_shape(found[theirs], expected[name]))
                  for name, theirs in pairs.items()}
    damaged = [name for name, value in parameters.items() if not np.isfinite(value).all()]
    if damaged:
        raise LabError(f"{path} is damaged: {', '.join(damaged[:SHOWN])} hold values that are not "
                       "finite numbers.")
    return parameters, how


def _plain(name):
    """Return a name without the prefix of a distributed program, in MindSpore's spelling."""
    name = name.removeprefix("module.")
    for theirs, ours in SPELLING:
        name = name.replace(theirs, ours)
    return name


def _norms_respelt(found):
    """Call the weight and bias of every BatchNorm gamma and beta."""
    norms = {name.removesuffix("moving_mean") for name in found if name.endswith("moving_mean")}
    respelt = {}
    for name, value in found.items():
        layer, _, part = name.rpartition(".")
        if f"{layer}." in norms:
            part = {"weight": "gamma", "bias": "beta"}.get(part, part)
        respelt[f"{layer}.{part}" if layer else part] = value
    return respelt


def _as_shape(value, shape):
    """Return an array in a shape that differs in sides of 1 at its end at most, or None."""
    def trimmed(sides):
        sides = list(sides)
        while sides and sides[-1] == 1:
            sides.pop()
        return sides
    return value.reshape(shape) if trimmed(value.shape) == trimmed(shape) else None


def _layers(names):
    """Group names by layer, in order: list of dicts from a part ('weight') to the whole name."""
    layers = {}
    for name in names:
        layer, _, part = name.rpartition(".")
        layers.setdefault(layer, {})[part] = name
    return list(layers.values())


def _by_order(found, expected):
    """Return our names -> theirs, paired layer by layer, or None where that does not come out."""
    ours, theirs = _layers(expected), _layers(found)
    if len(ours) != len(theirs):
        return None
    pairs = {}
    for our, their in zip(ours, theirs, strict=True):
        if set(our) != set(their):
            return None
        for part, name in our.items():
            if _as_shape(found[their[part]], expected[name]) is None:
                return None
            pairs[name] = their[part]
    return pairs


def _misfit(found, expected, path):
    missing = [name for name in expected if name not in found]
    extra = [name for name in found if name not in expected]
    wrong = [f"{name} {tuple(found[name].shape)} instead of {tuple(shape)}"
             for name, shape in expected.items()
             if name in found and _as_shape(found[name], shape) is None]
    parts = [f"{len(names)} {what}: {', '.join(names[:SHOWN])}"
             + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
             for names, what in ((missing, "missing"), (extra, "without a place"),
                                 (wrong, "of another shape")) if names]
    return (f"{path} holds the weights of another network: neither names nor the order of layers "
            f"fit the {len(expected)} parameters of this one. " + "; ".join(parts) + ".")
