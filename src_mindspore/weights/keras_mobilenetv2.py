"""Keras MobileNetV2 weights (HDF5) to the parameters of our MobileNetV2Backbone."""
import io

import h5py
import numpy as np

from src_mindspore.errors import LabError
from src_mindspore.mobilenetv2 import STAGES

# MindSpore's nn.BatchNorm2d default, which the course's backbone uses.
MINDSPORE_EPSILON = 1e-5


def read_keras_layers(data):
    """Read the arrays of every layer of an HDF5 file without executing anything in it.

    Args:
        data: bytes of the file.

    Returns:
        dict: layer name -> {variable name: float32 array in Keras' layout}.

    Raises:
        LabError: not HDF5, or damaged.
    """
    layers = {}

    def visit(path, item):
        if isinstance(item, h5py.Dataset):
            layer, variable = path.split("/")[-2:]
            layers.setdefault(layer, {})[variable.split(":")[0]] = np.asarray(item, np.float32)

    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            file["model_weights"].visititems(visit)
    except (OSError, KeyError, ValueError) as error:
        raise LabError(f"The weights are not a complete Keras HDF5 file ({error}). Expected a "
                       "group `model_weights`; delete the file and fetch it again.") from error
    return layers


def layer_pairs():
    """Yield (our prefix of the convolution, of its BatchNorm, Keras' convolution, BatchNorm)."""
    yield "features.0.features.0", "features.0.features.1", "Conv1", "bn_Conv1"
    index = 1
    for expansion, _, blocks, _ in STAGES:
        for _ in range(blocks):
            ours = f"features.{index}.conv"
            keras = "expanded_conv" if index == 1 else f"block_{index - 1}"
            position = 0
            if expansion != 1:
                yield (f"{ours}.0.features.0", f"{ours}.0.features.1",
                       f"{keras}_expand", f"{keras}_expand_BN")
                position = 1
            yield (f"{ours}.{position}.features.0", f"{ours}.{position}.features.1",
                   f"{keras}_depthwise", f"{keras}_depthwise_BN")
            yield (f"{ours}.{position + 1}", f"{ours}.{position + 2}",
                   f"{keras}_project", f"{keras}_project_BN")
            index += 1
    yield f"features.{index}.features.0", f"features.{index}.features.1", "Conv_1", "Conv_1_bn"


def convert(layers, epsilon):
    """Rename and transpose Keras layers to our parameters.

    The difference between the two BatchNorm epsilons goes into the moving variance, so that the
    course's plain backbone computes exactly what Keras did.

    Args:
        layers: what `read_keras_layers` returned.
        epsilon: float, the BatchNorm epsilon the weights were trained with.

    Returns:
        dict: parameter name -> float32 array, 260 entries.

    Raises:
        LabError: a layer is missing (weights of another network).
    """
    parameters = {}
    for conv, norm, keras_conv, keras_norm in layer_pairs():
        kernel = _array(layers, keras_conv, "depthwise_kernel", "kernel")
        # Keras: (h, w, in, out), depthwise (h, w, channels, 1). Ours: (out, in, h, w).
        axes = (2, 3, 0, 1) if keras_conv.endswith("depthwise") else (3, 2, 0, 1)
        parameters[f"{conv}.weight"] = np.ascontiguousarray(kernel.transpose(axes))
        parameters[f"{norm}.moving_mean"] = _array(layers, keras_norm, "moving_mean")
        variance = _array(layers, keras_norm, "moving_variance").astype(np.float64)
        parameters[f"{norm}.moving_variance"] = (
            variance + epsilon - MINDSPORE_EPSILON).astype(np.float32)
        parameters[f"{norm}.gamma"] = _array(layers, keras_norm, "gamma")
        parameters[f"{norm}.beta"] = _array(layers, keras_norm, "beta")
    return parameters


def _array(layers, layer, *variables):
    for variable in variables:
        if variable in layers.get(layer, {}):
            return layers[layer][variable]
    raise LabError(f"These are not MobileNetV2 weights: layer {layer!r} has no {variables[-1]!r}. "
                   "Expected Keras' MobileNetV2 1.0; `python -m src_mindspore.weights list` shows "
                   "the known sources.")
