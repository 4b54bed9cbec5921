"""The attention blocks against NumPy, inside a network, and as heads."""
import mindspore as ms
import numpy as np
import pytest
from mindspore import nn, ops
from scipy.special import expit

from config import KEYS, PRESETS
from src_mindspore.attention.cbam import CBAM, ChannelAttention, SpatialAttention
from src_mindspore.attention.squeeze_excite import SqueezeExcite
from src_mindspore.configuration import resolve
from src_mindspore.errors import LabError
from src_mindspore.heads.build import HeadSpec
from src_mindspore.networks.blocks import he_init
from src_mindspore.networks.cnn import ScratchCNN


@pytest.fixture
def x(mindspore):
    return np.random.default_rng(0).normal(size=(2, 32, 5, 4)).astype(np.float32)


def mlp(cell, pooled):
    hidden = np.maximum(pooled @ cell.squeeze.weight.asnumpy().T + cell.squeeze.bias.asnumpy(), 0)
    return hidden @ cell.excite.weight.asnumpy().T + cell.excite.bias.asnumpy()


def channel_weights(cell, x):
    return expit(mlp(cell, x.mean((2, 3))) + mlp(cell, x.max((2, 3))))[:, :, None, None]


def position_weights(cell, x):
    """The 7x7 convolution written as sums over shifted maps."""
    pooled = np.stack((x.mean(1), x.max(1)), 1)
    padded = np.pad(pooled, ((0, 0), (0, 0), (3, 3), (3, 3)))
    kernel = cell.conv.weight.asnumpy()[0]
    total = sum(kernel[c, i, j] * padded[:, c, i:i + x.shape[2], j:j + x.shape[3]]
                for c in range(2) for i in range(7) for j in range(7))
    return expit(total)[:, None]


def attended(cell, x):
    """What the block makes of a map."""
    if isinstance(cell, SqueezeExcite):
        return x * expit(mlp(cell, x.mean((2, 3))))[:, :, None, None]
    once = x * channel_weights(cell.of_channels, x)
    return once * position_weights(cell.of_positions, once)


def test_squeeze_and_excitation_is_the_formula(x):
    cell = SqueezeExcite(32, ratio=8, seed=3)
    assert cell.squeeze.weight.shape == (4, 32)
    np.testing.assert_allclose(cell(ms.Tensor(x)).asnumpy(), attended(cell, x), atol=1e-6)


def test_both_parts_of_cbam_are_the_formulas(x):
    channels, positions = ChannelAttention(32, seed=1), SpatialAttention(seed=2)
    np.testing.assert_allclose(channels(ms.Tensor(x)).asnumpy(), channel_weights(channels, x),
                               atol=1e-6)
    np.testing.assert_allclose(positions(ms.Tensor(x)).asnumpy(), position_weights(positions, x),
                               atol=1e-6)


def test_cbam_weighs_positions_after_channels(x):
    cell = CBAM(32, ratio=4, seed=5)
    np.testing.assert_allclose(cell(ms.Tensor(x)).asnumpy(), attended(cell, x), atol=1e-6)


@pytest.mark.parametrize("kind", ["se", "cbam"])
def test_the_cnn_attends_behind_each_stage(mindspore, kind):
    network = ScratchCNN(attention=kind).set_train(False)
    he_init(network, 4)
    photos = np.random.default_rng(1).normal(size=(2, 3, 32, 32)).astype(np.float32)
    expected = photos
    for name in ("stack", "inception1", "inception2"):
        seen = getattr(network, name)(ms.Tensor(expected)).asnumpy()
        seen = attended(getattr(network, f"{name}_attention"), seen)
        expected = network.pool(ms.Tensor(seen)).asnumpy()
    np.testing.assert_allclose(network(ms.Tensor(photos)).asnumpy(), expected, rtol=1e-4,
                               atol=1e-5 * expected.max())


@pytest.mark.parametrize("block", [SqueezeExcite, CBAM])
def test_a_block_inside_a_network_learns_with_it(x, block):
    network = nn.SequentialCell(nn.Conv2d(32, 16, 3), block(16, ratio=4), nn.ReLU())
    names = {p.name for p in network.trainable_params()}
    assert len(names) == len(network.trainable_params()) > 4

    def loss(images):
        return ops.mean(network(images)**2)
    _, gradients = ms.value_and_grad(loss, None, network.trainable_params())(ms.Tensor(x))
    assert all(np.abs(g.asnumpy()).max() > 0 for g in gradients)


@pytest.mark.parametrize("kind", ["se", "cbam"])
def test_a_head_reads_maps_and_flattened_maps_alike_and_is_built_again(x, kind):
    spec = HeadSpec(32, 4, 3, kind, None)
    head = spec.build(seed=1).set_train(False)
    square = x[:, :, :4]
    logits = head(ms.Tensor(square)).asnumpy()
    assert logits.shape == (2, 3)
    np.testing.assert_allclose(head.dense(ms.Tensor(square.reshape(2, -1))).asnumpy(), logits,
                               atol=1e-6)
    again = HeadSpec(**spec.to_dict()).build()
    assert [p.name for p in again.get_parameters()] == [p.name for p in head.get_parameters()]
    assert spec.columns() == slice(0, 32 * 16)
    turned = head(ms.Tensor(square[:, :, ::-1].copy())).asnumpy()
    if kind == "se":  # it knows no positions
        np.testing.assert_allclose(turned, logits, atol=1e-5)
    else:
        assert np.abs(turned - logits).max() > 1e-5


def test_attention_needs_the_positions():
    with pytest.raises(LabError, match="Add --reduction none"):
        resolve(KEYS, PRESETS, "recommended", flags={"head": "cbam"})
    with pytest.raises(LabError, match="normalise false"):
        resolve(KEYS, PRESETS, "recommended", flags={"head": "rbf", "reduction": None})


def test_the_street_with_cbam_learns_and_exports(street, make_argv, tmp_path, weights_path):
    run = street(make_argv(head="cbam", reduction="none", normalise="false", epochs=6,
                           lr_max=0.05, image_height=96, image_width=96, resize=0),
                 tmp_path / "results", tmp_path / "features")
    from src_mindspore.model import load_model
    model = load_model(run.folder / "best.ckpt")
    assert model.meta["head"]["kind"] == "cbam"
    assert model.meta["head"]["hw"] == 3
    # The attention has learnt too, not only the Dense layer behind it.
    before = HeadSpec(**model.meta["head"]).build("he", 1).dense.parameters_dict()
    after = model.network.head.dense.parameters_dict()
    changed = [np.abs(new.asnumpy() - old.asnumpy()).max()
               for new, old in zip(after.values(), before.values(), strict=True)]
    assert len(changed) == 7
    assert min(changed) > 0
