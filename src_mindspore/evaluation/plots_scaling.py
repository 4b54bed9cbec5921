"""The picture of compound scaling: what grows, and what it costs."""
from matplotlib.ticker import FuncFormatter, NullFormatter

from src_mindspore.evaluation.plots import CHOSEN, TRAIN, VAL, saved_figure

WORDS = {
    "en": {"factors": "What grows, times B0 (dashed: the rule)", "depth": "depth",
           "width": "width", "resolution": "resolution",
           "parameters": "Parameters, millions", "multiply_adds": "Multiply-adds, millions",
           "counted": "counted", "published": "published"},
    "zh": {"factors": "相对 B0 的倍数（虚线：缩放公式）", "depth": "深度", "width": "宽度",
           "resolution": "分辨率", "parameters": "参数量（百万）",
           "multiply_adds": "乘加运算量（百万次）",
           "counted": "本程序计算", "published": "论文公布"},
}


def plot_scaling(rows, path, language="en"):
    """Draw the factors of depth, width and resolution, and parameters and multiply-adds.

    Args:
        rows: list of dicts of `compound_scaling.table`.
        path: str or Path of the PNG.
        language: 'en' or 'zh'.
    """
    words, names = WORDS[language], [row["name"] for row in rows]
    with saved_figure(path, 12, 3.8, layout="constrained") as figure:
        factors, *costs = figure.subplots(1, 3)
        for key, colour in (("depth", TRAIN), ("width", VAL), ("resolution", "#6a9f58")):
            first = rows[0][key]
            factors.plot(names, [row[key] / first for row in rows], color=colour, marker="o",
                         label=words[key])
            factors.plot(names, [row[f"rule_{key}"] / first for row in rows], color=colour,
                         linestyle="--", linewidth=1.2)
        factors.set_ylim(0.9, 3.3)
        factors.set_title(words["factors"], loc="left", fontsize=11)
        factors.legend()
        for axes, key in zip(costs, ("parameters", "multiply_adds"), strict=True):
            bars = axes.bar(names, [row[f"counted_{key}"] for row in rows], color=TRAIN, width=0.6,
                            label=words["counted"])
            axes.plot(names, [row[key] for row in rows], color=CHOSEN, marker="_", markersize=22,
                      markeredgewidth=2, linestyle="none", label=words["published"])
            axes.bar_label(bars, [f"{row[f'counted_{key}']:,.0f}" for row in rows], padding=3,
                           fontsize=8)
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
            axes.yaxis.set_minor_formatter(NullFormatter())
            axes.set_ylim(top=2 * rows[-1][key])
            axes.set_title(words[key], loc="left", fontsize=11)
            axes.legend(loc="upper left")
        for axes in (factors, *costs):
            axes.grid(axis="y", color="#e4e4e4")
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
