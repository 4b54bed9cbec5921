"""A small set drawn in the layout of FGVC-Aircraft: read, cropped, trained on; and faults in it."""
import json
import shutil

import cv2
import numpy as np
import pytest

import evaluate
from src_mindspore.data.augment import AugmentSpec, augment, rng_for
from src_mindspore.data.drawn import draw_image
from src_mindspore.data.fgvc import banner_rows, level_of
from src_mindspore.data.folder import read_folder
from src_mindspore.data.prepare import prepare_photos
from src_mindspore.data.preprocess import PreprocessSpec, preprocess, resize_and_crop
from src_mindspore.errors import LabError

VARIANTS = {"707-320": ("Boeing 707", "Boeing"), "F-16A/B": ("F-16", "Lockheed"),
            "737-300": ("Boeing 737", "Boeing")}
SPLITS = {"train": 6, "val": 3, "test": 2}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Root of three drawn variants, their names and splits as published, with a white banner."""
    root = tmp_path_factory.mktemp("fgvc") / "data"
    (root / "images").mkdir(parents=True)
    lines = {(level, split): [] for level in ("variant", "family", "manufacturer")
             for split in (*SPLITS, "trainval")}
    number = 34309
    for place, (variant, (family, manufacturer)) in enumerate(VARIANTS.items()):
        for split, count in SPLITS.items():
            for _ in range(count):
                image = np.full((140, 160, 3), 255, np.uint8)
                image[:120] = cv2.resize(draw_image(place, 4, number), (160, 120))
                cv2.imwrite(str(root / f"images/{number:07d}.jpg"), image[..., ::-1])
                for level, name in (("variant", variant), ("family", family),
                                    ("manufacturer", manufacturer)):
                    for name_of_list in {split, "trainval" if split != "test" else split}:
                        lines[level, name_of_list].append(f"{number:07d} {name}")
                number += 7
    for (level, split), text in lines.items():
        (root / f"images_{level}_{split}.txt").write_text("\n".join(text) + "\n")
    for place, name in enumerate(("variants", "families", "manufacturers")):
        names = dict.fromkeys([v, *rest][place] for v, rest in VARIANTS.items())
        (root / f"{name}.txt").write_text("\n".join(names) + "\n")
    return root


@pytest.fixture
def copied(drawn, tmp_path):
    return shutil.copytree(drawn, tmp_path / "data")


def test_lists_become_splits_and_classes(drawn):
    folder = read_folder(drawn)
    assert folder.classes.folders == ("707-320", "737-300", "F-16A-B")
    assert folder.classes.english == ("707-320", "737-300", "F-16A/B")
    assert {split: len(files) for split, files in folder.splits.items()} \
        == {split: 3 * count for split, count in SPLITS.items()}
    line = (drawn / "images_variant_val.txt").read_text().splitlines()[0]
    found = {f.path: f.label for f in folder.splits["val"]}
    assert folder.classes.english[found[f"images/{line[:7]}.jpg"]] == line[8:]
    families, makers = (read_folder(drawn, fgvc_level=level)
                        for level in ("family", "manufacturer"))
    assert families.classes.folders == ("Boeing 707", "Boeing 737", "F-16")
    assert makers.classes.folders == ("Boeing", "Lockheed")
    assert sum(f.label == 0 for f in makers.splits["train"]) == 12
    assert level_of(drawn, makers.classes.folders) == "manufacturer"
    assert level_of(drawn, folder.classes.folders) == "variant"


def test_trainval_alone_is_train_and_is_split_like_any_folder(copied, make_config, tmp_path):
    for split in ("train", "val"):
        (copied / f"images_variant_{split}.txt").unlink()
    folder = read_folder(copied)
    assert {s: len(f) for s, f in folder.splits.items()} == {"train": 27, "test": 6}
    photos = prepare_photos(make_config(dataset_path=str(copied), results_path=str(tmp_path)),
                            progress=False)
    assert set(photos.splits) == {"train", "val", "test"}


def test_extra_images_are_left_alone_and_empty_lines_mean_nothing(copied):
    shutil.copyfile(next((copied / "images").iterdir()), copied / "images/9999999.jpg")
    path = copied / "images_variant_train.txt"
    path.write_text("\n" + path.read_text().replace("\n", "\r\n\r\n"))
    folder = read_folder(copied)
    assert folder.others == ("images/9999999.jpg",)
    assert len(folder.splits["train"]) == 18


def edit(name, change):
    def spoil(root):
        path = root / name
        path.write_text(change(path.read_text()))
    return spoil


def remove(pattern):
    def spoil(root):
        for path in sorted(root.glob(pattern))[:3]:
            path.unlink()
    return spoil


TRAIN = "images_variant_train.txt"


@pytest.mark.parametrize(("spoil", "expected"), [
    (edit(TRAIN, lambda t: t + "7777777 707-320\n"), "images_variant_train.txt names 1 images that "
     "are not in"),
    (remove("images/*.jpg"), "names 3 images that are not in"),
    (edit(TRAIN, lambda t: t + "0034309 A380\n"), "line 19: the class 'A380' is not among the 3"),
    (edit(TRAIN, lambda t: "0034309\n" + t), "line 1: '0034309' has no class"),
    (edit(TRAIN, lambda t: t + t.splitlines()[2]), "line 19: the image 0034323 stands in "
     "images_variant_train.txt, line 3, already"),
    (edit("images_variant_val.txt", lambda t: t + "0034309 707-320"), "the image 0034309 stands in "
     "images_variant_train.txt"),
    (edit("images_variant_trainval.txt", lambda t: t.split("\n", 1)[1]), "disagree: 1 images, such "
     "as 0034309 (not in trainval)"),
    (edit(TRAIN, lambda t: ""), "is empty"),
    (remove("variants.txt"), "has no variants.txt"),
    (edit("variants.txt", lambda t: t + t), "lists 6 classes, 3 of them twice"),
])
def test_faults_of_the_lists_are_named(copied, spoil, expected):
    spoil(copied)
    with pytest.raises(LabError) as raised:
        read_folder(copied)
    assert expected in str(raised.value)


def test_the_banner_is_cut_before_everything_else():
    """With crop_bottom a photo is treated as the same photo without its banner, in every view."""
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (100, 90, 3), np.uint8)
    with_banner = np.concatenate((photo, np.full((20, 90, 3), 255, np.uint8)))
    for resize in (0, 64):
        plain = PreprocessSpec(48, 48, resize)
        spec = PreprocessSpec(48, 48, resize, crop_bottom=20)
        assert np.array_equal(preprocess(with_banner, spec), preprocess(photo, plain))
        for number in range(4):
            views = [augment(image, s, AugmentSpec(), rng_for(1, "a", number))
                     for image, s in ((with_banner, spec), (photo, plain))]
            assert np.array_equal(*views)
    assert resize_and_crop(photo[:5], spec).shape == (48, 48, 3)


def test_the_crop_travels_with_the_contract_and_old_contracts_stay_what_they_were():
    spec = PreprocessSpec(crop_bottom=20)
    assert PreprocessSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    assert "cut_bottom(20)" in spec.describe()
    assert "crop_bottom" not in PreprocessSpec().to_dict()
    assert "cut_bottom" not in PreprocessSpec().describe()


def test_rows_to_cut(drawn, drawn_data):
    assert banner_rows(-1, drawn) == 20
    assert banner_rows(-1, drawn_data) == banner_rows(-1, None) == 0
    assert banner_rows(0, drawn) == 0
    assert banner_rows(7, drawn_data) == 7


def test_photos_lower_than_the_banner_are_refused(copied, make_config, tmp_path):
    cv2.imwrite(str(copied / "images/0034309.jpg"), np.zeros((20, 60, 3), np.uint8))
    with pytest.raises(LabError, match=r"at most 20 pixels high, such as images/0034309.jpg"):
        prepare_photos(make_config(dataset_path=str(copied), results_path=str(tmp_path)),
                       progress=False)


def test_training_and_evaluation_take_such_a_folder(street, make_argv, drawn, tmp_path,
                                                    weights_path, capsys):
    run = street(make_argv(dataset_path=drawn, fgvc_level="manufacturer", epochs=2),
                 tmp_path / "results", tmp_path / "features")
    sidecar = json.loads((run.folder / "best.json").read_text())
    assert sidecar["preprocess"]["crop_bottom"] == 20
    assert run.caches["train"].what["preprocess"]["crop_bottom"] == 20
    assert sidecar["classes"]["folders"] == ["Boeing", "Lockheed"]
    evaluate.main(["--mindir", str(run.folder / "best.mindir"), "--data", str(drawn), "--split",
                   "test", "--json", str(tmp_path / "m.json"), "--out", str(tmp_path / "out")])
    result = json.loads((tmp_path / "m.json").read_text())
    assert result["n"] == 6
    assert result["split"] == "test"
