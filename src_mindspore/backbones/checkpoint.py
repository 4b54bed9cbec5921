"""A checkpoint carries its contract: one JSON text under the key `lab`, beside the parameters."""
import json

import mindspore as ms
import numpy as np

from src_mindspore.errors import LabError
from src_mindspore.files import replacing

META_KEY = "lab"
FORMAT = 1


def save_checkpoint(parameters, path, meta):
    """Write parameters and their contract atomically.

    Args:
        parameters: Cell, or dict name -> ndarray or Tensor.
        path: file to appear.
        meta: JSON-able dict.

    Raises:
        LabError: see `files.replacing`.
    """
    if isinstance(parameters, dict):
        parameters = [{"name": name, "data": ms.Tensor(value)} for name, value
                      in parameters.items()]
    with replacing(path) as temporary:
        text = json.dumps({"format": FORMAT, **meta}, ensure_ascii=False)
        ms.save_checkpoint(parameters, str(temporary), append_dict={META_KEY: text})


def read_checkpoint(path):
    """Read a checkpoint.

    Args:
        path: file.

    Returns:
        (parameters, meta): dict name -> Parameter, and the contract ({} where there is none).

    Raises:
        LabError: missing, truncated, not a checkpoint, or of a newer format.
    """
    try:
        with open(path, "rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise LabError(f"The checkpoint {path} cannot be read: {error.strerror}.") from error
    try:
        if empty:
            raise ValueError("0 bytes")
        parameters = ms.load_checkpoint(str(path))
    except Exception as error:  # MindSpore raises many types on damaged files
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error)
        raise LabError(f"{path} is not a complete MindSpore checkpoint ({reason}). It is "
                       "truncated or another kind of file; expected a .ckpt written by "
                       "MindSpore.") from error
    text = parameters.pop(META_KEY, None)
    try:
        meta = json.loads(text) if text else {}
    except ValueError as error:
        raise LabError(f"The contract inside {path} is damaged ({error}).") from error
    if meta.get("format", FORMAT) > FORMAT:
        raise LabError(f"{path} was written by a newer version of this project (format "
                       f"{meta['format']}, this one reads {FORMAT}). Update the project.")
    return parameters, meta


def load_strictly(cell, parameters, path):
    """Load every parameter of a cell, none left over and none cast.

    MindSpore's own loading matches by suffix, casts, and complains only if nothing fits.

    Args:
        cell: Cell.
        parameters: dict name -> Parameter.
        path: for the message.

    Raises:
        LabError: a name or a shape does not fit, or a value is not finite.
    """
    expected = {p.name: tuple(p.shape) for p in cell.get_parameters()}
    found = {name: tuple(value.shape) for name, value in parameters.items()}
    missing = [name for name in expected if name not in found]
    extra = [name for name in found if name not in expected]
    wrong = [name for name in expected if name in found and expected[name] != found[name]]
    if missing or extra or wrong:
        first = (f"{missing[0]} is missing" if missing else
                 f"{wrong[0]} has shape {found[wrong[0]]}, expected {expected[wrong[0]]}" if wrong
                 else f"{extra[0]} has no place")
        raise LabError(f"{path} holds the weights of another network: {first} ({len(missing)} "
                       f"missing, {len(extra)} left over, {len(wrong)} of another shape; the "
                       f"network has {len(expected)} parameters).")
    for name, value in parameters.items():
        if not np.isfinite(value.asnumpy()).all():
            raise LabError(f"{path} is damaged: {name} holds values that are not finite numbers.")
    not_loaded, left_over = ms.load_param_into_net(cell, parameters, strict_load=True)
    if not_loaded or left_over:
        raise LabError(f"{path}: MindSpore did not load {not_loaded or left_over}.")
