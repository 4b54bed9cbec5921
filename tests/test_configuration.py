import copy

import pytest
import yaml

from config import DEFAULT_PRESET, KEYS, PRESETS
from config import config as notebook_config
from src_mindspore import configuration
from src_mindspore.configuration import check_value, parse_arguments, read_yaml, resolve, to_yaml
from src_mindspore.errors import LabError


def command_line(*argv):
    return parse_arguments(KEYS, PRESETS, DEFAULT_PRESET, list(argv), "text")


def from_yaml(tmp_path, text, **options):
    path = tmp_path / "my.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return resolve(KEYS, PRESETS, DEFAULT_PRESET, yaml_path=path, **options)


@pytest.mark.parametrize("name", KEYS)
def test_every_default_obeys_its_own_rule(name):
    default = KEYS[name].default
    checked = KEYS[name].rule.parse(copy.deepcopy(default))
    assert checked == default
    assert type(checked) is type(default)
    assert KEYS[name].help
    assert KEYS[name].rule.allowed


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_known_allowed_and_consistent(preset):
    for name, value in PRESETS[preset].items():
        assert check_value(KEYS, name, value, preset) == value
    config = command_line("--preset", preset)
    assert config.preset == preset
    assert set(config) == {*KEYS, "preset"}
    assert {name: config[name] for name in PRESETS[preset]} == PRESETS[preset]


def test_the_presets_of_the_course_are_the_published_ones():
    start = command_line("--preset", "course_default")
    assert (start.epochs, start.lr_max, start.decay_type, start.momentum, start.weight_decay,
            start.batch_size) == (10, 0.01, "constant", 0.8, 3.0, 32)
    best = command_line("--preset", "course_best")
    assert (best.epochs, best.lr_max, best.decay_type, best.weight_decay, best.optimizer,
            best.repeat) == (40, 0.03, "cosine", 4e-5, "adam", 8)
    assert (best.brightness, best.contrast, best.saturation) == (0.2, 0.01, 0.01)


def test_a_notebook_sees_the_default_preset():
    assert notebook_config == {**{name: key.default for name, key in KEYS.items()},
                               **PRESETS[DEFAULT_PRESET]}


@pytest.mark.parametrize(("wrong", "right"), [
    ("epoch", "epochs"), ("weight-decay", "weight_decay"), ("LR_max", "lr_max"),
    ("learning_rate_max", "lr_max"), ("bathc_size", "batch_size"), ("zzzz", None)])
def test_an_unknown_key_names_a_valid_one(wrong, right):
    with pytest.raises(LabError, match="Unknown key") as caught:
        command_line(f"--{wrong}", "3")
    named = str(caught.value).split("nearest valid name is '")[1].split("'")[0]
    assert named in KEYS
    if right and right != "lr_max":
        assert named == right


@pytest.mark.parametrize(("name", "value", "allowed"), [
    ("epochs", "many", "an integer from 1"), ("epochs", "2.5", "an integer"),
    ("epochs", 2.5, "an integer"), ("epochs", True, "an integer"), ("epochs", None, "an integer"),
    ("epochs", 0, "from 1"), ("epochs", -3, "from 1"), ("epochs", [3], "an integer"),
    ("lr_max", "fast", "a number"), ("lr_max", float("nan"), "a number"),
    ("lr_max", "inf", "a number"), ("lr_max", -0.1, "from 0"), ("lr_max", False, "a number"),
    ("momentum", 1, "0.9999"), ("seed", 2**32, str(2**32 - 1)), ("flip", "1.01", "from 0 to 1"),
    ("decay_type", "linear", "constant, cosine, square"), ("decay_type", "Cosine", "cosine"),
    ("reduction", "sum", "mean, max"), ("has_bias", "perhaps", "true or false"),
    ("has_bias", 1, "true or false"), ("dataset_path", 5, "a text"), ("class_index", "[1]",
                                                                     "a mapping"),
    ("class_index", "{", "a mapping"), ("class_index", '{"a": -1}', "a mapping"),
    ("class_index", "5", "a mapping")])
def test_a_wrong_value_is_refused_with_what_is_allowed(name, value, allowed):
    with pytest.raises(LabError, match="Wrong value") as caught:
        check_value(KEYS, name, value, "my.yaml")
    text = str(caught.value)
    assert repr(name) in text
    assert "my.yaml" in text
    assert repr(value) in text
    assert allowed in text.split("Allowed: ")[1]


@pytest.mark.parametrize(("name", "given", "value"), [
    ("epochs", "7", 7), ("epochs", 7.0, 7), ("lr_max", "3e-2", 0.03), ("lr_max", 1, 1.0),
    ("has_bias", "True", True), ("has_bias", "false", False), ("reduction", "none", None),
    ("reduction", None, None), ("reduction", "max", "max"), ("activation", "None", "None"),
    ("class_index", '{"a": 1, "b": 0}', {"a": 1, "b": 0}), ("class_index", {1: "2"}, {"1": 2}),
    ("flip", 0, 0.0), ("flip", 1, 1.0), ("seed", 2**32 - 1, 2**32 - 1)])
def test_values_are_converted_to_the_type_of_their_key(name, given, value):
    checked = check_value(KEYS, name, given, "here")
    assert checked == value
    assert type(checked) is type(value)


def test_default_then_preset_then_file_then_flag(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("preset: course_default\nepochs: 20\nlr_max: 0.5\n")
    config = command_line("--config", str(path), "--lr_max", "0.25")
    assert config.preset == "course_default"
    assert config.weight_decay == 3.0  # the preset
    assert config.epochs == 20  # the file, over the preset's 10
    assert config.lr_max == 0.25  # the flag, over the file
    assert config.flip == KEYS["flip"].default
    assert command_line("--config", str(path), "--preset", "course_best").weight_decay == 4e-5
    assert command_line("--config", str(path), "--epochs=9").epochs == 9


@pytest.mark.parametrize(("text", "words"), [
    ("epochz: 3\n", "Unknown key 'epochz'.*my.yaml.*'epochs'"), ("epochs: some\n", "Wrong value"),
    ("- 3\n- 4\n", "holds a list; expected lines"), ("just words\n", "holds a str"),
    ("a: [1\n", "not valid YAML"), ("a: !!python/object:os.system x\n", "not valid YAML"),
    ("蛋: 1\n".encode("gbk"), "not valid YAML"), ("5: 3\n", "Unknown key '5'"),
    ("preset: nothing\n", "Unknown preset 'nothing'"), ("preset: [1]\n", "preset")])
def test_a_wrong_file_is_explained(tmp_path, text, words):
    with pytest.raises(LabError, match=words):
        from_yaml(tmp_path, text)


def test_a_missing_file_is_explained_and_an_empty_one_changes_nothing(tmp_path):
    with pytest.raises(LabError, match=r"none\.yaml cannot be read: No such file"):
        command_line("--config", str(tmp_path / "none.yaml"))
    assert from_yaml(tmp_path, "# nothing\n") == command_line()


def test_yaml_written_by_a_run_repeats_it(tmp_path):
    config = command_line("--preset", "course_best", "--epochs", "7", "--reduction", "max",
                          "--run_name", "蛋壳: #1", "--class_index", '{"03_02": 0}')
    path = tmp_path / "config.yaml"
    path.write_text(to_yaml(config), encoding="utf-8")
    assert "蛋壳" in path.read_text(encoding="utf-8")
    assert command_line("--config", str(path)) == config
    assert read_yaml(KEYS, path) == dict(config)
    assert list(yaml.safe_load(path.read_text(encoding="utf-8")))[1:] == list(KEYS)


@pytest.mark.parametrize(("argv", "words"), [
    (["--warmup_epochs", "40"], "warm-up must be shorter"),
    (["--resize", "200"], "less than the input"),
    (["--image_width", "300"], "less than the input"),
    (["--reduction", "none", "--normalise", "true"], "reduction none"),
    (["--reduction", "none", "--normalise", "false", "--head", "rbf"], "reduction none")])
def test_contradictions_are_refused(argv, words):
    with pytest.raises(LabError, match=words):
        command_line("--preset", "course_default", "--epochs", "40", *argv)


@pytest.mark.parametrize("argv", [
    ["--resize", "0"], ["--resize", "224"], ["--warmup_epochs", "3"],
    ["--reduction", "none", "--normalise", "false", "--head", "linear"]])
def test_what_only_looks_contradictory_is_accepted(argv):
    config = command_line("--preset", "course_default", *argv)
    assert str(config[argv[0][2:]]).lower() == argv[1]


@pytest.mark.parametrize("argv", [["loose"], ["--epochs"], ["--epochs", "3", "4"], ["-x"]])
def test_a_malformed_command_line_is_explained(argv):
    with pytest.raises(LabError, match="--help"):
        command_line(*argv)


def test_an_abbreviated_flag_is_not_guessed():
    with pytest.raises(LabError, match="Unknown key 'epoc'"):
        command_line("--epoc", "3")


def test_help_lists_every_key_with_its_rule(capsys):
    with pytest.raises(SystemExit):
        command_line("--help")
    out = " ".join(capsys.readouterr().out.split())
    for name in KEYS:
        assert f"--{name} " in out
    assert "a number from 0 to 100" in out


def test_one_call_never_changes_the_next():
    first = command_line("--class_index", '{"a": 0}')
    first.epochs = 99_999
    assert command_line().class_index == {}
    assert command_line().epochs != 99_999
    assert configuration.resolve(KEYS, PRESETS, DEFAULT_PRESET) == command_line()


def test_a_backbone_brings_its_weights_and_input_size_along(tmp_path):
    def of(**flags):
        return resolve(KEYS, PRESETS, DEFAULT_PRESET, flags=flags)

    assert of().image_height == 256
    lite = of(backbone="efficientnet_lite2")
    assert (lite.image_height, lite.image_width, lite.resize) == (260, 260, 0)
    assert lite.pretrained_ckpt.endswith("efficientnet_lite2.ckpt")
    assert lite.head == of().head
    # Whoever asks for a size gets it, in a file as well as by a flag.
    assert of(backbone="efficientnet_lite2", image_height=128).image_height == 128
    path = tmp_path / "run.yaml"
    path.write_text("backbone: efficientnet_lite1\nimage_height: 192\n")
    config = resolve(KEYS, PRESETS, DEFAULT_PRESET, yaml_path=path)
    assert (config.image_height, config.image_width) == (192, 240)
    # A preset that names a backbone may choose the size for it.
    presets = {"own": {"image_height": 160, "backbone": "efficientnet_lite1"}}
    config = resolve(KEYS, presets, "own")
    assert (config.image_height, config.image_width) == (160, 240)
