"""What the first cells of every notebook do: find the project and the photos, start MindSpore.

A notebook may lie open in JupyterLab, VS Code or the classic interface, in its own folder or in
the root; after `start_lab` it works in the project's root, so every path in it is the same.
"""
import contextlib
import dataclasses
import importlib.util
import os
import tempfile
from pathlib import Path

from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore import runtime
from src_mindspore.configuration import resolve
from src_mindspore.data.drawn import draw_dataset, is_drawn
from src_mindspore.data.folder import find_data
from src_mindspore.errors import LabError

LANGUAGES = ("zh", "en")
DRAWN_VARIABLE = "LAB_DRAWN"    # set: draw the pictures even where photos are
STATIC_VARIABLE = "LAB_STATIC"  # set: no widgets, for editions that are read and not run
DRAWN = Path("datasets") / "drawn-lab"
DRAWN_TRAIN, DRAWN_VAL = 20, 5
# Two passes teach what six do, and a notebook's reader waits a third of the time.
NOTEBOOK_REPEAT = 2

_language = None


def say(zh, en):
    """Return the text of the edition that is running.

    Args:
        zh, en: str, the same sentence in Chinese and in English.

    Raises:
        LabError: `start_lab` has not been called.
    """
    if _language is None:
        raise LabError("The notebook's language is not known yet. Run its first cells, which call "
                       "start_lab, and then this cell again. 请先运行笔记本开头的单元格。")
    return zh if _language == "zh" else en


def start_lab(language):
    """Work in the project's root, start MindSpore, prepare the plots, find or draw the photos.

    Args:
        language: 'zh' or 'en', of the edition.

    Returns:
        Lab.

    Raises:
        LabError: an unknown language, or a machine or environment that will not do (see
            `runtime.start`).
    """
    global _language
    if language not in LANGUAGES:
        raise LabError(f"start_lab was given {language!r}; expected 'zh' or 'en'.")
    os.chdir(Path(__file__).resolve().parent.parent)
    _language = language
    _show_mistakes_as_sentences()
    runtime.start()
    _prepare_plots()
    lab = Lab(language, *_find_photos())
    print(say(zh=f"准备就绪：{lab.data}" + ("（程序绘制的图片，不是照片）" if lab.is_drawn else ""),
              en=f"ready: {lab.data}" + (" (drawn by a program, not photos)" if lab.is_drawn
                                         else "")))
    return lab


@dataclasses.dataclass(frozen=True)
class Lab:
    """What a notebook asks for again and again.

    Attributes:
        language: 'zh' or 'en'.
        data: Path of the photos, or of the drawn set.
        is_drawn: bool, the pictures are drawn by this project: their figures say nothing about
            photos.
    """

    language: str
    data: Path
    is_drawn: bool

    def say(self, zh, en):
        """Return the text of this edition; see `say`."""
        return say(zh, en)

    def config(self, preset=DEFAULT_PRESET, **changes):
        """Return a configuration on the notebook's photos, with two passes instead of six.

        Args:
            preset: str, a preset of config.py.
            **changes: keys of config.py; they win.

        Returns:
            EasyDict with every key.

        Raises:
            LabError: an unknown preset or key, or a wrong value.
        """
        passes = PRESETS.get(preset, {}).get("repeat", KEYS["repeat"].default)
        return resolve(KEYS, PRESETS, DEFAULT_PRESET, preset=preset, flags={
            "dataset_path": str(self.data), "language": self.language,
            "repeat": min(passes, NOTEBOOK_REPEAT), **changes})

    @property
    def has_widgets(self):
        """True where a slider can be shown: a live kernel with ipywidgets, and nobody said no."""
        return not os.environ.get(STATIC_VARIABLE) and _ipython() is not None \
            and importlib.util.find_spec("ipywidgets") is not None

    def show(self, plot, *values, **options):
        """Return a picture of the library for the notebook to display.

        Args:
            plot: function that writes a PNG and takes `path` and `language`, such as
                `plot_confusion`.
            *values, **options: what else it takes.

        Returns:
            IPython.display.Image.
        """
        from IPython.display import Image

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "picture.png"
            plot(*values, path=path, language=self.language, **options)
            return Image(path.read_bytes(), **_shown_size(path))

    def live(self):
        """Return a picture that can be drawn again in its place; see LivePicture."""
        return LivePicture(self)


class LivePicture:
    """A picture in the output of the running cell, replaced by every `draw`."""

    def __init__(self, lab):
        self.lab = lab
        self.handle = None

    def draw(self, plot, *values, **options):
        """Draw, in place of what was drawn before; arguments as for `Lab.show`."""
        from IPython.display import display

        picture = self.lab.show(plot, *values, **options)
        if self.handle is None:
            self.handle = display(picture, display_id=True)
        else:
            self.handle.update(picture)


def _shown_size(path):
    """Return the width a notebook gives a picture: its own, but no more than a column of text."""
    from PIL import Image

    with Image.open(path) as picture:
        return {"width": min(picture.width, 880)}


def _find_photos():
    """Return (Path, is_drawn)."""
    if not os.environ.get(DRAWN_VARIABLE):
        found = find_data(KEYS["dataset_path"].default)
        if found:
            return found, is_drawn(found)
    return draw_dataset(DRAWN, DRAWN_TRAIN, DRAWN_VAL), True


def _prepare_plots():
    import matplotlib

    from src_mindspore.evaluation.fonts import use_cjk_font

    use_cjk_font()
    matplotlib.rcParams.update({
        # The font draws Traditional forms and centred commas unless it is told otherwise.
        "text.language": "zh-Hans",
        "figure.dpi": 90, "figure.constrained_layout.use": True,
        "axes.spines.top": False, "axes.spines.right": False,
    })


def _show_mistakes_as_sentences():
    """Show a LabError as its one paragraph, without the traceback that helps nobody."""
    shell = _ipython()
    if shell is None:
        return

    def show(shell, kind, error, traceback, tb_offset=None):
        sentence = [say(zh=f"出错了：{error}", en=f"error: {error}")]
        shell._showtraceback(kind, error, sentence)
        return sentence

    shell.set_custom_exc((LabError,), show)


def _ipython():
    """Return the running IPython shell of a notebook, or None."""
    with contextlib.suppress(ImportError):
        from IPython import get_ipython

        shell = get_ipython()
        return shell if shell is not None and hasattr(shell, "kernel") else None
    return None
