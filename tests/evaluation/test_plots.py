"""Pictures hold what they must show: counts, glyphs, photos, the chosen epoch."""
import matplotlib
import numpy as np
import pytest
from cvttf_NotoSansCJK_Regular import get_TTF_path
from matplotlib.ft2font import FT2Font
from PIL import Image

from src_mindspore.data.classes import COURSE_CLASSES, COURSE_GROUPS, ClassNames, name_classes
from src_mindspore.errors import LabError
from src_mindspore.evaluation import gallery, plots
from src_mindspore.evaluation.metrics import evaluate
from src_mindspore.evaluation.predictions import Predictions


def _pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.int16)


def _course(predicted_of, photos=2, root="photos"):
    """Predictions for every course class; `predicted_of` maps a label to another prediction."""
    classes = name_classes([row[0] for row in COURSE_CLASSES])
    labels = np.repeat(np.arange(len(classes)), photos)
    logits = 4 * np.eye(len(classes))[[predicted_of.get(label, label) for label in labels]]
    paths = tuple(f"val/{classes.folders[label]}/{i}.jpg" for i, label in enumerate(labels))
    return Predictions(paths, labels, logits, classes, root)


def _text_image(path, text):
    with plots.saved_figure(path, 2, 0.6) as figure:
        figure.patch.set_facecolor("white")
        # Fixed corners: the tight crop is the same for every text.
        figure.text(0, 0, ".")
        figure.text(1, 1, ".")
        figure.text(0.1, 0.4, text, fontsize=20)
    return _pixels(path)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_confusion_draws_counts_where_they_are(tmp_path, language):
    clean, mixed = evaluate(_course({})), evaluate(_course({3: 20}))
    # The same title, so that the pictures differ in the matrix alone.
    mixed.update(correct=clean["correct"], top1=clean["top1"])
    mixed["per_class"] = clean["per_class"]
    plots.plot_confusion(clean, tmp_path / "clean.png", language)
    plots.plot_confusion(mixed, tmp_path / "mixed.png", language)
    before, after = _pixels(tmp_path / "clean.png"), _pixels(tmp_path / "mixed.png")
    assert before.shape == after.shape
    rows, columns = np.nonzero(np.abs(before - after).sum(axis=2))
    cell = 0.38 * plots.DPI
    # Row 3 alone changes, from column 3 to column 20.
    assert rows.max() - rows.min() == pytest.approx(cell, abs=3)
    assert columns.max() - columns.min() == pytest.approx(18 * cell, abs=3)
    top, right = rows.min(), columns.max()
    wrong = after[top + 2:rows.max() - 1, round(right - cell) + 3:right - 2]
    colour = np.median(wrong.reshape(-1, 3), axis=0)
    assert colour[0] > colour[2] + 50, "mistakes are orange"
    assert (np.abs(wrong - colour).max(axis=2) > 90).sum() > 10, "a count is written on it"
    assert (before[top + 2:rows.max() - 1, round(right - cell) + 3:right - 2] == 255).all(), \
        "a cell of zero is blank"


def test_confusion_of_two_and_of_62_classes(tmp_path):
    for count in (2, 62):
        names = tuple(f"sign $x_{i}$ " + "long " * 8 for i in range(count))
        classes = ClassNames(tuple(map(str, range(count))), names, names)
        labels = np.arange(count)
        result = evaluate(Predictions(("a.jpg",) * count, labels, np.eye(count), classes, "."))
        plots.plot_confusion(result, tmp_path / "c.png")
        height, width, _ = _pixels(tmp_path / "c.png").shape
        assert 200 < height < 2600
        assert 200 < width < 2600


def test_font_has_every_character_of_the_course_and_of_the_words():
    glyphs = FT2Font(get_TTF_path()).get_charmap()
    texts = [row[2] for row in COURSE_CLASSES] + [group[1] for group in COURSE_GROUPS.values()]
    texts += [*plots.WORDS["zh"].values(), *gallery.WORDS["zh"].values()]
    assert {character for text in texts for character in text if ord(character) not in glyphs} \
        == set()


def test_chinese_is_drawn_and_not_boxes(tmp_path, monkeypatch):
    texts = ("塑料瓶", "易拉罐", "帽子")
    bottle, cans, hats = (_text_image(tmp_path / "a.png", text) for text in texts)
    assert np.array_equal(bottle, _text_image(tmp_path / "a.png", "塑料瓶"))
    assert not np.array_equal(bottle, cans), "three characters each, yet different"
    assert not np.array_equal(bottle, hats)
    # Without the font every character is the same box, which is what the above would see.
    monkeypatch.setattr(plots, "use_cjk_font", lambda: None)
    with pytest.warns(UserWarning, match="missing from font"):
        boxes = [_text_image(tmp_path / "b.png", text) for text in texts]
    assert np.array_equal(boxes[0], boxes[1])
    for image, box in zip((bottle, cans, hats), boxes, strict=True):
        assert not np.array_equal(image, box)


def test_no_glyph_is_missing_in_any_picture(tmp_path, recwarn):
    predictions = _course({3: 20, 4: 5})
    counts = {"train": [80] * 26, "val": [5] * 26}
    plots.plot_confusion(evaluate(predictions), tmp_path / "a.png", "zh")
    plots.plot_history(_history(3), tmp_path / "b.png", 2, "zh")
    plots.plot_class_balance(counts, predictions.classes, tmp_path / "c.png", "zh")
    gallery.plot_mistakes(predictions, tmp_path / "d.png", "zh")
    assert [str(w.message) for w in recwarn if "lyph" in str(w.message)] == []


def test_callers_settings_survive(tmp_path):
    matplotlib.rcParams["font.size"] = 17
    try:
        before = dict(matplotlib.rcParams)
        plots.plot_history(_history(2), tmp_path / "h.png", 1)
        assert dict(matplotlib.rcParams) == before
    finally:
        matplotlib.rcParams["font.size"] = matplotlib.rcParamsDefault["font.size"]


def _history(epochs, **changes):
    return [{"epoch": e, "learning_rate": 0.01 / e, "train_loss": 2 / e, "train_top1": 1 - 0.5 / e,
             "train_top5": 1 - 0.2 / e, "val_loss": 2.2 / e, "val_top1": 0.9 - 0.5 / e,
             "val_top5": 0.95 - 0.2 / e, "seconds": 0.1, **changes} for e in range(1, epochs + 1)]


def test_history_marks_the_chosen_epoch(tmp_path):
    images = []
    for chosen in (None, 4, 8):
        plots.plot_history(_history(10), tmp_path / "h.png", chosen)
        images.append(_pixels(tmp_path / "h.png"))
    places = []
    for image in images[1:]:
        changed = (np.abs(image - images[0]).sum(axis=2) > 60).sum(axis=0)
        places.append(changed.argmax())
        assert changed.max() > 0.4 * image.shape[0], "a dashed line through all panels"
    assert places[0] < places[1]


def test_history_shows_the_loss_of_every_few_steps(tmp_path):
    # Higher than any epoch's loss: a line that only the finer curve can have drawn.
    steps = [{"step": 5 * i, "epoch": i / 4, "loss": 9.0} for i in range(1, 40)]
    figures = []
    for fine in ((), steps):
        plots.plot_history(_history(10), tmp_path / "h.png", step_losses=fine)
        figures.append(_pixels(tmp_path / "h.png"))
    blue = [((i[..., 2] > i[..., 0] + 40).sum(axis=1) > 0.5 * i.shape[1]).any() for i in figures]
    assert blue == [False, True]


@pytest.mark.parametrize("changes", [{}, {"train_loss": None, "train_top5": None},
                                     {"val_loss": float("nan")}])
def test_history_of_one_epoch_and_with_gaps(tmp_path, changes):
    plots.plot_history(_history(1, **changes), tmp_path / "h.png", 1)
    assert _pixels(tmp_path / "h.png").min() < 50


def test_history_needs_an_epoch(tmp_path):
    with pytest.raises(ValueError, match="at least one epoch"):
        plots.plot_history([], tmp_path / "h.png")


def test_gallery_shows_the_photo_and_a_grey_box(tmp_path):
    predictions = _course({3: 20}, root=tmp_path)
    shown, lost = (tmp_path / path for path in predictions.paths[6:8])
    shown.parent.mkdir(parents=True)
    Image.new("RGB", (40, 80), (200, 20, 220)).save(shown)
    lost.write_bytes(b"not a photo")
    gallery.plot_mistakes(predictions, tmp_path / "m.png")
    pixels = _pixels(tmp_path / "m.png").reshape(-1, 3)
    assert (np.abs(pixels - (200, 20, 220)).sum(axis=1) < 30).sum() > 20000
    assert (pixels == gallery.GREY).all(axis=1).sum() > 40000


def test_gallery_orders_by_certainty():
    classes = name_classes(["00_00", "00_01"])
    logits = [[0, 1], [0, 3], [5, 0], [0, 2], [0, 9]]
    predictions = Predictions(tuple("abcde"), [0, 0, 0, 0, -1], logits, classes, ".")
    words = gallery.WORDS["en"]
    chosen, title = gallery._choose(predictions, words, most=2)
    assert (list(chosen), title) == \
        ([1, 3], "3 mistakes in 4 photos, the most certain first (2 shown)")
    right = Predictions(tuple("abc"), [1, 1, 0], logits[:3], classes, ".")
    chosen, title = gallery._choose(right, words, most=2)
    assert (list(chosen), title) == \
        ([0, 1], "No mistake in 3 photos; the 2 least certain right answers")


def test_gallery_without_truth(tmp_path):
    classes = name_classes(["00_00", "00_01"])
    with pytest.raises(LabError, match="nothing to evaluate"):
        gallery.plot_mistakes(Predictions(("a",), [-1], [[0, 1]], classes, "."), tmp_path / "m.png")


def test_class_balance_grows_with_the_count(tmp_path):
    classes = name_classes(["00_00", "00_01"])
    plots.plot_class_balance({"train": [100, 50]}, classes, tmp_path / "b.png")
    blue = np.abs(_pixels(tmp_path / "b.png") - (0x1f, 0x6f, 0xb4)).sum(axis=2) < 10
    lengths = np.unique(blue.sum(axis=1)[blue.sum(axis=1) > 60])
    assert lengths.max() / lengths.min() == pytest.approx(2, rel=0.02)


def test_a_figure_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "old.png"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), plots.saved_figure(path, 2, 2):
        raise ZeroDivisionError
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"old"]
