"""A font with Chinese glyphs for every plot, taken from a wheel and not from the system."""
import matplotlib
from cvttf_NotoSansCJK_Regular import get_TTF_path
from matplotlib import font_manager


def use_cjk_font():
    """Let matplotlib draw Chinese: register the wheel's font and put it behind the default one.

    Latin text keeps matplotlib's own face; glyphs that it lacks come from Noto Sans CJK. May be
    called any number of times.

    Returns:
        str, the family name of the font.
    """
    path = get_TTF_path()
    family = font_manager.FontProperties(fname=path).get_name()
    if family not in {font.name for font in font_manager.fontManager.ttflist}:
        font_manager.fontManager.addfont(path)
    matplotlib.rcParams["font.family"] = ["DejaVu Sans", family]
    return family
