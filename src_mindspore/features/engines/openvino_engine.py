"""OpenVINO runs the exported network: https://docs.openvino.ai"""
import contextlib
import os

import numpy as np

from src_mindspore.features.engines.base import ExportedEngine
from src_mindspore.runtime import ISA_VARIABLE, import_openvino, usable_cores


class OpenVINOEngine(ExportedEngine):
    """The exported network in OpenVINO, one stream of one thread a core, one photo a request.

    No thread waits for another inside a layer, and the maps of one photo stay in the processor's
    cache from layer to layer, which those of a batch do not: a fifth faster on MobileNetV2. The
    features of a photo depend neither on the photos beside it nor on the number of cores. See
    ExportedEngine.
    """

    name = package = "openvino"
    precisions = ("float32", "bf16")
    revision = 3

    def load(self, path):
        """Compile the network at `path` for one photo, one infer request a photo of a batch."""
        openvino = import_openvino()
        cores = usable_cores()
        core = openvino.Core()
        model = core.read_model(str(path))
        shape = [1, *model.input(0).shape[1:]]
        model.reshape(shape)
        settings = {"NUM_STREAMS": str(cores), "INFERENCE_NUM_THREADS": str(cores),
                    "INFERENCE_PRECISION_HINT": {"float32": "f32", "bf16": "bf16"}[self.precision]}
        with whole_instruction_set():
            compiled = core.compile_model(model, "CPU", settings)
            self.requests = [compiled.create_infer_request() for _ in range(self.batch_size)]
            # Kernels are generated at the first inference.
            self.infer(np.zeros((self.batch_size, *shape[1:]), np.float32))

    def infer(self, images):
        """Compute the features of exactly batch_size images."""
        for number, request in enumerate(self.requests):
            request.start_async({0: images[number:number + 1]}, share_inputs=True)
        answers = []
        for request in self.requests:
            request.wait()
            answers.append(request.get_output_tensor(0).data)
        return np.concatenate(answers)  # a copy: the requests use their memory again


@contextlib.contextmanager
def whole_instruction_set():
    """Take away the limit that MindSpore's oneDNN needs: OpenVINO's own is then 1.7 times as fast
    on a processor with AVX-512, and cannot compile bf16 under it.

    Every oneDNN reads the limit once, at its first use; MindSpore's is never used in here.
    """
    limit = os.environ.pop(ISA_VARIABLE, None)
    try:
        yield
    finally:
        if limit is not None:  # for processes that are started from here
            os.environ[ISA_VARIABLE] = limit
