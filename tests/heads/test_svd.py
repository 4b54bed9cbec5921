import numpy as np
import pytest

from src_mindspore.errors import LabError
from src_mindspore.features.cache import MappedRows
from src_mindspore.heads import svd
from src_mindspore.heads.svd import SVDHead, SVDMap, right_singular_vectors


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return (rng.uniform(size=(60, 5)) @ rng.uniform(size=(5, 20))
            + 0.01 * rng.uniform(size=(60, 20))).astype(np.float32)


def test_vectors_are_those_of_the_plain_decomposition(rows):
    vectors, scale = right_singular_vectors(rows, 4)
    _, values, expected = np.linalg.svd(rows.astype(np.float64), full_matrices=False)
    np.testing.assert_allclose(np.abs((vectors * expected[:4].T).sum(0)), 1, atol=1e-6)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(4), atol=1e-10)
    assert scale == pytest.approx(np.sqrt((values[:4]**2).sum() / 60))
    assert (vectors[np.abs(vectors).argmax(0), range(4)] > 0).all()


def test_rows_on_disk_give_the_same_in_any_chunks(rows, monkeypatch):
    expected, scale = right_singular_vectors(rows, 3)
    monkeypatch.setattr(svd, "CHUNK_ROWS", 7)
    mapped = MappedRows([rows[:25], rows[25:]].__getitem__, [25, len(rows) - 25], slice(None))
    vectors, mapped_scale = right_singular_vectors(mapped, 3)
    np.testing.assert_allclose(vectors, expected, atol=1e-9)
    assert mapped_scale == pytest.approx(scale)


def test_projected_rows_have_length_one_in_the_mean_square(rows):
    import mindspore as ms
    cell = SVDMap(20, 20)
    cell.fit(rows)
    projected = cell(ms.Tensor(rows)).asnumpy()
    assert (projected**2).sum(1).mean() == pytest.approx(1, rel=1e-4)
    # With every direction kept, distances are those of the rows but for one factor.
    ratio = np.linalg.norm(projected[1:] - projected[0], axis=1) \
        / np.linalg.norm(rows[1:] - rows[0], axis=1)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)


@pytest.mark.parametrize("components", [0, 21, 61])
def test_more_components_than_there_are_directions_are_refused(rows, components):
    with pytest.raises(LabError, match=f"components is {components}.*60 rows of 20.*at most 20"):
        right_singular_vectors(rows, components)
    with pytest.raises(LabError, match="at most 5"):
        right_singular_vectors(rows[:5], 6)


def test_the_head_is_pooling_projection_and_one_dense_layer(rows):
    import mindspore as ms
    head = SVDHead(20, 3, 4, activation="Softmax").set_train(False)
    head.prepare.fit(rows)
    maps = ms.Tensor(np.repeat(rows[:6, :, None, None], 4, axis=2))
    out = head(maps).asnumpy()
    logits = rows[:6] @ head.prepare.projection.asnumpy() @ head.dense.weight.asnumpy().T
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(out, expected, atol=1e-5)
    assert [p.name for p in head.trainable_params()] == ["dense.weight", "dense.bias"]
