"""What every notebook starts with: its language, its photos, its settings."""
import pytest

from config import PRESETS
from lab import start
from src_mindspore.errors import LabError


@pytest.fixture
def folder(monkeypatch, tmp_path, mindspore):
    """The working folder and the language as they were, afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(start, "_language", None)
    return tmp_path


@pytest.fixture
def lab(folder, monkeypatch, drawn_data):
    """A started lab whose photos are five drawn classes."""
    monkeypatch.setattr(start, "_find_photos", lambda: (drawn_data, True))
    return start.start_lab("zh")


def test_nothing_is_said_before_the_language_is_known(folder):
    with pytest.raises(LabError, match="Run its first cells"):
        start.say(zh="你好", en="hello")


def test_an_unknown_language_is_refused(folder):
    with pytest.raises(LabError, match="expected 'zh' or 'en'"):
        start.start_lab("fr")


def test_everything_is_said_in_the_language_of_the_edition(lab, drawn_data, monkeypatch, capsys):
    assert start.say(zh="你好", en="hello") == lab.say(zh="你好", en="hello") == "你好"
    assert lab.config().language == "zh"
    lab = start.start_lab("en")
    assert start.say(zh="你好", en="hello") == "hello"
    assert "drawn by a program, not photos" in capsys.readouterr().out


def test_the_lab_works_in_the_projects_root(lab):
    from pathlib import Path
    assert (Path.cwd() / "train_head.py").exists()


@pytest.mark.parametrize("preset", PRESETS)
def test_notebooks_take_the_preset_with_at_most_two_passes(lab, preset, drawn_data):
    config = lab.config(preset)
    assert config.preset == preset
    assert config.dataset_path == str(drawn_data)
    assert config.repeat == min(2, PRESETS[preset].get("repeat", 1))
    assert config.lr_max == PRESETS[preset]["lr_max"]


def test_changes_win_and_are_checked(lab):
    assert lab.config(repeat=5, epochs=3).repeat == 5
    with pytest.raises(LabError, match="Unknown key 'epoch'"):
        lab.config(epoch=3)
    with pytest.raises(LabError, match="Unknown preset"):
        lab.config("best")


def test_photos_come_first_and_can_be_refused(folder, monkeypatch, drawn_data):
    monkeypatch.setattr(start, "find_data", lambda path: drawn_data)
    monkeypatch.setattr(start, "draw_dataset", lambda root, train, val: root)
    monkeypatch.delenv(start.DRAWN_VARIABLE, raising=False)
    assert start._find_photos() == (drawn_data, True)
    monkeypatch.setenv(start.DRAWN_VARIABLE, "1")
    assert start._find_photos() == (start.DRAWN, True)


def test_there_are_no_widgets_without_a_live_kernel(lab):
    assert not lab.has_widgets


def test_pictures_of_the_library_are_shown_in_the_language(lab):
    asked = {}

    def plot(value, path, language, most=3):
        from PIL import Image
        asked.update(value=value, language=language, most=most)
        Image.new("RGB", (1200, 40)).save(path)

    picture = lab.show(plot, 7, most=8)
    assert asked == {"value": 7, "language": "zh", "most": 8}
    assert picture.data.startswith(b"\x89PNG")
    assert picture.width == 880
