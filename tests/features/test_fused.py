import numpy as np
import pytest
from easydict import EasyDict

from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore.configuration import resolve
from src_mindspore.errors import LabError
from src_mindspore.features.cache import CacheWriter, FeatureCache
from src_mindspore.features.fused import JoinedCache
from src_mindspore.features.of_config import member_config

PATHS = ["a/1.jpg", "a/2.jpg", "b/1.jpg"]


def written(root, name, *, width=4, passes=2, order=(0, 1, 2), labels=(0, 0, 1), sha="s",
            pooling="mean+max"):
    """A cache of three photos; the value of a cell tells photo, pass and column."""
    what = {"split": "train", "name": name, "pooling": pooling}
    paths = [PATHS[i] for i in order]
    index = np.array([(i, p) for i in range(len(order)) for p in range(passes)], np.int32)
    feature = np.array([[100 * order[i] + 10 * p + c for c in range(width)] for i, p in index],
                       np.float32)
    with CacheWriter(root, what) as writer:
        label = np.array([labels[order[i]] for i, _ in index], np.int32)
        for part in (slice(0, 4), slice(4, None)):
            if len(label[part]):
                writer.write(feature[part], label[part], index[part])
        writer.finish([{"path": p, "size": 1, "sha256": sha} for p in paths])
        return FeatureCache(writer.folder)


def test_rows_are_joined_by_image_and_pass_whatever_their_order(tmp_path):
    one = written(tmp_path, "one", width=4)
    other = written(tmp_path, "other", width=6, order=(2, 0, 1))
    joined = JoinedCache({"one": one, "other": other})
    assert joined.channels == 5
    rows = joined.features()
    assert rows.shape == (6, 10)
    ours, theirs = one.features(), other.features()
    for row, (image, number) in enumerate(one.index):
        match = next(i for i, (image2, number2) in enumerate(other.index)
                     if other.images[image2] == one.images[image] and number2 == number)
        # Means of both, then maxima of both.
        np.testing.assert_array_equal(rows[row], np.concatenate(
            (ours[row, :2], theirs[match, :3], ours[row, 2:], theirs[match, 3:])))
    for columns in (slice(0, 5), slice(5, None), slice(1, 4), slice(4, 8)):
        np.testing.assert_array_equal(joined.features(columns), rows[:, columns])


@pytest.mark.parametrize(("options", "words"), [
    ({"passes": 1}, "did not read the photos equally often: 1 and 2 passes"),
    ({"order": (0, 1)}, r"other did not read b/1\.jpg, one did \(1 photos"),
    ({"labels": (1, 1, 0)}, r"a/1\.jpg has label 0 for one and 1 for other.*order of classes"),
    ({"sha": "changed"}, r"other did not read a/1\.jpg, one did \(3 photos"),
    ({"pooling": "none"}, "features of other are not pooled"),
], ids=["pass", "photo", "classes", "changed", "maps"])
def test_members_that_do_not_fit_are_refused(tmp_path, options, words):
    one = written(tmp_path, "one")
    with pytest.raises(LabError, match=words):
        JoinedCache({"one": one, "other": written(tmp_path, "other", **options)})


def test_rows_on_disk_are_those_in_memory(tmp_path):
    joined = JoinedCache({"one": written(tmp_path, "one"),
                          "other": written(tmp_path, "other", width=6, order=(2, 0, 1))})
    for columns in (slice(None), slice(0, 5), slice(1, 8)):
        rows = joined.features(columns)
        size = rows.nbytes
        assert isinstance(joined.features(columns, memory_limit_bytes=size), np.ndarray)
        on_disk = joined.features(columns, memory_limit_bytes=size - 1)
        assert not isinstance(on_disk, np.ndarray)
        assert (len(on_disk), on_disk.shape) == (6, rows.shape)
        for numbers in (slice(1, 4), np.array([5, 0, 5, 2]), rows[:, 0] > 50):
            np.testing.assert_array_equal(on_disk[numbers], rows[numbers])


def test_a_head_behind_svd_is_the_same_from_disk_and_from_memory(mindspore, make_config, tmp_path):
    """Of some rows, as in cross-validation."""
    from src_mindspore.heads.build import head_spec
    from src_mindspore.training.head_of_config import make_trainer
    from src_mindspore.training.rows import Split, subset
    joined = JoinedCache({"one": written(tmp_path, "one", passes=20),
                          "other": written(tmp_path, "other", passes=20, order=(2, 0, 1))})
    config = make_config(head="svd", svd_components=2, attention="softmax", dropout=0.2, epochs=2,
                         features_path=str(tmp_path))
    spec = head_spec(config, joined.channels, 2, joined.photos)
    numbers = np.arange(0, 60, 2)
    heads = []
    for limit in (None, 0):
        rows = subset(joined.features(spec.columns(), limit), numbers)
        assert isinstance(rows, np.ndarray) == (limit is None)
        split = Split(rows, joined.labels[numbers])
        trainer = make_trainer(spec, split, split, joined.index[numbers], config)
        trainer.train_to_the_end()
        heads.append({p.name: p.asnumpy() for p in trainer.head.get_parameters()})
    assert np.abs(heads[0]["prepare.projection"]).max() > 0
    for name, weights in heads[0].items():
        np.testing.assert_array_equal(heads[1][name], weights, err_msg=name)


def test_a_member_has_the_configuration_it_has_alone():
    config = resolve(KEYS, PRESETS, DEFAULT_PRESET, flags={"repeat": 3})
    for name in ("mobilenet_v2", "efficientnet_lite1", "efficientnet_lite2"):
        alone = resolve(KEYS, PRESETS, DEFAULT_PRESET, flags={"repeat": 3, "backbone": name})
        member = member_config(config, name)
        assert isinstance(member, EasyDict)
        assert member == alone
    larger = member_config(config, "efficientnet_lite1@288")
    assert (larger.image_height, larger.image_width, larger.resize) == (288, 288, 0)
    assert larger.pretrained_ckpt.endswith("efficientnet_lite1.ckpt")


@pytest.mark.parametrize("text", [
    "efficientnet_lite0,resnet", "efficientnet_lite0", "efficientnet_lite0, efficientnet_lite0",
    "efficientnet_lite0,efficientnet_lite1@20", "efficientnet_lite0,mobilenet_v2@"])
def test_lists_that_make_no_sense_are_refused(text):
    with pytest.raises(LabError, match="'backbones'.*two or more different ones.*NAME@PIXELS"):
        resolve(KEYS, PRESETS, DEFAULT_PRESET, flags={"backbones": text})


def test_whole_maps_cannot_be_joined():
    with pytest.raises(LabError, match="joined by their pooled features"):
        resolve(KEYS, PRESETS, DEFAULT_PRESET, flags={
            "backbones": "mobilenet_v2,efficientnet_lite0", "reduction": "none", "head": "linear",
            "normalise": False})
