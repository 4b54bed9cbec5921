"""Several frozen backbones side by side, as one: each reads the photo at its own size.

Their features are joined (features/fused.py), and their networks become one network.
"""
import dataclasses
import math

import mindspore as ms
from mindspore import nn, ops

from src_mindspore.backbones.registry import entry_of, freeze
from src_mindspore.data.preprocess import FusedSpec, PreprocessSpec
from src_mindspore.files import sha256_of_json

ARCHITECTURE = "fused"


class Unpack(nn.Cell):
    """Take a packed input apart, the inverse of `FusedSpec.inputs`.

    (N, values of all parts) float32 -> tuple with every part, (N, *shape) float32.

    Args:
        shapes: list of (3, H, W), in the order of the FusedSpec.
    """

    def __init__(self, shapes):
        super().__init__()
        self.shapes = tuple(map(tuple, shapes))
        ends = [0]
        for shape in self.shapes:
            ends.append(ends[-1] + math.prod(shape))
        self.ends = tuple(ends)

    def construct(self, x):
        parts = ()
        for number in range(len(self.shapes)):
            part = x[:, self.ends[number]:self.ends[number + 1]]
            parts = (*parts, ops.reshape(part, (-1, *self.shapes[number])))
        return parts


class FusedNetwork(nn.Cell):
    """Members side by side.

    (N, *input_shape) float32, packed as `FusedSpec.inputs` does -> tuple with the feature map of
    every member, (N, C, h, w) float32.

    Args:
        members: list of Cells.
        shapes: list of (3, H, W), their inputs.
    """

    def __init__(self, members, shapes):
        super().__init__()
        self.members = nn.CellList(members)
        self.unpack = Unpack(shapes)

    def construct(self, x):
        parts, maps = self.unpack(x), ()
        for number in range(len(parts)):
            maps = (*maps, self.members[number](parts[number]))
        return maps


@dataclasses.dataclass(frozen=True)
class FusedBackbone:
    """Backbones with weights, ready to read photos together; used as a Backbone is.

    Attributes:
        members: dict from name to Backbone, in the order of the features.
        cell: FusedNetwork in evaluation mode, its parameters frozen.
    """

    members: dict
    cell: nn.Cell

    @property
    def name(self):
        """str, the members' names."""
        return " + ".join(self.members)

    @property
    def channels(self):
        """int, of all members together."""
        return sum(member.channels for member in self.members.values())

    @property
    def padding(self):
        """str, of each member."""
        return ", ".join(member.padding for member in self.members.values())

    @property
    def preprocess(self):
        """FusedSpec."""
        return FusedSpec(tuple(member.preprocess for member in self.members.values()))

    @property
    def source(self):
        """str, for people."""
        return " + ".join(member.source for member in self.members.values())

    @property
    def sha256(self):
        """str, of the members' checkpoint files together."""
        return sha256_of_json([member.sha256 for member in self.members.values()])

    def contract(self):
        """Return what has to travel with the weights, as a JSON-able dict."""
        return {"architecture": ARCHITECTURE, "source": self.source, "weights_sha256": self.sha256,
                "members": [{"name": name, **member.contract()}
                            for name, member in self.members.items()]}


def fuse(members):
    """Put backbones side by side.

    Args:
        members: dict from name to Backbone.

    Returns:
        FusedBackbone; it holds copies, so that the members can still be used alone.
    """
    cells = []
    for member in members.values():
        # A cell that becomes part of another gets other names for its parameters.
        copy = entry_of(member.name).build(member.padding)
        ms.load_param_into_net(copy, {p.name: p for p in member.cell.get_parameters()},
                               strict_load=True)
        cells.append(copy)
    shapes = [member.preprocess.input_shape for member in members.values()]
    return FusedBackbone(dict(members), freeze(FusedNetwork(cells, shapes)))


def build_fused(meta, path):
    """Build the backbone that a checkpoint's contract describes, without its weights.

    Args:
        meta: dict, the contract.
        path: of the checkpoint, for messages.

    Returns:
        FusedNetwork.

    Raises:
        LabError: this version does not know a member.
    """
    spec = PreprocessSpec.from_dict(meta["preprocess"])
    return FusedNetwork([entry_of(member["architecture"], path).build(member["padding"])
                         for member in meta["members"]], [m.input_shape for m in spec.members])
