"""Who computes features. MindSpore is the reference; an accelerated engine has to agree with it."""
from src_mindspore.features.engines.base import Engine, NetworkEngine, padded
from src_mindspore.features.engines.choose import choose_engine
from src_mindspore.features.engines.mindspore_engine import MindSporeEngine
from src_mindspore.features.engines.onnxruntime_engine import OnnxRuntimeEngine
from src_mindspore.features.engines.openvino_engine import OpenVINOEngine

__all__ = ["Engine", "MindSporeEngine", "NetworkEngine", "OnnxRuntimeEngine", "OpenVINOEngine",
           "choose_engine", "padded"]
