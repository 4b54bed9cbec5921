import dataclasses
from types import SimpleNamespace

import cv2
import mindspore.dataset as ds
import numpy as np
import pytest
from easydict import EasyDict
from mindspore import Model, nn, ops
from mindspore.dataset import vision
from PIL import Image

from src_mindspore import dataset as dataset_module
from src_mindspore import runtime
from src_mindspore.backbones.checkpoint import save_checkpoint
from src_mindspore.data.decode import load_rgb
from src_mindspore.data.preprocess import PreprocessSpec, preprocess
from src_mindspore.dataset import create_dataset, preprocess_of, shuffled
from src_mindspore.errors import LabError

CLASSES = ("00_00", "00_01", "00_02")
KERAS_LIKE = PreprocessSpec(mean=(127.5,) * 3, std=(127.5,) * 3)


def photo(seed, height, width):
    """A smooth random picture: (height, width, 3) uint8."""
    noise = np.random.default_rng(seed).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def write_photos(root):
    """5 train and 3, 2, 2 val photos of each class, landscape and portrait."""
    seed = 0
    for split, sizes in (("train", (5, 5, 5)), ("val", (3, 2, 2))):
        for name, count in zip(CLASSES, sizes, strict=True):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                seed += 1
                size = (300, 400) if seed % 2 else (380, 290)
                Image.fromarray(photo(seed, *size)).save(
                    root / split / name / f"{number}.jpg", quality=95)
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_photos(tmp_path_factory.mktemp("photos") / "garbage")


@pytest.fixture
def config(root):
    """A plain course configuration."""
    return EasyDict(
        num_classes=3, reduction="mean", image_height=224, image_width=224, batch_size=4,
        eval_batch_size=3, epochs=2, lr_max=0.01, decay_type="constant", momentum=0.8,
        weight_decay=3.0, dataset_path=str(root), features_path="", class_index={},
        save_ckpt_epochs=1, save_ckpt_path="", pretrained_ckpt="", export_path="")


def read(pipeline):
    """Everything of one epoch: (N, 3, H, W) and (N,)."""
    rows = list(pipeline.create_dict_iterator(num_epochs=1, output_numpy=True))
    return (np.concatenate([row["image"] for row in rows]),
            np.concatenate([row["label"] for row in rows]))


def test_training_yields_what_the_course_expects(config):
    pipeline = create_dataset(config)
    batches = list(pipeline.create_dict_iterator())
    assert pipeline.get_dataset_size() == len(batches) == 15 // 4
    for batch in batches:
        assert batch["image"].shape == (4, 3, 224, 224)
        assert batch["image"].asnumpy().dtype == np.float32
        assert batch["label"].asnumpy().dtype == np.int32
        assert batch["label"].shape == (4,)
    images, labels = read(create_dataset(config, repeat=3))
    assert len(images) == 9 * 4
    assert set(labels) == {0, 1, 2}


def test_evaluation_keeps_every_photo_in_order(config):
    pipeline = create_dataset(config, training=False)
    sizes = [len(b["label"]) for b in pipeline.create_dict_iterator(num_epochs=1)]
    assert sizes == [3, 3, 1]
    assert pipeline.get_dataset_size() == 3
    assert read(pipeline)[1].tolist() == [0, 0, 0, 1, 1, 2, 2]


def test_a_training_set_smaller_than_a_batch_does_not_vanish(config):
    config.batch_size = 64
    assert len(read(create_dataset(config))[1]) == 15


def test_evaluation_is_preprocess_itself(config, root):
    images, _ = read(create_dataset(config, training=False))
    paths = sorted((root / "val").rglob("*.jpg"))
    for image, path in zip(images, paths, strict=True):
        np.testing.assert_array_equal(image, preprocess(load_rgb(path), PreprocessSpec()))


def test_evaluation_agrees_with_the_courses_own_operators(config, root):
    images, _ = read(create_dataset(config, training=False))
    spec = PreprocessSpec()
    course = ds.ImageFolderDataset(str(root / "val"), num_parallel_workers=1, shuffle=False,
                                   decode=True)
    course = course.map([vision.Resize(256), vision.CenterCrop(224),
                         vision.Normalize(spec.mean, spec.std), vision.HWC2CHW()], "image",
                        num_parallel_workers=1)
    theirs = np.stack([row["image"] for row
                       in course.create_dict_iterator(num_epochs=1, output_numpy=True)])
    # In levels of a pixel (0 to 255). Measured: 1.4e-5 at most, here and on the course's 130 val
    # photos: rounding of float32, the pixels are the same.
    difference = np.abs(images - theirs) * np.array(spec.std).reshape(3, 1, 1)
    assert difference.max() < 1e-3


def test_one_seed_gives_the_same_bytes_whatever_the_workers(config, monkeypatch):
    config.seed = 5
    images, labels = read(create_dataset(config))
    config.workers = 1
    again, labels_again = read(create_dataset(config))
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(labels, labels_again)
    config.seed = 6
    assert not np.array_equal(images, read(create_dataset(config))[0])


def test_every_repetition_and_epoch_augments_anew(config):
    config.batch_size = 15
    pipeline = create_dataset(config, repeat=2)
    iterator = pipeline.create_dict_iterator(num_epochs=2, output_numpy=True)
    batches = [row["image"] for _ in range(2) for row in iterator]
    assert len(batches) == 4
    assert len({batch.sum(dtype=np.float64) for batch in batches}) == 4
    assert len({image.tobytes() for batch in batches for image in batch}) == 60


def test_strengths_of_our_configuration_are_used(config):
    config.update(crop_scale_min=1.0, crop_ratio=1.0, flip=0.0, brightness=0.0, contrast=0.0,
                  saturation=0.0)
    config.batch_size = 15
    first, labels = read(create_dataset(config, buffer_size=1))
    config.seed = 77
    np.testing.assert_array_equal(first, read(create_dataset(config, buffer_size=1))[0])
    assert labels.tolist() == [0] * 5 + [1] * 5 + [2] * 5


def test_shuffling_is_a_permutation_that_stays_in_its_buffer():
    rng = np.random.default_rng(0)
    order = list(shuffled(range(100), 10, rng))
    assert sorted(order) == list(range(100))
    assert order != sorted(order)
    # An item cannot come out before it went in.
    assert all(item <= place + 10 for place, item in enumerate(order))
    firsts = [next(shuffled(range(5), 100, rng)) for _ in range(2000)]
    assert np.bincount(firsts, minlength=5).min() > 300
    assert list(shuffled(range(9), 1, rng)) == list(range(9))


def test_chinese_folder_names_are_read(config, tmp_path):
    config.dataset_path = str(write_photos(tmp_path / "垃圾分类" / "数据 集"))
    images, labels = read(create_dataset(config, training=False))
    assert len(images) == 7
    assert labels[-1] == 2
    assert len(read(create_dataset(config))[0]) == 12


def test_class_index_is_honoured_and_must_be_complete(config):
    config.class_index = {"00_00": 7, "00_01": 3, "00_02": 5}
    assert read(create_dataset(config, training=False))[1].tolist() == [7, 7, 7, 3, 3, 5, 5]
    config.class_index = {"00_00": 7, "00_01": 3}
    with pytest.raises(LabError, match="class_index has no entry for the class folder '00_02'"):
        create_dataset(config)


def test_workers_never_exceed_the_cores(config, monkeypatch):
    seen = []
    original = ds.GeneratorDataset.map

    def spy(self, *args, **options):
        seen.append(options["num_parallel_workers"])
        return original(self, *args, **options)

    monkeypatch.setattr(ds.GeneratorDataset, "map", spy)
    config.workers = 64
    assert len(read(create_dataset(config, training=False))[0]) == 7
    monkeypatch.setattr(dataset_module.runtime, "usable_cores", lambda: 1)
    assert len(read(create_dataset(config, training=False))[0]) == 7
    assert seen[0] <= runtime.os.cpu_count()
    assert seen[1] == 1


def test_mean_and_std_come_from_the_contract_of_the_weights(config, tmp_path):
    assert preprocess_of(config) == PreprocessSpec()
    weights = tmp_path / "weights.ckpt"
    save_checkpoint({"a": np.zeros(1, np.float32)}, weights,
                    {"kind": "backbone", "preprocess": KERAS_LIKE.to_dict()})
    config.pretrained_ckpt = str(weights)
    assert preprocess_of(config) == KERAS_LIKE
    images, _ = read(create_dataset(config, training=False))
    assert -1 <= images.min() < images.max() <= 1
    config.pretrained_ckpt = str(tmp_path / "absent.ckpt")
    assert preprocess_of(config) == PreprocessSpec()
    config.update(image_height=96, image_width=64, resize=0, interpolation="area")
    assert preprocess_of(config) == dataclasses.replace(
        PreprocessSpec(), image_height=96, image_width=64, resize=0, interpolation="area")
    assert read(create_dataset(config, training=False))[0].shape == (7, 3, 96, 64)


def test_any_object_with_attributes_is_a_configuration(root):
    config = SimpleNamespace(dataset_path=root, eval_batch_size=7, batch_size=2)
    assert read(create_dataset(config, training=False))[0].shape == (7, 3, 224, 224)


def test_the_pipeline_works_in_model_eval(config):
    class FirstClass(nn.Cell):
        """Always answers class 0: right for 3 of the 7 photos."""

        def construct(self, x):
            first = x[:, 0, 0, 0] * 0 + 1
            return ops.stack((first, first * 0, first * 0), 1)

    model = Model(FirstClass(), nn.SoftmaxCrossEntropyWithLogits(sparse=True, reduction="mean"),
                  metrics={"accuracy": nn.Accuracy()})
    result = model.eval(create_dataset(config, training=False), dataset_sink_mode=False)
    assert result["accuracy"] == pytest.approx(3 / 7)


def test_mistakes_are_explained(config, root, tmp_path):
    config.dataset_path = str(tmp_path / "nowhere")
    with pytest.raises(LabError, match="no data folder"):
        create_dataset(config)
    for name in CLASSES:
        folder = tmp_path / "only_train" / "train" / name
        folder.mkdir(parents=True)
        Image.fromarray(photo(1, 40, 40)).save(folder / "a.jpg")
    config.dataset_path = str(tmp_path / "only_train")
    with pytest.raises(LabError, match="no photos in val"):
        create_dataset(config, training=False)
    (folder / "damaged.jpg").write_bytes(b"\xff\xd8\xff no photo")
    with pytest.raises(RuntimeError, match=r"damaged\.jpg"):
        read(create_dataset(config))
