"""Several processes that train one network: data parallelism with MindSpore's launcher.

    msrun --worker_num=2 --local_worker_num=2 --log_dir=logs train_network.py --preset finetune

Every process reads its part of each batch, the gradients are averaged, so all take the same step.
Without the launcher there is one process, and nothing here does anything.
"""
import dataclasses
import os

import numpy as np

from src_mindspore.errors import LabError


@dataclasses.dataclass(frozen=True)
class Workers:
    """The processes of a run.

    Attributes:
        rank: int from 0, which one this is; 0 writes the run.
        count: int >= 1.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self):
        """True in the process that writes."""
        return self.rank == 0

    def share(self, numbers):
        """Return this process's part of the positions of a batch; parts are equally long."""
        each = len(numbers) // self.count
        return numbers[self.rank * each:(self.rank + 1) * each]

    def mean(self, arrays):
        """Return arrays averaged over the processes: list of float32 arrays."""
        from mindspore import Tensor, ops
        flat = np.concatenate([np.ravel(a) for a in arrays]).astype(np.float32)
        flat = (ops.AllReduce()(Tensor(flat)) / self.count).asnumpy()
        return [part.reshape(a.shape) for part, a in zip(
            np.split(flat, np.cumsum([a.size for a in arrays])[:-1]), arrays, strict=True)]

    def gathered(self, array):
        """Return the (n, C) float32 arrays of all processes below one another; equally long."""
        if self.count == 1:
            return array
        from mindspore import Tensor, ops
        return ops.AllGather()(Tensor(array)).asnumpy()

    def told(self, text):
        """Return the text of the first process in every process; at most 1,000 bytes of it."""
        if self.count == 1:
            return text
        from mindspore import Tensor, ops
        data = np.zeros(1000, np.float32)
        if self.is_first:
            letters = text.encode("utf-8")
            data[:len(letters)] = np.frombuffer(letters, np.uint8)
        data = ops.AllReduce()(Tensor(data)).asnumpy()
        return bytes(data.astype(np.uint8)).rstrip(b"\0").decode("utf-8")


def join_workers():
    """Join the processes that msrun started; call it once, after `runtime.start`.

    Returns:
        Workers; one process where msrun did not start this one.

    Raises:
        LabError: the processes do not find one another.
    """
    if "MS_WORKER_NUM" not in os.environ:
        return Workers()
    from mindspore import communication
    try:
        communication.init("mccl")
    except RuntimeError as error:
        raise LabError(f"The processes of this run did not find one another: {error} Start them "
                       "with `msrun --worker_num=N --local_worker_num=N train_network.py ...`, "
                       "another --master_port if one is taken.") from error
    return Workers(communication.get_rank(), communication.get_group_size())
