"""Writing a network as MindIR or ONNX, to any path and atomically."""
import os
import re
import shutil
import tempfile

import mindspore as ms

from src_mindspore.errors import LabError
from src_mindspore.files import replacing


class NotExportable(LabError):
    """The network has an operator that MindSpore cannot write in a format."""


def export_network(network, example, path, file_format):
    """Export a network.

    Args:
        network: Cell in evaluation mode.
        example: Tensor of the input's shape; MindIR also takes a dynamic one.
        path: file to appear, any characters.
        file_format: 'MINDIR' or 'ONNX'.

    Raises:
        LabError: see `files.replacing`.
        NotExportable: an operator is not known in the format, as addition in place
            (`x += y` in a cell's construct) in ONNX.
    """
    # MindSpore refuses names beyond ASCII, so it writes where the name is plain.
    with tempfile.TemporaryDirectory(prefix="export-") as temporary:
        target = os.path.join(temporary, f"model.{file_format.lower()}")
        try:
            ms.export(network, example, file_name=target, file_format=file_format)
        except RuntimeError as error:
            operator = re.search(r"Can not find key (\w+) in convert map", str(error))
            if not operator:
                raise
            raise NotExportable(f"MindSpore cannot write the operator {operator[1]} of this "
                                f"network as {file_format}.") from error
        with replacing(path) as final:
            shutil.copyfile(target, final)
