"""Pictures of recipes: what they show is what they were given."""
import numpy as np
import pytest
from matplotlib.figure import Figure

from src_mindspore.evaluation import plots_recipe
from src_mindspore.evaluation.metrics import wilson_interval

HISTORY = [{"epoch": e, "train_loss": 3 / e, "val_top1": 1 - 0.5 / e} for e in (1, 2, 3)]


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Function (plot, values, language) -> (the Figure, the PNG's Path)."""
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig",
                        lambda figure, *a, **k: (figures.append(figure), save(figure, *a, **k)))

    def draw(plot, values, language="en"):
        path = tmp_path / "picture.png"
        plot(values, path=path, language=language)
        return figures[-1], path
    return draw


def lines_of(axes):
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
            for line in axes.get_lines()}


def test_schedules_are_drawn_step_by_step(drawn):
    figure, path = drawn(plots_recipe.plot_schedules, {"up": [0.1, 0.2], "down": [0.2, 0.0]})
    assert lines_of(figure.axes[0]) == {"up": ([0, 1], [0.1, 0.2]), "down": ([0, 1], [0.2, 0.0])}
    assert path.read_bytes().startswith(b"\x89PNG")


def test_runs_show_loss_and_accuracy(drawn):
    figure, _ = drawn(plots_recipe.plot_runs, {"a": HISTORY, "b": HISTORY[:2]})
    loss, top1 = map(lines_of, figure.axes)
    assert loss["a"] == ([1, 2, 3], [3.0, 1.5, 1.0])
    assert top1["b"] == ([1, 2], [0.5, 0.75])
    styles = {line.get_linestyle() for line in figure.axes[0].get_lines()}
    assert len(styles) == 2, "a run that lies on another could not be seen"


@pytest.mark.parametrize("losses", [(3, 1, 0.4), (3, 1e-3, 1e-7), (2.8, 2.7, 2.6)])
def test_losses_of_any_size_get_a_few_plain_numbers(drawn, losses):
    rows = [{**row, "train_loss": loss} for row, loss in zip(HISTORY, losses, strict=True)]
    figure, _ = drawn(plots_recipe.plot_runs, {"a": rows})
    axes = figure.axes[0]
    low, high = axes.get_ylim()
    shown = [label.get_text() for label in axes.get_yticklabels()
             if low <= label.get_position()[1] <= high]
    assert len(shown) <= 10
    assert shown == [f"{float(text):g}" for text in shown]
    assert len(shown) >= (2 if high > 3 * low else 0)


def test_range_test_marks_what_it_suggests(drawn, mindspore):
    from src_mindspore.training.range_test import RangeTest
    rates, losses = np.geomspace(1e-3, 1, 4), np.array([3.0, 2.0, 1.0, 9.0])
    figure, _ = drawn(plots_recipe.plot_range_test, RangeTest(rates, losses, losses))
    marks = lines_of(figure.axes[0])
    assert marks["lowest: 0.1"][0] == pytest.approx([0.1, 0.1])
    assert marks["a tenth of it: 0.01"][0] == pytest.approx([0.01, 0.01])
    assert figure.axes[0].get_xscale() == "log"


def test_rungs_of_several_seeds_show_the_mean(drawn):
    seeds = np.array([np.arange(20) < 9, np.arange(20) < 13])
    figure, _ = drawn(plots_recipe.plot_rungs, {"a": seeds})
    bar, = (line for line in figure.axes[0].get_lines() if len(line.get_xdata()) == 2)
    assert tuple(bar.get_xdata()) == wilson_interval(11, 20)
    ticks = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert len(set(ticks)) == len(ticks)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_rungs_show_their_interval_from_top_to_bottom(drawn, language):
    rights = {"课程默认": np.arange(10) < 4, "best": np.arange(10) < 9}
    figure, _ = drawn(plots_recipe.plot_rungs, rights, language)
    axes = figure.axes[0]
    bars = [line for line in axes.get_lines() if len(line.get_xdata()) == 2]
    for place, (bar, right) in enumerate(zip(bars, (4, 9), strict=True)):
        assert tuple(bar.get_xdata()) == wilson_interval(right, 10)
        assert set(bar.get_ydata()) == {place}
    assert [t.get_text() for t in axes.get_yticklabels()] == list(rights)
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    assert "n = 10" in axes.get_xlabel()
