"""What evaluate.py leaves behind and prints."""
import time

from src_mindspore.data.drawn import is_drawn
from src_mindspore.evaluation.gallery import plot_mistakes
from src_mindspore.evaluation.plots import plot_confusion
from src_mindspore.evaluation.report import explain_interval, write_report
from src_mindspore.evaluation.tables import (
    format_percent,
    per_class_table,
    prediction_rows,
    write_csv,
)
from src_mindspore.files import write_json


def write_evaluation(predictions, result, out, language, json_path=None):
    """Write predictions.csv and, where the truth is known, metrics, pictures and a report.

    Args:
        predictions: Predictions.
        result: dict of `metrics.evaluate`, or None.
        out: Path of a folder.
        language: 'en' or 'zh'.
        json_path: a further copy of the metrics, or None.
    """
    write_csv(out / "predictions.csv", prediction_rows(predictions, language))
    if result is None:
        return
    write_json(out / "metrics.json", result)
    if json_path:
        write_json(json_path, result)
    plot_confusion(result, out / "confusion.png", language)
    plot_mistakes(predictions, out / "mistakes.png", language)
    write_report(out, {
        "title": f"Evaluation on {predictions.root.name}", "is_drawn": is_drawn(predictions.root),
        "date": time.strftime("%Y-%m-%d %H:%M"), "result": result,
        "files": {"confusion": "confusion.png", "mistakes": "mistakes.png",
                  "predictions": "predictions.csv", "metrics": "metrics.json"}})


def print_result(predictions, result, out, language, skipped):
    """Print the figures and where to look.

    Args:
        predictions, result, out, language: as for `write_evaluation`.
        skipped: list of FileRecord that were left out.
    """
    if skipped:
        print(f"skipped {len(skipped)} files that cannot be read, for example {skipped[0].path} "
              f"({skipped[0].reason})")
    if result is None:
        print(f"{len(predictions.paths)} photos without class folders: predicted, not scored\n"
              f"predictions: {out / 'predictions.csv'}")
        return
    print(f"\n{per_class_table(result, language)}\n")
    names = dict(zip(predictions.classes.folders, predictions.classes.in_language(language),
                     strict=True))
    for pair in result["most_confused"][:5]:
        print(f"{pair['count']} x {names[pair['truth']]} taken for {names[pair['predicted']]}")
    low, high = (format_percent(bound) for bound in result["interval"])
    print(f"\ntop-1 {format_percent(result['top1'], 2)} ({result['correct']}/{result['n']}), 95 % "
          f"interval {low} to {high}; top-5 {format_percent(result['top5'], 2)}; macro F1 "
          f"{format_percent(result['macro_f1'], 2)}\n{explain_interval(result)}")
    colours = result["colour_order"]
    if colours["suspicious"]:
        print(f"warning: with red and blue exchanged {colours['correct_swapped']} of "
              f"{colours['n']} are right instead of {colours['correct']}. These photos seem to be "
              "BGR where RGB is expected: convert them (image[:, :, ::-1]) before asking again.")
    print(f"pictures and tables: {out}")
