"""EfficientNet-Lite weights of a PyTorch checkpoint to the parameters of our EfficientNetLite."""
import numpy as np

from src_mindspore.backbones.efficientnet_lite import stages_of
from src_mindspore.errors import LabError

# PyTorch's names of a BatchNorm's arrays -> MindSpore's.
NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean",
        "running_var": "moving_variance"}


def layer_pairs(variant):
    """Yield (our convolution, our BatchNorm, PyTorch's convolution, PyTorch's BatchNorm).

    Args:
        variant: key of `efficientnet_lite.VARIANTS`.
    """
    yield "features.0", "features.1", "_conv_stem", "_bn0"
    number = 0
    for _, expansion, _, blocks, _ in stages_of(variant):
        for _ in range(blocks):
            ours, theirs = f"features.{number + 3}.layers", f"_blocks.{number}"
            names = [("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")]
            if expansion != 1:
                names.insert(0, ("_expand_conv", "_bn0"))
            for step, (conv, norm) in enumerate(names):
                # Convolution, BatchNorm and ReLU6 take three places.
                yield (f"{ours}.{3 * step}", f"{ours}.{3 * step + 1}", f"{theirs}.{conv}",
                       f"{theirs}.{norm}")
            number += 1
    yield f"features.{number + 3}", f"features.{number + 4}", "_conv_head", "_bn1"


def convert(tensors, variant):
    """Rename the tensors; both frameworks keep kernels as (out, in, h, w).

    Args:
        tensors: what `read_torch_tensors` returned.
        variant: key of `efficientnet_lite.VARIANTS`.

    Returns:
        dict: parameter name -> float32 array. The classifier of ImageNet is left out.

    Raises:
        LabError: a layer is missing (weights of another network).
    """
    parameters = {}
    try:
        for conv, norm, their_conv, their_norm in layer_pairs(variant):
            parameters[f"{conv}.weight"] = tensors[f"{their_conv}.weight"].astype(np.float32)
            for theirs, ours in NORM.items():
                parameters[f"{norm}.{ours}"] = tensors[f"{their_norm}.{theirs}"].astype(np.float32)
    except KeyError as error:
        raise LabError(f"These are not {variant} weights: there is no {error.args[0]!r}. `python "
                       "-m src_mindspore.weights list` shows the known sources.") from error
    return parameters
