"""OpenVINO runs the exported network: https://docs.openvino.ai"""
import contextlib
import os

import numpy as np

from src_mindspore.features.engines.base import ExportedEngine
from src_mindspore.runtime import ISA_VARIABLE, import_openvino, usable_cores


class OpenVINOEngine(ExportedEngine):
    """The exported network in OpenVINO, one stream of one thread a core.

    A batch is cut into parts that the streams compute side by side: no thread waits for another
    inside a layer, and which part a photo is in does not depend on time, so the same batch always
    gives the same bytes. See ExportedEngine.
    """

    name = package = "openvino"
    precisions = ("float32", "bf16")

    def load(self, path):
        """Compile the network at `path`, one infer request a stream."""
        openvino = import_openvino()
        cores = usable_cores()
        core = openvino.Core()
        model = core.read_model(str(path))
        self.part = -(-self.batch_size // cores)
        model.reshape([self.part, *model.input(0).shape[1:]])
        settings = {"NUM_STREAMS": str(cores), "INFERENCE_NUM_THREADS": str(cores),
                    "INFERENCE_PRECISION_HINT": {"float32": "f32", "bf16": "bf16"}[self.precision]}
        # The last part reaches back over photos of the one before where the sizes do not fit.
        self.starts = [min(first, self.batch_size - self.part)
                       for first in range(0, self.batch_size, self.part)]
        with whole_instruction_set() if self.precision == "bf16" else contextlib.nullcontext():
            compiled = core.compile_model(model, "CPU", settings)
            self.requests = [compiled.create_infer_request() for _ in self.starts]
            # Kernels are generated at the first inference.
            self.infer(np.zeros((self.batch_size, *model.input(0).shape[1:]), np.float32))

    def infer(self, images):
        """Compute the features of exactly batch_size images."""
        for request, first in zip(self.requests, self.starts, strict=True):
            request.start_async({0: images[first:first + self.part]}, share_inputs=True)
        answer = None
        for request, first in zip(self.requests, self.starts, strict=True):
            request.wait()
            part = request.get_output_tensor(0).data
            if answer is None:
                answer = np.empty((self.batch_size, *part.shape[1:]), np.float32)
            answer[first:first + self.part] = part
        return answer


@contextlib.contextmanager
def whole_instruction_set():
    """Take away the limit that MindSpore's oneDNN needs: under it OpenVINO cannot compile bf16.

    Every oneDNN reads the limit once, at its first use, so MindSpore must have computed something
    before.
    """
    limit = os.environ.pop(ISA_VARIABLE, None)
    try:
        yield
    finally:
        if limit is not None:  # for processes that are started from here
            os.environ[ISA_VARIABLE] = limit
