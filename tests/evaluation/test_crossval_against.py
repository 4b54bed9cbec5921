"""Two cross-validations beside one another."""
import json

import numpy as np
import pytest

from src_mindspore.evaluation import crossval
from src_mindspore.evaluation.compare import compare, sentence


def test_photos_and_seeds_are_counted_in_pairs():
    # Three seeds, ten photos: the second recipe repairs photo 0, breaks photo 9 in one seed.
    earlier = [[0, 1], [0, 1], [0, 1]]
    wrong = [[1], [1, 9], [1]]
    comparison = compare(earlier, wrong, np.arange(10))
    assert comparison.difference.mean == pytest.approx((3 - 1) / 30)
    assert comparison.difference.low < 0 < comparison.difference.high
    assert (comparison.both, comparison.earlier_alone, comparison.alone) == (1, 1, 0)
    said = sentence(comparison, "cv.json")
    assert "against cv.json: +6.67 points" in said
    assert "no evidence" in said
    assert "1 by both, 1 by that one alone, 0 by this one alone" in said


def test_a_clear_gain_is_called_one():
    earlier = [list(range(30))] * 2
    comparison = compare(earlier, [[0], [0]], np.arange(100))
    assert comparison.difference.verdict == "helps"
    assert compare([[0], [0]], earlier, np.arange(100)).difference.verdict == "hurts"


@pytest.fixture(scope="module")
def argv(finished_run, make_argv, tmp_path_factory):
    """The command line of a small cross-validation on the cached features of the drawn set."""
    return [*make_argv(features_path=finished_run.features,
                       results_path=tmp_path_factory.mktemp("results"),
                       engine=finished_run.caches["train"].what["engine"]), "--folds", "2"]


def test_a_recipe_is_compared_with_a_file(argv, ask_script, tmp_path, capsys):
    file = str(tmp_path / "cv.json")
    crossval.main([*argv, "--cv_seeds", "1,2", "--json", file])
    kept = json.loads((tmp_path / "cv.json").read_text())
    assert [kept["n"] - len(numbers) for numbers in kept["wrong"]] == kept["correct"]
    assert len(kept["photos"]) == kept["n"] == 30
    capsys.readouterr()
    crossval.main([*argv, "--cv_seeds", "1,2", "--against", file])
    same = capsys.readouterr().out
    assert "+0.00 points of top-1, 95 % interval +0.00 to +0.00" in same  # seeded: the same again
    assert "0 by that one alone, 0 by this one alone" in same
    crossval.main([*argv, "--cv_seeds", "1,2", "--lr_max", "0.000001", "--against", file])
    worse = capsys.readouterr().out
    assert f"against {file}: -" in worse
    assert "hurts" in worse

    for change, message in ((["--cv_seeds", "1,3"], "has seeds [1, 2], this run [1, 3]"),
                            (["--cv_seeds", "1,2", "--folds", "3"], "has folds 2, this run 3")):
        code, _, err = ask_script(crossval.main, [*argv, *change, "--against", file])
        assert code == 2
        assert message in err
    for content, message in (({**kept, "photos": kept["photos"][1:]}, "are not the same"),
                             ({}, "does not say which photos were named wrongly"),
                             ({"n": 30}, "does not say which photos were named wrongly")):
        (tmp_path / "other.json").write_text(json.dumps(content))
        code, _, err = ask_script(crossval.main, [*argv, "--cv_seeds", "1,2", "--against",
                                                  tmp_path / "other.json"])
        assert code == 2
        assert message in err
