"""A backbone as a row of blocks: which of them learn, how fast, and what BatchNorm does in them."""
import itertools

from mindspore import nn

from src_mindspore.attention import BLOCKS
from src_mindspore.errors import LabError

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
# Cells with weights that belong to the block before them.
BEHIND = (*NORMS, *BLOCKS.values())


def blocks_of(backbone):
    """Return the blocks of a backbone from the input to the head: list of lists of Cell.

    A block is a residual block, an Inception module, or a convolution, with what follows it up to
    the next block: BatchNorm, an activation, attention. A network with parameters of its own beside
    its cells, as a vision transformer's position embedding, is one block.

    Args:
        backbone: Cell of the registry.
    """
    cells = [backbone]
    while len(inner := [cell for cell in cells if list(cell.get_parameters())]) == 1 \
            and not list(inner[0].get_parameters(expand=False)):
        cells = list(inner[0].cells())
    blocks = []
    for cell in itertools.chain.from_iterable(map(_blocks_of_stage, cells)):
        if isinstance(cell, nn.Conv2d) or (list(cell.get_parameters())
                                           and not isinstance(cell, BEHIND)):
            blocks.append([cell])
        elif blocks:
            blocks[-1].append(cell)
    return blocks


def _blocks_of_stage(cell):
    """Return the blocks of a stage of residual blocks; anything else is one."""
    is_stage = isinstance(cell, nn.SequentialCell) and list(cell.get_parameters()) \
        and not any(isinstance(inner, nn.Conv2d) for inner in cell.cells())
    return list(cell.cells()) if is_stage else [cell]


def trained_blocks(blocks, unfreeze):
    """Return how many blocks, counted from the head, are trained.

    Args:
        blocks: list from `blocks_of`.
        unfreeze: 'none', 'last:N' or 'all'.

    Raises:
        LabError: N is more than there are.
    """
    if unfreeze in ("none", "all"):
        return 0 if unfreeze == "none" else len(blocks)
    count = int(unfreeze.partition(":")[2])
    if count > len(blocks):
        raise LabError(f"--unfreeze {unfreeze} asks for {count} blocks, but this backbone has "
                       f"{len(blocks)}. Take a number up to {len(blocks)}, or --unfreeze all.")
    return count


def set_trainable(blocks, head, count, bn="frozen"):
    """Say what learns: the head, and the last `count` blocks.

    BatchNorm's moving averages change in training without any gradient; in a block that is not
    trained they must not, and with bn 'frozen' they do not anywhere in the backbone.

    Args:
        blocks: list from `blocks_of`; changed in place.
        head: Cell; changed in place.
        count: int.
        bn: 'frozen' or 'train'.
    """
    first = len(blocks) - count
    for number, block in enumerate(blocks):
        for cell in block:
            for _, part in cell.cells_and_names():
                if isinstance(part, NORMS):
                    part.use_batch_statistics = None if number >= first and bn == "train" \
                        else False
                for name, parameter in part.parameters_and_names(expand=False):
                    parameter.requires_grad = number >= first and not name.startswith("moving_")
    # What a head computes before its Dense layer is fixed, except in a CNN's own head.
    learns = [head.dense] + ([head.prepare] if isinstance(head.prepare, nn.SequentialCell) else [])
    for cell in learns:
        for parameter in cell.get_parameters():
            parameter.requires_grad = not parameter.name.rpartition(".")[2].startswith("moving_")


def rate_factors(blocks, parameters, decay):
    """Return the factor on the learning rate of every parameter: dict from its name to float.

    The head has 1, the last block `decay`, the one before it `decay` squared (discriminative
    fine-tuning: Howard and Ruder, ACL 2018, arXiv:1801.06146).

    Args:
        blocks: list from `blocks_of`.
        parameters: list of Parameter.
        decay: float in (0, 1].
    """
    factors = {}
    for depth, block in enumerate(reversed(blocks), start=1):
        for cell in block:
            for parameter in cell.get_parameters():
                factors[id(parameter)] = decay**depth
    return {parameter.name: factors.get(id(parameter), 1.0) for parameter in parameters}
