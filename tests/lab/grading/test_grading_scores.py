"""Scores, ranks with honest ties, latency; and which hand-ins are alike."""
import json

import numpy as np
import pytest

from lab.grading import likeness
from lab.grading.likeness import find_tensors, fingerprint, weight_distance
from lab.grading.score import ranks_of, score_of
from src_mindspore.evaluation.metrics import wilson_interval


def record_with(answers, **more):
    return {"submission": "s", "sha256": "", "answers": answers, "ended": None,
            "asked": len(answers), "latency_ms": [], "replays": {},
            "fingerprint": {"files": {}, "tensors": []}, **more}


@pytest.fixture
def rightly(photos):
    """Function from a number to answers of which so many are right, the others 'Hats' or None."""
    def make(correct):
        answers = [{"name": photos.classes.english[label]} for label in photos.labels]
        for i in range(correct, len(answers)):
            answers[i] = {"name": "no class"} if i % 2 else None
        return answers
    return make


def test_score_counts_exact_names_alone(photos, rightly):
    score = score_of(record_with(rightly(77)), photos)
    assert (score.correct, score.n) == (77, 130)
    assert score.interval == wilson_interval(77, 130)
    assert sum(row["correct"] for row in score.per_class) == 77
    assert [row["n"] for row in score.per_class] == [5] * 26
    assert score.problems == [{"code": "unknown", "photos": 27,
                               "detail": {"example": "no class"}}]


def test_latency_and_confusion(photos):
    answers = [{"name": "Hats"} for _ in photos.labels]
    score = score_of(record_with(answers, latency_ms=list(range(1, 101))), photos)
    assert score.latency == (50.5, pytest.approx(99.01))
    assert score.correct == 5
    assert dict(score.confused)[("00_00", "00_01")] == 5
    assert sum(count for _, count in score.confused) == 125


def test_ranks_share_places_and_show_what_intervals_allow(photos, rightly):
    scores = [score_of(record_with(rightly(n)), photos) for n in (126, 124, 40, 124, 0)]
    ranks = ranks_of(scores)
    assert [rank.place for rank in ranks] == [1, 2, 4, 2, 5]
    # 124 and 126 of 130 cannot be told apart; 40 can, from all others.
    assert [(rank.best, rank.worst) for rank in ranks] == [(1, 3), (1, 3), (4, 4), (1, 3), (5, 5)]


def test_order_of_asking_is_shuffled_and_fixed(photos, hidden):
    from lab.grading.photos import HiddenPhotos
    again = HiddenPhotos(hidden, "val", "RGB", progress=False)
    np.testing.assert_array_equal(photos.order, again.order)
    assert sorted(photos.order) == list(range(130))
    neighbours = photos.labels[photos.order]
    assert (neighbours[1:] == neighbours[:-1]).mean() < 0.2
    assert again.key == photos.key != HiddenPhotos(hidden, "val", "BGR", progress=False).key


def test_views_of_a_photo(photos, hidden):
    from lab.grading.photos import HiddenPhotos
    bgr = HiddenPhotos(hidden, "val", "BGR", progress=False)
    given = photos.pixels(7)
    np.testing.assert_array_equal(bgr.pixels(7), given[:, :, ::-1])
    np.testing.assert_array_equal(photos.pixels(7, "swapped"), given[:, :, ::-1])
    np.testing.assert_array_equal(bgr.pixels(7, "swapped"), given)
    cropped = photos.pixels(7, "cropped")
    assert cropped.shape == (224, 224, 3)
    assert cropped.dtype == given.dtype == np.uint8
    assert cropped.mean(axis=(0, 1)) == pytest.approx(given.mean(axis=(0, 1)), abs=12)


@pytest.fixture(scope="session")
def checkpoints(mindspore, tmp_path_factory):
    """Folders with a checkpoint each: one, its copy, the same with noise, another."""
    import mindspore as ms
    root = tmp_path_factory.mktemp("checkpoints")
    rng = np.random.default_rng(0)
    shapes = {"backbone": (64, 64), "head": (26, 64)}
    one = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    other = {"backbone": one["backbone"],
             "head": rng.standard_normal(shapes["head"]).astype(np.float32)}
    noisy = {name: (value * (1 + 0.01 * rng.standard_normal(value.shape))).astype(np.float32)
             for name, value in one.items()}
    for folder, weights in {"one": one, "copy": one, "noisy": noisy, "other": other}.items():
        (root / folder).mkdir()
        ms.save_checkpoint([{"name": name, "data": ms.Tensor(value)}
                            for name, value in weights.items()], str(root / folder / "m.ckpt"))
    return root, one


def test_tensors_are_found_without_the_framework(checkpoints):
    root, weights = checkpoints
    found = {bytes(t) for t in find_tensors((root / "one" / "m.ckpt").read_bytes())}
    assert found == {value.tobytes() for value in weights.values()}


@pytest.mark.parametrize("data", [b"", b"\x00" * 5000, bytes(range(256)) * 40, b"\xff" * 5000,
                                  b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" * 300])
def test_hostile_weights_are_only_bytes(data):
    assert all(len(t) <= len(data) for t in find_tensors(data))


def test_near_weights_and_other_weights(checkpoints):
    root, _ = checkpoints
    prints = {name: json.loads(json.dumps(fingerprint(root / name)))
              for name in ("one", "copy", "noisy", "other")}
    assert weight_distance(prints["one"], prints["copy"]) == 0
    assert 0 < weight_distance(prints["one"], prints["noisy"]) < likeness.NEAR
    # The same backbone does not make two heads alike.
    assert weight_distance(prints["one"], prints["other"]) > 0.5
    assert weight_distance(prints["one"], {"files": {}, "tensors": []}) is None


def test_likeness_is_listed_by_pair(checkpoints, photos, rightly):
    root, _ = checkpoints
    records = [record_with(rightly(130), submission=name, sha256=name,
                           fingerprint=fingerprint(root / name))
               for name in ("one", "copy", "noisy", "other")]
    scores = [score_of(record, photos) for record in records]
    found = {tuple(p["names"]): p["what"] for p in likeness.compare(records, scores)}
    assert found == {("one", "copy"): "files", ("one", "noisy"): "weights",
                     ("copy", "noisy"): "weights"}
    given_out = {f["sha256"] for f in records[0]["fingerprint"]["files"].values()}
    assert "files" not in {p["what"] for p in likeness.compare(records, scores, given_out)}


def test_equal_hand_ins_are_one_group(photos, rightly):
    records = [record_with(rightly(100), submission=name, sha256=name[0])
               for name in ("a1", "b", "a2", "a3")]
    scores = [score_of(record, photos) for record in records]
    found = likeness.compare(records, scores)
    assert found[0] == {"names": ["a1", "a2", "a3"], "what": "all", "detail": {}}
    assert found[1:] == [{"names": ["a1", "b"], "what": "mistakes",
                          "detail": {"same": 15, "either": 15}}]


def test_shared_mistakes(photos, rightly):
    def with_mistakes(wrong):
        answers = rightly(130)
        for i, name in wrong.items():
            answers[i] = {"name": name}
        return score_of(record_with(answers), photos)
    mine = with_mistakes({i: "Broom" for i in range(0, 12)})
    copied = with_mistakes({i: "Broom" for i in range(0, 13)})
    own = with_mistakes({i: "Lighter" for i in range(0, 12)})
    few = with_mistakes({i: "Broom" for i in range(0, 4)})
    assert likeness.shared_mistakes(mine, copied) == {"same": 12, "either": 13}
    assert likeness.shared_mistakes(mine, own) is None
    assert likeness.shared_mistakes(few, few) is None
