"""Blocks of a backbone, what is trained of them, and how fast."""
import pytest
from mindspore import nn

from src_mindspore.backbones.registry import BACKBONES, entry_of
from src_mindspore.errors import LabError
from src_mindspore.networks.parts import blocks_of, rate_factors, set_trainable, trained_blocks


@pytest.mark.parametrize(("name", "count"), [
    ("mobilenet_v2", 19), ("efficientnet_lite0", 18), ("cnn", 3), ("cnn_cbam", 3),
    ("mindcv:efficientnet_b0", 18),
    # A convolution, and four stages of two residual blocks.
    ("mindcv:resnet18", 9)])
def test_every_parameter_is_in_one_block(mindspore, name, count):
    entry = entry_of(name)
    backbone = entry.build(entry.default_padding)
    blocks = blocks_of(backbone)
    assert len(blocks) == count
    found = [p.name for block in blocks for cell in block for p in cell.get_parameters()]
    assert found == [p.name for p in backbone.get_parameters()]


def test_a_network_with_parameters_beside_its_cells_is_one_block(mindspore):
    class WithEmbedding(nn.Cell):
        def __init__(self):
            super().__init__()
            self.embedding = mindspore.Parameter(mindspore.Tensor([1.0]), "embedding")
            self.layers = nn.SequentialCell(nn.Dense(1, 1), nn.Dense(1, 1))

    network = nn.SequentialCell(WithEmbedding())
    assert blocks_of(network) == [[network[0]]]


def test_what_is_asked_for_is_counted_from_the_head(mindspore):
    blocks = [[nn.Dense(1, 1)]] * 5
    assert [trained_blocks(blocks, v) for v in ("none", "last:1", "last:5", "all")] == [0, 1, 5, 5]
    with pytest.raises(LabError, match="last:999 asks for 999 blocks.*has 5.*up to 5"):
        trained_blocks(blocks, "last:999")


def test_rates_fall_from_the_head_to_the_input(mindspore):
    backbone = BACKBONES["cnn"].build("same")
    head = nn.Dense(2, 2)
    blocks = blocks_of(backbone)
    parameters = [*backbone.trainable_params(), *head.trainable_params()]
    factors = rate_factors(blocks, parameters, 0.5)
    assert factors["weight"] == 1
    for name, value in factors.items():
        expected = {"inception2": 0.5, "inception1": 0.25, "stack": 0.125}
        assert value == expected.get(name.split(".")[0], 1), name


def test_statistics_of_a_frozen_block_are_frozen_even_where_bn_is_trained(mindspore):
    backbone = BACKBONES["cnn"].build("same")
    head = type("Head", (), {"dense": nn.Dense(2, 2), "prepare": nn.Identity()})()
    blocks = blocks_of(backbone)
    for bn, expected in (("train", None), ("frozen", False)):
        set_trainable(blocks, head, 1, bn)
        for number, block in enumerate(blocks):
            for _, part in block[0].cells_and_names():
                if isinstance(part, nn.BatchNorm2d):
                    assert part.use_batch_statistics is (expected if number == 2 else False)
        learnt = {p.name.split(".")[0] for p in backbone.get_parameters() if p.requires_grad}
        assert learnt == {"inception2"}
        assert not any(p.requires_grad for p in backbone.get_parameters() if "moving" in p.name)
