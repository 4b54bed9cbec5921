"""Support vector machines on cached features, fitted by scikit-learn, one class against the rest.

Their decision values stand where a trained head has its logits; `fit_temperature` makes
probabilities of either. A linear SVM has the squared hinge loss (LIBLINEAR, Fan et al., JMLR 2008),
an RBF SVM the hinge loss (LIBSVM, Chang and Lin, 2011).
"""
import dataclasses
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from mindspore import Tensor
from sklearn.svm import SVC, LinearSVC
from tqdm import tqdm

from src_mindspore.errors import LabError
from src_mindspore.heads.rbf import scaled_gamma, unit_roots
from src_mindspore.runtime import usable_cores
from src_mindspore.training.class_weights import class_weights, photos_of_classes
from src_mindspore.training.rows import root_statistics

KINDS = ("svm_linear", "svm_rbf")
# Bytes of a number in what scikit-learn computes with, and in LIBLINEAR's copy of it.
DOUBLE, NODE = 8, 16


def fit_svm(spec, split, index, config):
    """Fit the SVM that a configuration asks for.

    Args:
        spec: HeadSpec of kind 'svm_linear' or 'svm_rbf'.
        split: Split to learn from.
        index: (N, 2) int, image and pass of every row.
        config: svm_c, rbf_gamma, class_weights, effective_beta, memory_limit_mb and seed are read.

    Returns:
        Cell, the fitted head; `spec.of(head)` is its complete spec.

    Raises:
        LabError: soft labels, fewer than two classes in the rows, or more rows than the memory
            limit allows.
    """
    labels = np.asarray(split.labels)
    if labels.ndim != 1:
        raise LabError(f"--head {spec.kind} received soft labels; a support vector machine puts "
                       "every photo on one side. Turn mixup and cutmix off, or take --head rbf.")
    missing = np.setdiff1d(np.arange(spec.num_classes), labels)
    if len(missing):
        raise LabError(f"--head {spec.kind} has no photo of class {missing[0]} to learn from. Add "
                       "some, or remove the class.")
    counts = photos_of_classes(labels, index[:, 0], spec.num_classes)
    weights = class_weights(config.class_weights, counts, config.effective_beta)
    if spec.kind == "svm_linear":
        return _fit_linear(spec, split.rows, labels, weights, config)
    return _fit_rbf(spec, split.rows, labels, index, weights, config)


def _fit_linear(spec, rows, labels, weights, config):
    count, width = len(rows), spec.columns().stop - spec.columns().start
    # LIBLINEAR copies what it learns from, an index beside each value; once for every machine that
    # is fitted at a time.
    inputs_mb, copy_mb = (count * width * size / 2**20 for size in (DOUBLE, NODE))
    if inputs_mb + copy_mb > config.memory_limit_mb:
        raise LabError(f"A linear SVM on {count:,} rows of {width} values needs "
                       f"{inputs_mb + copy_mb:,.0f} MB at once; memory_limit_mb is "
                       f"{config.memory_limit_mb}. Raise it where the machine has that memory, "
                       "lower --repeat, or take --head rbf, which learns in batches.")
    at_a_time = min(usable_cores(), int((config.memory_limit_mb - inputs_mb) / copy_mb))
    head = spec.build()
    mean, deviation = root_statistics(rows)
    head.prepare.fit(mean, deviation)
    # What the Cell will compute, from the numbers that it holds; doubled once for all machines.
    inputs = ((np.sqrt(np.maximum(rows[np.arange(count)], 0)) - head.prepare.mean.asnumpy())
              * head.prepare.scale.asnumpy()).astype(np.float64)

    def fit(label):
        # The tolerance is below what a float32 Cell can tell.
        return LinearSVC(C=config.svm_c / width, dual=False, tol=1e-7, max_iter=10_000,
                         random_state=config.seed).fit(inputs, labels == label,
                                                       sample_weight=weights[labels])

    classes = _machines(spec.num_classes)
    with ThreadPoolExecutor(at_a_time) as pool:  # LIBLINEAR lets go of the interpreter's lock
        machines = list(tqdm(pool.map(fit, classes), total=len(classes), desc="SVM", unit="class",
                             leave=False))
    _take(head.dense, np.concatenate([m.coef_ for m in machines]),
          np.concatenate([m.intercept_ for m in machines]))
    return head


def _fit_rbf(spec, rows, labels, index, weights, config):
    chosen = _whole_passes(index, config.memory_limit_mb, rows[np.arange(1)].shape[1])
    roots = unit_roots(rows[chosen])
    gamma = scaled_gamma(roots, config.rbf_gamma)
    kernel = np.exp(2 * gamma * (roots @ roots.T - 1))
    labels = labels[chosen]
    classes = _machines(spec.num_classes)
    coefficients, bias = np.zeros((len(classes), len(chosen))), np.zeros(len(classes))
    for row, label in enumerate(tqdm(classes, desc="SVM", unit="class", leave=False)):
        machine = SVC(C=config.svm_c, kernel="precomputed", tol=1e-5)
        machine.fit(kernel, labels == label, sample_weight=weights[labels])
        coefficients[row, machine.support_] = machine.dual_coef_[0]
        bias[row] = machine.intercept_[0]
    support = np.flatnonzero(coefficients.any(axis=0))
    head = dataclasses.replace(spec, centres=len(support)).build()
    head.prepare.take(roots[support], gamma)
    _take(head.dense, coefficients[:, support], bias)
    return head


def _machines(num_classes):
    """Return the classes that get a machine: of two classes one decides."""
    return range(num_classes) if num_classes > 2 else (1,)


def _whole_passes(index, limit_mb, width):
    """Return the rows of as many passes as fit: their kernel compares each row with each."""
    passes = index[:, 1]
    most = int(np.sqrt(limit_mb * 2**20 / DOUBLE))
    each = int((passes == passes.min()).sum())
    if each > most:
        raise LabError(
            f"An RBF SVM compares every photo with every other: {each:,} photos need "
            f"{each**2 * DOUBLE / 2**20:,.0f} MB, and the time of the square of their number; "
            f"memory_limit_mb is {limit_mb} ({most:,} photos). Take --head svm_linear, which needs "
            f"{each * width * (DOUBLE + NODE) / 2**20:,.0f} MB for one pass, or --head rbf, which "
            "compares with --rbf_centres photos only.")
    kept = np.unique(passes)[:max(1, most // each)]
    return np.flatnonzero(np.isin(passes, kept))


def _take(dense, weights, bias):
    if len(weights) == 1:  # one machine for two classes: the other side is its mirror image
        weights, bias = np.concatenate((-weights, weights)), np.concatenate((-bias, bias))
    dense.weight.set_data(Tensor(weights.astype(np.float32)))
    dense.bias.set_data(Tensor(bias.astype(np.float32)))
