"""Who is asked for which features, and how exactly."""
import dataclasses

import pytest

from src_mindspore.data.prepare import prepare_photos
from src_mindspore.features import of_config


@pytest.fixture
def asked(monkeypatch):
    """List of (engine, precision) in the order in which features were asked for; MindSpore answers
    them all, so that no processor needs bfloat16."""
    asked = []

    def note(name, reference, folder, precision="float32"):
        asked.append((name, precision))
        return reference
    monkeypatch.setattr(of_config, "choose_engine", note)
    return asked


@pytest.fixture
def setting(make_config, weights_path, tmp_path):
    """(photos, backbone, config): four photos of the drawn set, bf16 asked for."""
    config = make_config(image_height=32, image_width=32, extract_batch_size=4, repeat=1,
                         engine="openvino", precision="bf16", features_path=str(tmp_path))
    photos = prepare_photos(config)
    photos = dataclasses.replace(photos, splits={name: records[:4] for name, records in
                                                 photos.splits.items()})
    return photos, of_config.prepare_backbone(config), config


def test_photos_beside_the_folder_are_read_as_precisely_as_train(asked, setting):
    photos, backbone, config = setting
    of_config.extract_more(photos.splits["train"], photos, backbone, config)
    # As train is read, then clean.
    assert asked == [("openvino", "bf16"), ("mindspore", "float32")]


def test_what_is_asked_about_is_always_read_by_mindspore_in_float32(asked, setting):
    photos, backbone, config = setting
    of_config.extract_splits(photos, backbone, config)
    of_config.extract_clean(photos, backbone, config, "train")
    # Train, val, then train clean: the photos that cross-validation asks about.
    assert asked == [("openvino", "bf16"), ("mindspore", "float32"), ("mindspore", "float32")]
