"""What the tests of backbones that wrap another share."""
import json

import pytest

import evaluate
import train_head
from src_mindspore.features.engines import MindSporeEngine
from src_mindspore.features.of_config import prepare_backbone


@pytest.fixture(scope="session")
def backbone_at(make_config, weights_path):
    """Function from a name and a side in pixels to its Backbone."""
    return lambda name, side: prepare_backbone(make_config(backbone=name, image_height=side,
                                                           image_width=side))


@pytest.fixture(scope="session")
def check_it_is_told_apart(backbone_at):
    """Function that sees that a backbone has the weights of the plain one, but neither its caches
    nor its exports."""
    def check(name, side):
        plain, other = backbone_at("mobilenet_v2", side), backbone_at(name, side)
        assert other.sha256 == plain.sha256
        assert other.contract() != plain.contract()
        assert MindSporeEngine(other, "mean+max", 4).identity \
            != MindSporeEngine(plain, "mean+max", 4).identity
    return check


@pytest.fixture
def check_a_run(make_argv, weights_path, drawn_data, tmp_path, capsys):
    """Function that sees a run with some flags exported, and evaluated as it was reported; it
    returns the run's folder."""
    def check(**flags):
        train_head.main([*make_argv(repeat=1, epochs=2, **flags),
                         "--results_path", str(tmp_path / "results"),
                         "--features_path", str(tmp_path / "features")])
        assert "best.onnx: same predictions on all 15" in capsys.readouterr().out
        folder = (tmp_path / "results" / "latest").resolve()
        metrics = tmp_path / "metrics.json"
        evaluate.main(["--ckpt", str(folder / "best.ckpt"), "--data", str(drawn_data),
                       "--json", str(metrics), "--out", str(tmp_path / "out")])
        reported = json.loads((folder / "metrics_val.json").read_text(encoding="utf-8"))
        assert json.loads(metrics.read_text(encoding="utf-8"))["correct"] == reported["correct"]
        return folder
    return check
