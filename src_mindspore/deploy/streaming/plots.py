"""The picture of a stream's latencies."""
import numpy as np
from matplotlib.ticker import FuncFormatter

from src_mindspore.evaluation.plots import TRAIN, VAL, saved_figure

BINS = 40


def latency_histogram(latencies, limit, path):
    """Draw how many images took how long, on a logarithmic axis.

    Args:
        latencies: (N,) float, milliseconds, N >= 1.
        limit: float, milliseconds an image may take.
        path: str or Path of the PNG.
    """
    least, most = max(0.1, latencies.min()), max(latencies.max(), limit)
    over = int((latencies > limit).sum())
    with saved_figure(path, 7, 3.2) as figure:
        axes = figure.add_subplot()
        axes.hist(latencies, np.geomspace(least * 0.9, most * 1.15, BINS), color=TRAIN)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_formatter(FuncFormatter(
            lambda value, _: f"{value:g}" if f"{value:g}"[0] in "25" else ""))
        axes.tick_params(axis="x", which="both", length=4, pad=4)
        top = axes.get_ylim()[1]
        for q, style in ((50, "-"), (99, "--")):
            value = np.percentile(latencies, q)
            axes.axvline(value, color="black", linestyle=style, linewidth=1,
                         label=f"p{q}: {value:.0f} ms")
        axes.axvline(limit, color=VAL, linewidth=2, label=f"limit {limit:g} ms: {over} over")
        axes.set_ylim(0, top * 1.1)
        axes.set_xlabel("milliseconds an image")
        axes.set_ylabel(f"of {len(latencies):,} images")
        # Above the axes, where no line of the picture runs through it.
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False)
