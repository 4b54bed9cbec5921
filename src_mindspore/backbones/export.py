"""Writing a network as MindIR or ONNX, to any path and atomically."""
import os
import shutil
import tempfile

import mindspore as ms

from src_mindspore.files import replacing


def export_network(network, example, path, file_format):
    """Export a network.

    Args:
        network: Cell in evaluation mode.
        example: Tensor of the input's shape; MindIR also takes a dynamic one.
        path: file to appear, any characters.
        file_format: 'MINDIR' or 'ONNX'.

    Raises:
        LabError: see `files.replacing`.
    """
    # MindSpore refuses names beyond ASCII, so it writes where the name is plain.
    with tempfile.TemporaryDirectory(prefix="export-") as temporary:
        target = os.path.join(temporary, f"model.{file_format.lower()}")
        ms.export(network, example, file_name=target, file_format=file_format)
        with replacing(path) as final:
            shutil.copyfile(target, final)
