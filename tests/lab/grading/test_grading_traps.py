"""Planted mistakes are found, through the real pipeline; and nothing is found where nothing is."""
import dataclasses

import numpy as np
import pytest
from hand_ins import CHINESE, ENGLISH, FOLDERS, NAMES, SMALL, honest, shuffled_folders

from lab.grading.photos import HiddenPhotos
from lab.grading.record import record_of
from lab.grading.report import feedback, rows_of
from lab.grading.score import score_of
from lab.grading.traps import find_traps


@pytest.fixture
def asked(photos, best_protection, write_hand_in):
    """Function (code, photos) -> record."""
    def ask(code, on=photos):
        return record_of(write_hand_in(code), on, best_protection, SMALL)
    return ask


def in_order(folders):
    return [ENGLISH[folder] for folder in folders]


def likely(record, photos):
    """(view, naming) of the change that is named, and the photos right after it."""
    _, change = find_traps(record, photos)
    return change and (change.view, change.naming, change.correct)


def test_honest_hand_in_falls_into_no_trap(asked, photos):
    record = asked(honest())
    changes, change = find_traps(record, photos)
    assert change is None
    assert {c.view for c in changes} == {"given", "swapped", "cropped"}
    assert not any(c.likely for c in changes)


def test_planted_bgr(asked, photos):
    record = asked(honest(change="[::-1]"))
    assert likely(record, photos) == ("swapped", "given", 130)
    changes, likeliest = find_traps(record, photos)
    assert likeliest in changes
    assert likeliest.repaired - likeliest.broken == 130 - score_of(record, photos).correct > 90


def test_channels_of_the_edition_decide_what_bgr_is(asked, hidden):
    """Handed BGR, the hand-in that turns its image is the honest one."""
    bgr = HiddenPhotos(hidden, "val", "BGR", progress=False)
    turned = asked(honest(change="[::-1]"), bgr)
    assert all(answer["name"] in NAMES for answer in turned["answers"])
    assert likely(turned, bgr) is None


def test_planted_order_of_label_txt(asked, photos):
    """Names read by position in a list made from label.txt, whose order is not the folders'."""
    record = asked(honest(in_order(shuffled_folders())))
    assert likely(record, photos) == ("given", "label_file", 130)


def test_planted_order_of_label_txt_in_training(asked, photos):
    """The other way round: labels were counted in the file's order, names in the folders'."""
    inverse = [FOLDERS[shuffled_folders().index(folder)] for folder in FOLDERS]
    assert likely(asked(honest(in_order(inverse))), photos) \
        == ("given", "label_file_inverse", 130)


def test_planted_lines_of_label_txt_with_headings(asked, hidden, photos, tmp_path):
    """The published label.txt has a heading before each group: positions are off by up to four."""
    lines, group = [], None
    for folder in FOLDERS:
        if folder[:2] != group:
            group = folder[:2]
            lines.append((group, ["可回收物", "干垃圾", "有害垃圾", "湿垃圾"][int(group)]))
        lines.append((folder, CHINESE[folder]))
    import shutil
    shutil.copytree(hidden, tmp_path / "hidden")
    (tmp_path / "hidden" / "label.txt").write_bytes(
        "\n".join(f"{name}: {folder}" for folder, name in lines).encode("gbk"))
    here = HiddenPhotos(tmp_path / "hidden", "val", "RGB", progress=False)
    record = asked(honest([name for _, name in lines[:26]]), here)
    assert likely(record, here) == ("given", "label_lines", 130)


def test_planted_alphabet(asked, photos):
    assert likely(asked(honest(sorted(NAMES))), photos) == ("given", "alphabet", 130)


def test_planted_order_that_nobody_thought_of(asked, photos):
    order = list(np.random.default_rng(9).permutation(FOLDERS))
    record = asked(honest(in_order(order)))
    change = find_traps(record, photos)[1]
    assert (change.naming, change.correct) == ("reordered", 130)
    assert set(change.pairs) == {(said, meant, 5) for said, meant
                                 in zip(order, FOLDERS, strict=True) if said != meant}


@pytest.mark.parametrize("names", [
    [name.lower() for name in NAMES], [name.replace(" ", "_") for name in NAMES],
    list(CHINESE.values()), FOLDERS, range(26)])
def test_planted_spelling(asked, photos, names):
    assert likely(asked(honest(names)), photos) == ("given", "spelling", 130)


def test_index_instead_of_a_name(asked, photos):
    record = asked(honest() + "good = predict\n"
                   "def predict(image): return np.int64(NAMES.index(good(image)))")
    assert likely(record, photos) == ("given", "spelling", 130)


def test_two_mistakes_at_once(asked, photos):
    record = asked(honest(in_order(shuffled_folders()), change="[::-1]"))
    assert likely(record, photos) == ("swapped", "label_file", 130)


def test_planted_crop(asked, photos):
    """It reads the corner where only a photo of 224x224 shows what it expects."""
    record = asked(honest() + "good = predict\ndef predict(image):\n"
                   "    return good(image) if image.shape == (224, 224, 3) else 'Broom'")
    assert likely(record, photos) == ("cropped", "given", 130)


def test_chance_is_no_trap(asked, photos):
    """Answers by chance: some change always gives a few photos more."""
    record = asked("import random\nrandom.seed(1)\n"
                   f"def predict(image): return random.choice({NAMES!r})")
    changes, change = find_traps(record, photos)
    assert max(c.correct for c in changes) > 0
    assert change is None


def test_imperfect_model_is_no_trap(asked, photos):
    """Systematic confusions of an ordinary model must not look like exchanged names."""
    wrong = dict(zip(FOLDERS[:8:2], FOLDERS[1:8:2], strict=True))
    record = asked(honest(in_order([wrong.get(folder, folder) for folder in FOLDERS])))
    assert find_traps(record, photos)[1] is None


def test_no_answers_no_changes(asked, photos):
    assert find_traps(asked("raise SystemExit"), photos) == ([], None)


def test_crash_in_a_replay_costs_nothing(asked, photos):
    record = asked(honest() + "import os\ncount, good = 0, predict\ndef predict(image):\n"
                   "    global count\n    count += 1\n    if count > 200: os._exit(1)\n"
                   "    return good(image)")
    assert record["ended"] is None
    assert record["replays_ended"]["code"] == "exited"
    row, = rows_of([record], photos, "en")
    assert (row.score.correct, row.reason) == (130, "")
    assert "Not everything could be replayed" in feedback(row, photos, "en")


def test_replays_are_bounded_in_time(photos, best_protection, write_hand_in):
    limits = dataclasses.replace(SMALL, replay_seconds=0.5)
    code = honest() + "import time\ncount, good = 0, predict\ndef predict(image):\n" \
        "    global count\n    count += 1\n    time.sleep(0.05 * (count > 130))\n" \
        "    return good(image)"
    record = record_of(write_hand_in(code), photos, best_protection, limits)
    assert record["replays_ended"]["code"] == "replay_time"
    assert record["ended"] is None


@pytest.mark.parametrize(("language", "told"), [
    ("en", ["With red and blue exchanged, 130 instead of", "`image = image[:, :, ::-1]`"]),
    ("zh", ["如果红蓝通道互换，130 张中能答对 130 张", "`image = image[:, :, ::-1]`"])])
def test_feedback_says_what_would_have_helped(asked, photos, language, told):
    row, = rows_of([asked(honest(change="[::-1]"))], photos, language)
    text = feedback(row, photos, language)
    assert all(part in text for part in told)
    for folder in FOLDERS:
        assert f"| {folder} " in text
