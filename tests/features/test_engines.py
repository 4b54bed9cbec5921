"""Every engine against MindSpore on photos, and what happens where one cannot be used."""
import builtins
import json
import os
import re
import shutil

import numpy as np
import pytest

from src_mindspore.data.decode import load_rgb
from src_mindspore.data.preprocess import preprocess
from src_mindspore.errors import LabError
from src_mindspore.runtime import ISA_VARIABLE

SIZE = 64
BATCH = 5  # no multiple of the cores


@pytest.fixture(scope="module")
def make_reference(make_config, weights_path):
    """Function (pooling, batch_size) -> MindSporeEngine on small photos."""
    from src_mindspore.features.engines import MindSporeEngine
    from src_mindspore.features.of_config import prepare_backbone
    backbone = prepare_backbone(make_config(image_height=SIZE, image_width=SIZE))
    return lambda pooling="mean+max", batch_size=BATCH: MindSporeEngine(backbone, pooling,
                                                                        batch_size)


@pytest.fixture(scope="module")
def reference(make_reference):
    return make_reference()


@pytest.fixture(scope="module")
def photos(drawn_data, reference):
    """(BATCH, 3, SIZE, SIZE) float32, drawn photos as the backbone sees them."""
    return np.stack([preprocess(load_rgb(path), reference.backbone.preprocess)
                     for path in sorted(drawn_data.rglob("*.jpg"))[:BATCH]])


@pytest.fixture(scope="module")
def exported(reference, tmp_path_factory):
    """Folder with the network exported; not to be changed."""
    from src_mindspore.features.engines import choose_engine
    folder = tmp_path_factory.mktemp("engines")
    choose_engine("onnxruntime", reference, folder)
    return folder


@pytest.fixture
def folder(exported, tmp_path):
    """Folder of a test's own with the exported network and no record."""
    for path in exported.glob("*.onnx"):
        shutil.copyfile(path, tmp_path / path.name)
    return tmp_path


@pytest.fixture
def without(monkeypatch):
    """Function from a package to a world in which it is not installed."""
    def remove(*packages):
        from src_mindspore.features.engines.choose import ACCELERATED
        for package in packages:
            monkeypatch.setattr(ACCELERATED[package], "version", classmethod(lambda cls: None))
        real = builtins.__import__

        def refuse(name, *args, **kwargs):
            if name.split(".")[0] in packages:
                raise ImportError(name)
            return real(name, *args, **kwargs)
        monkeypatch.setattr(builtins, "__import__", refuse)
    return remove


@pytest.fixture
def instant(monkeypatch, reference):
    """An OpenVINO that answers as MindSpore does without compiling anything."""
    from src_mindspore.features.engines import OpenVINOEngine
    monkeypatch.setattr(OpenVINOEngine, "load", lambda self, path: None)
    monkeypatch.setattr(OpenVINOEngine, "infer", lambda self, images: reference.infer(images))


@pytest.fixture
def disagreeing(monkeypatch, instant, reference):
    """An OpenVINO that is wrong in one feature by 1 % of the largest."""
    from src_mindspore.features.engines import OpenVINOEngine

    def wrong(self, images):
        features = reference.infer(images)
        features[0, 7] += 0.01 * np.abs(features).max()
        return features
    monkeypatch.setattr(OpenVINOEngine, "infer", wrong)


@pytest.mark.parametrize(("pooling", "shape"), [("mean+max", (BATCH, 2560)),
                                                ("none", (BATCH, 1280, 2, 2))])
def test_every_engine_gives_the_features_of_mindspore(pooling, shape, make_reference, photos,
                                                      tmp_path):
    from src_mindspore.features.engines import choose_engine
    reference = make_reference(pooling)
    expected = reference(photos)
    assert np.abs(expected[0] - expected[1]).max() > 0.01 * expected.max()  # photos differ
    for name in ("openvino", "onnxruntime"):
        engine = choose_engine(name, reference, tmp_path)
        features = engine(photos)
        assert engine.name == name
        assert features.shape == shape
        assert features.dtype == np.float32
        np.testing.assert_allclose(features, expected, rtol=0, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_rows_do_not_depend_on_what_fills_the_batch(name, reference, photos, exported):
    from src_mindspore.features.engines import choose_engine
    engine = choose_engine(name, reference, exported)
    whole = engine(photos)
    np.testing.assert_array_equal(engine(photos), whole)
    for count in (1, 2, BATCH - 1):
        part = engine(photos[:count])
        assert part.shape == (count, 2560)
        np.testing.assert_allclose(part, whole[:count], rtol=0, atol=1e-5 * whole.max())


def test_openvino_answers_alike_on_any_number_of_cores(reference, photos, exported, monkeypatch):
    from src_mindspore.features.engines import OpenVINOEngine, openvino_engine
    from src_mindspore.features.engines.choose import path_of_export
    answers = []
    for cores in (1, 3, 8):
        monkeypatch.setattr(openvino_engine, "usable_cores", lambda cores=cores: cores)
        answers.append(OpenVINOEngine(reference, path_of_export(reference, exported))(photos))
        np.testing.assert_array_equal(answers[-1], answers[0])
    expected = reference(photos)
    np.testing.assert_allclose(answers[0], expected, rtol=0, atol=1e-3 * expected.max())


def test_openvino_answers_alike_whatever_stands_beside_a_photo(reference, photos, exported):
    from src_mindspore.features.engines import choose_engine
    engine = choose_engine("openvino", reference, exported)
    np.testing.assert_array_equal(engine(photos[::-1]), engine(photos)[::-1])
    np.testing.assert_array_equal(engine(photos[2:3]), engine(photos)[2:3])


def test_auto_takes_the_fastest_and_stays_with_it(reference, folder, capsys, monkeypatch):
    from src_mindspore.features.engines import choose, choose_engine
    chosen = choose_engine("auto", reference, folder)
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    record, = folder.glob("*.auto-float32.json")
    probes = json.loads(record.read_text())["probes"]
    assert set(probes) == {"mindspore", "openvino", "onnxruntime"}
    fastest = max(probe["images_per_second"] for probe in probes.values())
    assert probes[chosen.name]["images_per_second"] * 1.5 >= fastest
    assert said.startswith(f"engine: {chosen.name}")

    # Another time the clock may say otherwise: the record decides.
    def fail(*_):
        raise AssertionError("measured again")
    monkeypatch.setattr(choose, "_compare", fail)
    assert choose_engine("auto", reference, folder).name == chosen.name
    for speeds, wanted in (((10, 14, 1), "openvino"), ((10, 16, 1), "onnxruntime"),
                           ((10, 16, 25), "mindspore"), ((10, 1, 14), "openvino")):
        told = {name: {**probes[name], "images_per_second": speed} for name, speed in zip(
            ("openvino", "onnxruntime", "mindspore"), speeds, strict=True)}
        record.write_text(json.dumps({**json.loads(record.read_text()), "probes": told}))
        assert choose_engine("auto", reference, folder).name == wanted


@pytest.mark.usefixtures("instant")
@pytest.mark.parametrize("change", [lambda r: r["subject"].update(processor="another"),
                                    lambda r: r["subject"].update(onnx_sha256="00"),
                                    lambda r: r["subject"]["versions"].update(openvino=["1.0", 2]),
                                    lambda r: r["subject"]["versions"]["openvino"].pop(),
                                    lambda r: r.pop("probes")])
def test_record_of_something_else_is_measured_again(change, reference, folder):
    from src_mindspore.features.engines import choose_engine
    choose_engine("openvino", reference, folder)
    path, = folder.glob("*.openvino-float32.json")
    record = json.loads(path.read_text())
    for probe in record["probes"].values():
        probe["problem"] = "it was bad once"
    path.write_text(json.dumps(record))
    with pytest.raises(LabError, match="bad once"):
        choose_engine("openvino", reference, folder)
    change(record)
    path.write_text(json.dumps(record))
    assert choose_engine("openvino", reference, folder).name == "openvino"


def test_missing_package_is_named_or_done_without(reference, folder, capsys, without):
    from src_mindspore.features.engines import choose_engine
    without("openvino", "onnxruntime")
    for name in ("openvino", "onnxruntime"):
        with pytest.raises(LabError, match=f"engine {name} cannot be used: it is not installed "
                           rf"\(pip install {name}\).*--engine mindspore"):
            choose_engine(name, reference, folder)
    assert choose_engine("auto", reference, folder) is reference
    said = capsys.readouterr().out
    assert said.startswith("engine: mindspore; openvino is not used, because it is not installed")
    assert said.count("\n") == 1


def test_auto_takes_the_other_library_where_one_is_missing(reference, exported, capsys, without):
    from src_mindspore.features.engines import choose_engine
    without("openvino")
    assert choose_engine("auto", reference, exported).name in ("onnxruntime", "mindspore")
    assert "openvino is not used, because it is not installed" in capsys.readouterr().out


@pytest.mark.usefixtures("disagreeing")
def test_disagreeing_engine_is_refused(reference, folder, capsys):
    from src_mindspore.features.engines import choose_engine
    with pytest.raises(LabError, match="openvino cannot be used: its features differ from "
                       r"MindSpore's by 1.0e-02 on a probe batch \(allowed 0.001\)"):
        choose_engine("openvino", reference, folder)
    assert choose_engine("auto", reference, folder).name != "openvino"
    assert "openvino is not used, because its features differ" in capsys.readouterr().out


@pytest.mark.usefixtures("instant")
def test_features_that_are_not_numbers_are_refused(reference, folder, monkeypatch):
    from src_mindspore.features.engines import OpenVINOEngine, choose_engine
    monkeypatch.setattr(OpenVINOEngine, "infer",
                        lambda self, images: np.full((len(images), 2560), np.nan, np.float32))
    with pytest.raises(LabError, match="differ from MindSpore's by nan"):
        choose_engine("openvino", reference, folder)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_damaged_export_is_named(name, reference, folder, capsys):
    from src_mindspore.features.engines import choose_engine
    from src_mindspore.features.engines.choose import path_of_export
    path = path_of_export(reference, folder)
    path.write_bytes(b"this is no network")
    with pytest.raises(LabError, match=f"{name} cannot be used: it cannot run the exported "
                       f"network.*delete {re.escape(str(path))}"):
        choose_engine(name, reference, folder)
    assert choose_engine("auto", reference, folder) is reference
    assert "engine: mindspore" in capsys.readouterr().out


def test_bf16_needs_the_processor_and_an_engine_that_has_it(reference, exported, capsys,
                                                            monkeypatch):
    from src_mindspore.features.engines import choose, choose_engine
    monkeypatch.setattr(choose, "read_cpu_flags", lambda: {"avx2", "avx512f"})
    with pytest.raises(LabError, match="bf16 cannot be used with --engine openvino: this processor "
                       "has no bfloat16.*Take --precision float32"):
        choose_engine("openvino", reference, exported, "bf16")
    for name in ("mindspore", "onnxruntime"):
        with pytest.raises(LabError, match=f"{name} computes in float32 only; bf16 needs "
                           "--engine openvino"):
            choose_engine(name, reference, exported, "bf16")
    assert choose_engine("auto", reference, exported, "bf16").precision == "float32"
    assert "precision: float32, because this processor has no" in capsys.readouterr().out


def test_bf16_has_its_own_tolerance_and_key(reference, exported, photos, monkeypatch):
    """Rounding as bf16 does it is let through, twice the tolerance is not."""
    from src_mindspore.features.engines import OpenVINOEngine, choose, choose_engine
    monkeypatch.setattr(choose, "read_cpu_flags", lambda: {"amx_bf16"})
    limits = []

    def load(self, path):  # this processor need not have bf16
        limits.append(os.environ.get(ISA_VARIABLE))

    def rounded(self, images):
        bits = reference.infer(images).view(np.uint32)
        return (bits & np.uint32(0xffff0000)).view(np.float32)
    monkeypatch.setattr(OpenVINOEngine, "load", load)
    monkeypatch.setattr(OpenVINOEngine, "infer", rounded)
    engine = choose_engine("openvino", reference, exported, "bf16")
    assert (engine.name, engine.precision) == ("openvino", "bf16")
    assert limits[0] == "AVX2"
    assert np.abs(engine(photos) - reference(photos)).max() > 1e-3 * reference(photos).max()

    def turned(self, images):
        features = reference.infer(images)
        noise = np.random.default_rng(1).normal(size=features.shape)
        return features + 0.25 * noise.astype(np.float32) * features.std()
    monkeypatch.setattr(OpenVINOEngine, "infer", turned)
    for record in exported.glob("*bf16.json"):
        record.unlink()
    with pytest.raises(LabError, match=r"differ.*\(allowed 0.01\).*Take --precision float32"):
        choose_engine("openvino", reference, exported, "bf16")
    assert choose_engine("auto", reference, exported, "bf16").precision == "float32"


def test_instruction_set_is_whole_only_while_openvino_compiles():
    from src_mindspore.features.engines.openvino_engine import whole_instruction_set
    before = os.environ[ISA_VARIABLE]
    with whole_instruction_set():
        assert ISA_VARIABLE not in os.environ
    assert os.environ[ISA_VARIABLE] == before
