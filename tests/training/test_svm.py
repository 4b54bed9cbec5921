"""Support vector machines: the Cell decides as scikit-learn does, also after the export."""
import numpy as np
import pytest
from easydict import EasyDict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC, LinearSVC

from src_mindspore.errors import LabError

WIDTH, CLASSES, SIDE = 12, 4, 3
SETTINGS = {"svm_c": 2.0, "rbf_gamma": 1.0, "class_weights": "none", "effective_beta": 0.99,
            "memory_limit_mb": 64, "seed": 1}


@pytest.fixture(scope="module")
def maps():
    """Feature maps (N, WIDTH, SIDE, SIDE) float32 >= 0 with overlapping classes, and labels."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, 160).astype(np.int32)
    centres = rng.random((CLASSES, WIDTH, 1, 1))
    values = centres[labels] + rng.normal(0, 1, (160, WIDTH, SIDE, SIDE))
    return np.maximum(values, 0).astype(np.float32), labels


def fit(kind, rows, labels, classes=CLASSES, index=None, **changes):
    from src_mindspore.heads.build import HeadSpec
    from src_mindspore.training.rows import Split
    from src_mindspore.training.svm import fit_svm
    spec = HeadSpec(WIDTH, SIDE, classes, kind, normalise=kind == "svm_linear")
    if index is None:
        index = np.stack((np.arange(len(labels)), np.zeros(len(labels), int)), axis=1)
    head = fit_svm(spec, Split(rows, labels), index, EasyDict({**SETTINGS, **changes}))
    return head.set_train(False), spec.of(head)


def reference(kind, rows, labels, weights=None):
    """scikit-learn on the same inputs: the fitted machine, and a function to its inputs."""
    weights = None if weights is None else weights[labels]
    if kind == "svm_linear":
        roots = np.sqrt(rows.astype(np.float64))
        mean, scale = roots.mean(axis=0), 1 / (roots.std(axis=0) + 1e-3)
        machine = LinearSVC(C=2.0 / WIDTH, dual=False, random_state=1, tol=1e-8, max_iter=10_000)

        def inputs(x):
            return (np.sqrt(x.astype(np.float64)) - mean) * scale
        machine.fit(inputs(rows), labels, weights)
        return machine, inputs

    def inputs(x):
        root = np.sqrt(x.astype(np.float64))
        return root / np.linalg.norm(root, axis=1, keepdims=True)
    roots = inputs(rows)
    gamma = 1 / ((roots - roots.mean(axis=0))**2).sum(axis=1).mean()
    machine = OneVsRestClassifier(SVC(C=2.0, kernel="rbf", gamma=gamma, tol=1e-6))
    if weights is not None:
        from sklearn import set_config
        set_config(enable_metadata_routing=True)
        try:
            machine.estimator.set_fit_request(sample_weight=True)
            machine.fit(roots, labels, sample_weight=weights)
        finally:
            set_config(enable_metadata_routing=False)
    else:
        machine.fit(roots, labels)
    return machine, inputs


@pytest.mark.parametrize("kind", ["svm_linear", "svm_rbf"])
@pytest.mark.parametrize("weighted", [False, True])
def test_decision_values_are_those_of_scikit_learn_after_the_export(mindspore, maps, kind, weighted,
                                                                    tmp_path):
    from src_mindspore.backbones.export import export_network
    from src_mindspore.training.class_weights import class_weights
    maps, labels = maps
    learn, ask = slice(0, 120), slice(120, None)
    pooled = maps.mean(axis=(2, 3))
    weights = class_weights("inverse", np.bincount(labels[learn])) if weighted else None
    machine, inputs = reference(kind, pooled[learn], labels[learn], weights)
    head, spec = fit(kind, pooled[learn], labels[learn],
                     class_weights="inverse" if weighted else "none")
    if kind == "svm_rbf":
        assert 0 < spec.centres <= 120
    path = tmp_path / "svm.mindir"
    export_network(head, mindspore.Tensor(maps[ask]), path, "MINDIR")
    exported = mindspore.nn.GraphCell(mindspore.load(str(path)))
    expected = machine.decision_function(inputs(pooled[ask]))
    for answer in (head, exported):
        got = answer(mindspore.Tensor(maps[ask])).asnumpy()
        np.testing.assert_allclose(got, expected, atol=1e-4)
        np.testing.assert_array_equal(got.argmax(axis=1), machine.predict(inputs(pooled[ask])))


def test_a_machine_is_weighted_by_photos_not_by_passes(mindspore, maps):
    from src_mindspore.training.class_weights import class_weights
    maps, labels = maps
    pooled, kept = maps.mean(axis=(2, 3)), np.flatnonzero((labels != 2) | (np.arange(160) < 40))
    weights = class_weights("effective", np.bincount(labels[kept]), 0.99)
    index = np.stack((np.tile(kept, 3), np.repeat(np.arange(3), len(kept))), axis=1)
    rows, thrice = pooled[index[:, 0]], labels[index[:, 0]]
    machine, inputs = reference("svm_linear", rows, thrice, weights)
    head, _ = fit("svm_linear", rows, thrice, index=index, class_weights="effective")
    np.testing.assert_allclose(head(mindspore.Tensor(maps)).asnumpy(),
                               machine.decision_function(inputs(pooled)), atol=1e-4)


def test_two_classes_get_a_decision_value_each(mindspore, maps):
    maps, labels = maps
    pooled, labels = maps.mean(axis=(2, 3)), labels % 2
    for kind in ("svm_linear", "svm_rbf"):
        machine, inputs = reference(kind, pooled, labels)
        head, _ = fit(kind, pooled, labels, classes=2)
        got = head(mindspore.Tensor(maps)).asnumpy()
        expected = np.ravel(machine.decision_function(inputs(pooled)))
        np.testing.assert_allclose(got, np.stack((-expected, expected), axis=1), atol=1e-4)


def test_an_rbf_svm_takes_as_many_whole_passes_as_fit(mindspore, maps):
    maps, labels = maps
    pooled = maps.mean(axis=(2, 3))
    index = np.stack((np.arange(160) // 4, np.arange(160) % 4), axis=1)
    # 80 rows need 51,200 bytes: two of the four passes.
    two, _ = fit("svm_rbf", pooled, labels, index=index, memory_limit_mb=80**2 * 8 / 2**20)
    kept = index[:, 1] < 2
    same, _ = fit("svm_rbf", pooled[kept], labels[kept])
    np.testing.assert_array_equal(two.dense.weight.asnumpy(), same.dense.weight.asnumpy())


def test_machines_fitted_beside_one_another_are_those_fitted_one_by_one(mindspore, maps,
                                                                        monkeypatch):
    from src_mindspore.training import svm
    maps, labels = maps
    pooled = maps.mean(axis=(2, 3))
    monkeypatch.setattr(svm, "usable_cores", lambda: 4)
    several, _ = fit("svm_linear", pooled, labels)
    one_copy = pooled.size * (svm.DOUBLE + svm.NODE) / 2**20
    single, _ = fit("svm_linear", pooled, labels, memory_limit_mb=one_copy)
    np.testing.assert_array_equal(several.dense.weight.asnumpy(), single.dense.weight.asnumpy())
    np.testing.assert_array_equal(several.dense.bias.asnumpy(), single.dense.bias.asnumpy())
    with pytest.raises(LabError, match="needs 0 MB at once"):
        fit("svm_linear", pooled, labels, memory_limit_mb=one_copy * 0.99)


@pytest.mark.parametrize(("kind", "words"), [
    ("svm_rbf", r"1,000,000 photos need 7,629,395 MB.*Take --head svm_linear, which needs 275 MB"),
    ("svm_linear", r"linear SVM on 1,000,000 rows of 12 values needs 275 MB.*Raise it")])
def test_a_million_photos_cost_what_they_cost(mindspore, kind, words):
    class Million:
        def __len__(self):
            return 10**6

        def __getitem__(self, numbers):
            return np.zeros((len(numbers), WIDTH), np.float32)
    index = np.stack((np.arange(10**6), np.zeros(10**6, int)), axis=1)
    with pytest.raises(LabError, match=words):
        fit(kind, Million(), np.arange(10**6) % CLASSES, index=index)


@pytest.mark.parametrize(("labels", "words"), [
    (np.eye(CLASSES, dtype=np.float32)[np.arange(8) % CLASSES], "soft labels"),
    (np.zeros(8, np.int32), "no photo of class 1")])
def test_labels_that_give_no_sides(mindspore, labels, words):
    with pytest.raises(LabError, match=words):
        fit("svm_rbf", np.ones((8, WIDTH), np.float32), labels)


@pytest.mark.parametrize("head", ["svm_linear", "svm_rbf"])
def test_the_whole_street_with_an_svm(street, make_argv, weights_path, head, tmp_path):
    from src_mindspore.model import load_model
    run = street(make_argv(head=head, epochs=30, save_ckpt_epochs=5), tmp_path / "results",
                 tmp_path / "features")
    assert "epoch   1/1" in run.output
    assert "best.mindir: same predictions on all 15 validation photos" in run.output
    assert load_model(run.folder / "best.ckpt").meta["head"]["kind"] == head
    assert "fitted at once, C 1" in (run.folder / "report.md").read_text(encoding="utf-8")
