"""Counted parameters and multiply-adds of EfficientNet, against published counts and MindCV."""
import pytest

from src_mindspore.backbones import compound_scaling
from src_mindspore.backbones.compound_scaling import MODELS, blocks, count, rule

# Of the public PyTorch implementations, which agree with one another to the last parameter.
EXACT = {"B0": 5_288_548, "B1": 7_794_184, "B2": 9_109_994, "B3": 12_233_232,
         "B4": 19_341_616, "B5": 30_389_784, "B6": 43_040_704, "B7": 66_347_960}


@pytest.mark.parametrize("name", MODELS)
def test_counts_are_the_published_ones(name):
    known = MODELS[name]
    parameters, work, _ = count(known.depth, known.width, known.resolution)
    assert parameters == EXACT[name]
    assert parameters / 1e6 == pytest.approx(known.parameters, rel=0.025)
    assert work / 1e6 == pytest.approx(known.multiply_adds, rel=0.05)


def test_a_step_of_the_rule_doubles_the_work():
    depth, width, resolution = rule(1)
    assert depth * width**2 * (resolution / 224) ** 2 == pytest.approx(2, rel=0.05)
    # The published networks stay near the rule up to B3.
    for name in ("B0", "B1", "B2", "B3"):
        known = MODELS[name]
        for published, wanted in zip((known.depth, known.width, known.resolution),
                                     rule(known.phi), strict=True):
            assert published == pytest.approx(wanted, rel=0.05)
    works = [count(*rule(phi)[:2], round(rule(phi)[2]))[1] for phi in range(4)]
    assert works[3] / works[0] == pytest.approx(8, rel=0.25)


def test_mindcv_builds_what_is_counted(mindspore):
    import mindcv
    network = mindcv.create_model("efficientnet_b0", num_classes=10)
    assert sum(p.size for p in network.trainable_params()) == count(1, 1, 224, classes=10)[0]
    sides = {p.shape for p in network.trainable_params() if len(p.shape) == 4}
    for expansion, kernel, _, before, _ in blocks(1, 1):
        assert (before * expansion, 1, kernel, kernel) in sides


def test_the_table_and_its_picture(tmp_path, capsys, ask_script):
    compound_scaling.main(["--plot", str(tmp_path / "scaling.png"), "--language", "zh"])
    output = capsys.readouterr().out
    assert "B7    6  3.1 (2.99)    2.0 (1.77)    600 (518)" in output
    assert (tmp_path / "scaling.png").read_bytes()[:4] == b"\x89PNG"
    code, _, err = ask_script(compound_scaling.main, ["--plot", "scaling.jpg"])
    assert code == 2
    assert "ends in .png" in err
