"""RAdam, Lookahead and Ranger, step by step, against the algorithms as published."""
import math

import numpy as np
import pytest

# Adaptive steps begin at the fifth (rho_t > 4 with beta2 0.999), so ten see both kinds.
RATES = [0.1, 0.09, 0.05, 0.06, 0.07, 0.08, 0.02, 0.05, 0.1, 0.03]
DECAY = 0.03


@pytest.fixture
def problem():
    """Start values of a weight and a bias, and gradients for every step."""
    rng = np.random.default_rng(0)
    shapes = ((3, 8), (3,))
    return ([rng.normal(size=s).astype(np.float32) for s in shapes],
            [[rng.normal(size=s).astype(np.float32) for s in shapes] for _ in RATES])


def parameters_of(mindspore, values):
    return [mindspore.Parameter(mindspore.Tensor(v), name)
            for name, v in zip(("weight", "bias"), values, strict=True)]


def published_radam(values, gradients, centralise):
    """Algorithm 2 of arXiv:1908.03265, line by line; yields the values after each step."""
    values = [v.astype(np.float64) for v in values]
    m, v = [0, 0], [0, 0]
    rho_inf = 2 / (1 - 0.999) - 1
    for t, (rate, both) in enumerate(zip(RATES, gradients, strict=True), 1):
        for i, g in enumerate(both):
            g = g.astype(np.float64)
            if centralise and g.ndim > 1:
                g = g - g.mean(axis=1, keepdims=True)
            values[i] = values[i] - rate * (DECAY if g.ndim > 1 else 0) * values[i]
            v[i] = 0.999 * v[i] + 0.001 * g**2
            m[i] = 0.9 * m[i] + 0.1 * g
            m_hat = m[i] / (1 - 0.9**t)
            rho = rho_inf - 2 * t * 0.999**t / (1 - 0.999**t)
            if rho > 4:
                v_hat = np.sqrt(v[i] / (1 - 0.999**t))
                r = math.sqrt((rho - 4) * (rho - 2) * rho_inf
                              / ((rho_inf - 4) * (rho_inf - 2) * rho))
                values[i] = values[i] - rate * r * m_hat / (v_hat + 1e-8)
            else:
                values[i] = values[i] - rate * m_hat
        yield [x.copy() for x in values]


@pytest.mark.parametrize("centralise", [False, True])
def test_radam_takes_the_published_steps(mindspore, problem, centralise):
    from src_mindspore.training.radam import RAdam
    values, gradients = problem
    parameters = parameters_of(mindspore, values)
    optimizer = RAdam([(parameters[:1], DECAY), (parameters[1:], 0.0)], RATES, centralise)
    for both, expected in zip(gradients, published_radam(values, gradients, centralise),
                              strict=True):
        optimizer(tuple(map(mindspore.Tensor, both)))
        for parameter, value in zip(parameters, expected, strict=True):
            np.testing.assert_allclose(parameter.asnumpy(), value, atol=5e-6)


def test_rectification_begins_with_the_fifth_step_and_ends_at_one():
    from src_mindspore.training.radam import rectification
    scale = rectification(20_000)
    assert (scale[:4] == 0).all()
    assert scale[4] > 0
    assert (np.diff(scale[4:]) > 0).all()
    assert scale[-1] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("steps", "share"), [(3, 0.5), (1, 0.25), (20, 0.5)])
def test_lookahead_around_sgd(mindspore, problem, steps, share):
    """Algorithm 1 of arXiv:1907.08610 with A = SGD; 20 steps: never looks back."""
    from mindspore import nn

    from src_mindspore.training.lookahead import Lookahead
    values, gradients = problem
    parameters = parameters_of(mindspore, values)
    optimizer = Lookahead(nn.SGD(parameters, RATES), steps, share)
    slow = [v.astype(np.float64) for v in values]
    fast = [v.copy() for v in slow]
    for t, (rate, both) in enumerate(zip(RATES, gradients, strict=True), 1):
        optimizer(tuple(map(mindspore.Tensor, both)))
        for i, g in enumerate(both):
            fast[i] = fast[i] - rate * g
            if t % steps == 0:
                slow[i] = slow[i] + share * (fast[i] - slow[i])
                fast[i] = slow[i].copy()
            np.testing.assert_allclose(parameters[i].asnumpy(), fast[i], atol=2e-6)


def test_ranger_is_lookahead_around_centralised_radam(mindspore, problem):
    """Until its first look back Ranger is RAdam; then it is half way from the start."""
    from src_mindspore.training.lookahead import RANGER_STEPS
    from src_mindspore.training.optimizers import build_optimizer
    values, gradients = problem
    parameters = parameters_of(mindspore, values)
    optimizer = build_optimizer("ranger", parameters, RATES, 0.9, DECAY)
    expected = list(published_radam(values, gradients, centralise=True))
    for t in range(RANGER_STEPS):
        optimizer(tuple(map(mindspore.Tensor, gradients[t])))
        for parameter, start, value in zip(parameters, values, expected[t], strict=True):
            if t + 1 == RANGER_STEPS:
                value = start + (value - start) / 2
            np.testing.assert_allclose(parameter.asnumpy(), value, atol=5e-6)


@pytest.mark.parametrize("name", ["momentum", "adamw", "radam"])
def test_lookahead_of_the_configuration_goes_around_any_optimizer(mindspore, problem, name):
    from src_mindspore.training.optimizers import build_optimizer
    values, gradients = problem
    plain, wrapped = (parameters_of(mindspore, values) for _ in range(2))
    one = build_optimizer(name, plain, RATES, 0.9, DECAY)
    two = build_optimizer(name, wrapped, RATES, 0.9, DECAY, lookahead=2)
    for t in range(2):
        both = tuple(map(mindspore.Tensor, gradients[t]))
        one(both)
        two(both)
    for a, b, start in zip(plain, wrapped, values, strict=True):
        np.testing.assert_allclose(b.asnumpy(), start + (a.asnumpy() - start) / 2, atol=2e-6)
