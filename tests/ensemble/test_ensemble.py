"""Votes, weights and stacks by hand, and as one exported network."""
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression

from src_mindspore.ensemble.stacking import (
    INVERSE_PENALTY,
    cross_fitted_logits,
    fit_stack,
    stack_logits,
)
from src_mindspore.ensemble.voting import fit_weights, hard_vote, soft_vote

M, N, C = 3, 240, 4
PHOTO = (3, 2, 2)


@pytest.fixture(scope="module")
def data():
    """Probabilities of a good, a middling and a guessing member, and the truth."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, C, N)
    logits = rng.normal(0, 1, (M, N, C))
    for member, strength in enumerate((3.0, 1.5, 0.0)):
        logits[member, np.arange(N), labels] += strength
    return softmax(logits, axis=2), labels


def test_soft_and_hard_votes_by_hand():
    said = np.array([[[0.6, 0.4, 0.0]], [[0.55, 0.45, 0.0]], [[0.0, 0.1, 0.9]]])
    np.testing.assert_allclose(soft_vote(said), [[1.15 / 3, 0.95 / 3, 0.3]])
    np.testing.assert_allclose(soft_vote(said, [0, 0, 1]), said[2])
    assert hard_vote(said).argmax() == 0
    np.testing.assert_allclose(hard_vote(said), [[2 / 3, 0, 1 / 3]], atol=2e-3)
    # One vote for each: the probabilities decide.
    tie = np.array([[[0.6, 0.4, 0.0]], [[0.0, 0.1, 0.9]]])
    assert hard_vote(tie).argmax() == 2
    # A heavy voice counts as much as it weighs.
    assert hard_vote(said, [0.2, 0.2, 0.6]).argmax() == 2
    for vote in (soft_vote, hard_vote):
        assert vote(said).sum() == pytest.approx(1)


def test_weights_have_the_least_cross_entropy(data):
    probabilities, labels = data

    def cost(weights):
        mixed = soft_vote(probabilities, weights)
        return -np.log(mixed[np.arange(N), labels]).mean()
    weights = fit_weights(probabilities, labels)
    found = minimize(cost, np.full(M, 1 / M), bounds=[(0, 1)] * M,
                     constraints={"type": "eq", "fun": lambda w: w.sum() - 1})
    assert weights.sum() == pytest.approx(1)
    assert cost(weights) <= found.fun + 1e-6
    assert weights[0] > weights[1] > weights[2]


def test_a_stack_is_logistic_regression_on_log_probabilities(data):
    probabilities, labels = data
    reference = LogisticRegression(C=INVERSE_PENALTY, max_iter=2000)
    inputs = np.hstack(list(np.log(probabilities)))
    reference.fit(inputs, labels)
    got = softmax(stack_logits(probabilities, *fit_stack(probabilities, labels)), axis=1)
    np.testing.assert_allclose(got, reference.predict_proba(inputs), atol=1e-6)


def test_a_stack_of_two_classes_answers_as_logistic_regression(data):
    probabilities, labels = softmax(np.log(data[0][:, :, :2]), axis=2), data[1] % 2
    inputs = np.hstack(list(np.log(probabilities)))
    reference = LogisticRegression(C=INVERSE_PENALTY, max_iter=2000).fit(inputs, labels)
    got = softmax(stack_logits(probabilities, *fit_stack(probabilities, labels)), axis=1)
    np.testing.assert_allclose(got, reference.predict_proba(inputs), atol=1e-6)


def test_cross_fitted_stacks_have_not_seen_what_they_are_asked(data):
    """A photo whose label is changed changes what is said about others, not about itself."""
    probabilities, labels = data
    fold_of = np.arange(N) % 5
    before = cross_fitted_logits(probabilities, labels, fold_of)
    changed = labels.copy()
    changed[7] = (changed[7] + 1) % C
    after = cross_fitted_logits(probabilities, changed, fold_of)
    own = fold_of == fold_of[7]
    np.testing.assert_array_equal(before[own], after[own])
    assert not np.array_equal(before[~own], after[~own])


@pytest.mark.parametrize("kind", ["soft", "hard", "weighted", "stack"])
def test_one_mindir_answers_as_the_members_combined(mindspore, data, kind, tmp_path):
    from mindspore import nn

    from src_mindspore.backbones.export import export_network
    from src_mindspore.ensemble.network import Ensemble, Stack
    rng = np.random.default_rng(3)
    photos = rng.normal(size=(9, *PHOTO)).astype(np.float32)
    matrices = [rng.normal(size=(C, 12)).astype(np.float32) for _ in range(M)]
    members = [nn.SequentialCell(nn.Flatten(), nn.Dense(
        12, C, weight_init=mindspore.Tensor(m), has_bias=False)) for m in matrices]
    temperatures, weights = [1.0, 2.0, 0.5], [0.5, 0.2, 0.3]
    said = np.stack([softmax(photos.reshape(9, -1) @ m.T / t, axis=1)
                     for m, t in zip(matrices, temperatures, strict=True)])
    if kind == "stack":
        fitted = fit_stack(*data)
        network = Stack(members, temperatures, *fitted)
        expected = log_softmax(stack_logits(said, *fitted), axis=1)
    else:
        weights = weights if kind == "weighted" else [1 / M] * M
        network = Ensemble(members, temperatures, weights, hard=kind == "hard")
        expected = np.log((hard_vote if kind == "hard" else soft_vote)(said, weights))
    path = tmp_path / "together.mindir"
    export_network(network.set_train(False), mindspore.Tensor(photos), path, "MINDIR")
    got = nn.GraphCell(mindspore.load(str(path)))(mindspore.Tensor(photos)).asnumpy()
    np.testing.assert_allclose(log_softmax(got.astype(float), axis=1), expected, atol=1e-4)


def test_members_of_other_inputs_share_one_vector(mindspore, tmp_path):
    """A network of 4x4 pixels, one of 2x3 in another arithmetic, and one of both side by side."""
    from mindspore import nn

    from src_mindspore.backbones.export import export_network
    from src_mindspore.backbones.fused import FusedNetwork
    from src_mindspore.data.preprocess import FusedSpec, PreprocessSpec, preprocess
    from src_mindspore.ensemble.network import Ensemble, with_joint_input
    from src_mindspore.heads.linear import GlobalPooling
    rng = np.random.default_rng(5)
    large = PreprocessSpec(4, 4, 0)
    small = PreprocessSpec(2, 3, 0, channel_order="BGR", mean=(127,) * 3, std=(128,) * 3)
    specs = [large, small, FusedSpec((small, large))]

    def dense(width):
        weight = rng.normal(size=(C, width)).astype(np.float32)
        return nn.Dense(width, C, weight_init=mindspore.Tensor(weight), has_bias=False)
    both = FusedNetwork([nn.Identity(), nn.ReLU()], [s.input_shape for s in specs[2].members])
    networks = [nn.SequentialCell(nn.Flatten(), dense(48)), nn.SequentialCell(nn.Flatten(),
                dense(18)), nn.SequentialCell(both, GlobalPooling("mean"), dense(6))]
    pictures = rng.integers(0, 256, (5, 9, 8, 3), np.uint8)
    said = np.stack([softmax(network(mindspore.Tensor(np.stack(
        [preprocess(picture, spec) for picture in pictures]))).asnumpy(), axis=1)
        for network, spec in zip(networks, specs, strict=True)])
    assert np.abs(said[0] - said[2]).max() > 0.01
    members, spec = with_joint_input(networks, specs)
    assert spec == FusedSpec((large, small)), "each input once"
    network = Ensemble(members, [1.0] * 3, [0.5, 0.2, 0.3]).set_train(False)
    inputs = mindspore.Tensor(np.stack([preprocess(picture, spec) for picture in pictures]))
    assert inputs.shape == (5, 48 + 18)
    path = tmp_path / "together.mindir"
    export_network(network, inputs, path, "MINDIR")
    got = nn.GraphCell(mindspore.load(str(path)))(inputs).asnumpy()
    np.testing.assert_allclose(np.exp(got), soft_vote(said, [0.5, 0.2, 0.3]), atol=1e-5)


def test_members_of_one_input_read_it_as_it_is():
    from src_mindspore.data.preprocess import FusedSpec, PreprocessSpec
    from src_mindspore.ensemble.network import with_joint_input
    for spec in (PreprocessSpec(), FusedSpec((PreprocessSpec(), PreprocessSpec(240, 240, 0)))):
        networks = [object(), object()]
        assert with_joint_input(networks, [spec, spec]) == (networks, spec)
