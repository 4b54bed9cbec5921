"""A model answered for by a faster engine, with the predictions of MindSpore.

An engine that agrees with MindSpore within a tolerance may still name another class where two are
closer than that. Such photos are asked of MindSpore again, so that what is counted is what
MindSpore says.
"""
import dataclasses

import numpy as np

from src_mindspore.errors import LabError
from src_mindspore.features.engines import Engine, NetworkEngine, choose_engine
from src_mindspore.features.engines.choose import TOLERANCES


class ModelEngine(NetworkEngine):
    """A whole model in MindSpore.

    Args:
        model: Model with a batch size.
    """

    def __init__(self, model):
        super().__init__(f"{model.sha256[:16]}-model", model.preprocess.input_shape,
                         model.batch_size)
        self.network = model.network


class CarefulEngine(Engine):
    """A fast engine; where its two largest answers are close, the reference answers.

    Args:
        fast: Engine.
        reference: NetworkEngine of the same network.
    """

    def __init__(self, fast, reference):
        super().__init__(reference.batch_size)
        self.name, self.fast, self.reference = fast.name, fast, reference

    def infer(self, images):
        """Compute (batch_size, C) answers to exactly batch_size images."""
        answers = np.array(self.fast.infer(images))
        # Either of the two may be off by the tolerance. Of its own answers alone, so that what is
        # said of a photo does not depend on which others are in its batch.
        limit = 2 * TOLERANCES["float32"] * np.maximum(1, np.abs(answers).max(axis=1))
        largest = np.partition(answers, -2, axis=1)[:, -2:]
        close = largest[:, 1] - largest[:, 0] <= limit
        if close.any():
            answers[close] = self.reference.infer(images)[close]
        return answers


def accelerate(model, name, folder):
    """Return the model with another engine in its network's place.

    Args:
        model: Model from a checkpoint.
        name: 'mindspore', 'openvino', 'onnxruntime' or 'auto'.
        folder: Path, where exported networks are kept.

    Returns:
        Model; the same one where MindSpore is asked for or chosen.

    Raises:
        LabError: see `choose_engine`; or the model is a MindIR, which MindSpore alone can run.
    """
    if name == "mindspore":
        return model
    if "mindir_sha256" in model.meta:
        if name != "auto":
            raise LabError(f"--engine {name} needs a checkpoint: a MindIR is run by MindSpore "
                           "alone. Give --ckpt best.ckpt of the same run, or leave --engine out.")
        return model
    reference = ModelEngine(model)
    engine = choose_engine(name, reference, folder)
    if engine is reference:
        return model
    return dataclasses.replace(model, engine=CarefulEngine(engine, reference))
