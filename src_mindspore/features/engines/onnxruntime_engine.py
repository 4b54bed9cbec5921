"""ONNX Runtime runs the exported network: https://onnxruntime.ai"""
from src_mindspore.features.engines.base import ExportedEngine
from src_mindspore.runtime import usable_cores


class OnnxRuntimeEngine(ExportedEngine):
    """The exported network in ONNX Runtime, one batch over all cores; see ExportedEngine."""

    name = package = "onnxruntime"

    def load(self, path):
        """Make a session of the network at `path`."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        self.session = onnxruntime.InferenceSession(str(path), options,
                                                    providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def infer(self, images):
        """Compute the features of exactly batch_size images."""
        return self.session.run(None, {self.input: images})[0]
