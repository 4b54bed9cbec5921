"""Three steps of every optimizer against NumPy."""
import numpy as np
import pytest

RATES = [0.1, 0.05, 0.02]
DECAY, MOMENTUM = 0.03, 0.9


def gradients(weight, bias, x, labels):
    """Gradients of mean cross-entropy of a Dense layer, float64."""
    z = x @ weight.T + bias
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    g = (p - np.eye(3)[labels]) / len(x)
    return g.T @ x, g.sum(axis=0)


def step(name, value, gradient, decay, moments, t, rate):
    """One step of the published rules; `moments` is changed."""
    if name != "adamw":
        gradient = gradient + decay * value
    if name == "sgd":
        return value - rate * gradient
    if name == "momentum":
        moments[0] = MOMENTUM * moments[0] + gradient
        return value - rate * moments[0]
    if name == "adamw":
        value = value - rate * decay * value
    moments[0] = 0.9 * moments[0] + 0.1 * gradient
    moments[1] = 0.999 * moments[1] + 0.001 * gradient**2
    corrected = moments[0] / (1 - 0.9**t), moments[1] / (1 - 0.999**t)
    return value - rate * corrected[0] / (np.sqrt(corrected[1]) + 1e-8)


@pytest.mark.parametrize("name", ["momentum", "sgd", "adam", "adamw"])
def test_three_steps_with_decay_on_weights_only(mindspore, name):
    from mindspore import nn

    from src_mindspore.training.losses import SoftmaxCrossEntropy
    from src_mindspore.training.optimizers import build_optimizer
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 8)).astype(np.float32)
    labels = rng.integers(0, 3, 64).astype(np.int32)
    values = [rng.normal(size=(3, 8)).astype(np.float32), rng.normal(size=3).astype(np.float32)]
    dense = nn.Dense(8, 3, weight_init=mindspore.Tensor(values[0]),
                     bias_init=mindspore.Tensor(values[1]))
    optimizer = build_optimizer(name, list(dense.trainable_params()), RATES, MOMENTUM, DECAY)
    network = nn.TrainOneStepCell(nn.WithLossCell(dense, SoftmaxCrossEntropy(3)),
                                  optimizer).set_train()
    values = [v.astype(np.float64) for v in values]
    moments = [[0, 0], [0, 0]]
    for t, rate in enumerate(RATES, 1):
        both = gradients(*values, x, labels)
        values = [step(name, v, g, decay, m, t, rate) for v, g, decay, m
                  in zip(values, both, (DECAY, 0.0), moments, strict=True)]
        network(mindspore.Tensor(x), mindspore.Tensor(labels))
        np.testing.assert_allclose(dense.weight.asnumpy(), values[0], atol=2e-5)
        np.testing.assert_allclose(dense.bias.asnumpy(), values[1], atol=2e-5)


@pytest.mark.parametrize("name", ["momentum", "sgd", "adam", "adamw"])
def test_decay_alone_shrinks_weights_and_leaves_biases(mindspore, name):
    """No gradient but the decay's: the bias must not move at all."""
    from mindspore import Parameter, Tensor

    from src_mindspore.training.optimizers import build_optimizer
    weight = Parameter(Tensor(np.full((2, 2), 2, np.float32)), "weight")
    bias = Parameter(Tensor(np.full(2, 2, np.float32)), "bias")
    optimizer = build_optimizer(name, [weight, bias], [0.1], MOMENTUM, 0.5)
    optimizer((Tensor(np.zeros((2, 2), np.float32)), Tensor(np.zeros(2, np.float32))))
    assert bias.asnumpy().tolist() == [2, 2]
    # Decoupled or plain: 2 - 0.1 * 0.5 * 2; through Adam's normalisation: a whole step.
    np.testing.assert_allclose(weight.asnumpy(), 1.9, atol=1e-6)
