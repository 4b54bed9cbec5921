"""What is left of a run when it ends: pictures, tables, the report, and the closing lines."""
import contextlib
import shlex
import sys
import time
from pathlib import Path

from src_mindspore import runtime
from src_mindspore.evaluation.gallery import plot_mistakes
from src_mindspore.evaluation.plots import plot_class_balance, plot_confusion, plot_history
from src_mindspore.evaluation.report import explain_interval, write_report
from src_mindspore.evaluation.tables import prediction_rows, write_csv
from src_mindspore.files import write_json
from src_mindspore.training.live_charts import MOST_PHOTOS, charts_of

PICTURES = {"curves": "curves.png", "confusion": "confusion.png", "mistakes": "mistakes.png",
            "class_balance": "class_balance.png"}
FILES = {**PICTURES, "checkpoint": "best.ckpt", "MindIR, batch 1": "best.mindir",
         "MindIR, any batch": "best_dynamic.mindir", "ONNX": "best.onnx", "sidecar": "best.json",
         "history": "history.csv", "loss of every few steps": "losses.csv",
         "predictions": "predictions_val.csv", "metrics": "metrics_val.json"}


def report_run(run, chosen, trainer, spec, backbone, photos, caches, config, laps):
    """Write pictures, tables and the report of a run, mark it finished, print where to look.

    Args:
        run, chosen, trainer, spec, backbone, photos, caches, config: of this run.
        laps: dict from part of the run to seconds.
    """
    folder, language = run.folder, config.language
    plot_history(trainer.history, folder / "curves.png", chosen.row["epoch"], language,
                 trainer.step_losses)
    plot_confusion(chosen.result, folder / "confusion.png", language)
    plot_mistakes(chosen.predictions, folder / "mistakes.png", language)
    plot_class_balance({split: _per_class(records, len(photos.classes))
                        for split, records in photos.splits.items()},
                       photos.classes, folder / "class_balance.png", language)
    with charts_of(config, folder) as charts:
        charts.pictures({name: folder / file for name, file in PICTURES.items()},
                        chosen.row["epoch"])
        # Every so many, so that all classes have their turn.
        paths = [photos.root / record.path for record in photos.splits["val"]]
        charts.photos("val_photos", paths[::max(1, len(paths) // MOST_PHOTOS)])
    write_csv(folder / "predictions_val.csv", prediction_rows(chosen.predictions, language))
    write_json(folder / "metrics_val.json", chosen.result)
    result = {"epoch": chosen.row["epoch"], "why": chosen.why,
              "epochs_trained": len(trainer.history), "seconds": laps,
              "data": photos.root.name, "is_drawn": photos.is_drawn,
              "photos": {split: len(records) for split, records in photos.splits.items()},
              "decisions": photos.decisions.to_dict() if photos.decisions else None,
              "pseudo_labels": photos.pseudo_labels.to_dict() if photos.pseudo_labels else None,
              **{key: chosen.result[key] for key in
                 ("n", "correct", "top1", "interval", "top5", "macro_f1", "loss")}}
    _, html = write_report(folder, {
        "title": f"{photos.root.name}: {config.preset}", "is_drawn": photos.is_drawn,
        "date": time.strftime("%Y-%m-%d %H:%M"), "preset": config.preset,
        "summary": _summary(chosen, photos),
        "result": chosen.result,
        "chosen": {"epoch": chosen.row["epoch"], "rule": _reason(chosen),
                   "val_top1": chosen.row["val_top1"], "val_loss": chosen.row["val_loss"]},
        "history": trainer.history,
        "what": _what(spec, backbone, caches, chosen.temperature, config, trainer),
        "data": _data(photos),
        "timings": laps,
        "files": {name: file for name, file in FILES.items() if (folder / file).exists()},
        "environment": runtime.describe(), "config": dict(config), "export": chosen.checks,
        "repeat": f"{python_command()} {trainer.SCRIPT} --config "
        f"{shlex.quote(str(folder / 'config.yaml'))}"})
    run.finish(result)
    print(f"\nval top-1 {chosen.result['top1']:.2%}: {explain_interval(chosen.result)}")
    print(f"report:     {html}\ncheckpoint: {folder / 'best.ckpt'}\n"
          f"MindIR:     {folder / 'best.mindir'}\n"
          f"next:       {python_command()} evaluate.py --ckpt "
          f"{shlex.quote(str(folder / 'best.ckpt'))} --data {shlex.quote(str(photos.root))}")


def python_command():
    """Return how a person here starts Python: .venv/bin/python where that is what runs."""
    with contextlib.suppress(ValueError):
        return str(Path(sys.executable).relative_to(Path.cwd()))
    return "python"


def _per_class(records, classes):
    counts = [0] * classes
    for record in records:
        counts[record.label] += 1
    return counts


def _reason(chosen):
    return (f"{chosen.why.partition(': ')[2].capitalize()}. The choice was made on these very "
            "photos, so the figure is slightly optimistic.")


def _summary(chosen, photos):
    result = chosen.result
    return (f"{result['correct']} of {result['n']} {'drawings' if photos.is_drawn else 'photos'} "
            f"of the validation split are named correctly ({len(photos.classes)} classes).")


def _what(spec, backbone, caches, temperature, config, trainer):
    engine = caches["train"].what
    augmentation = engine["augmentation"]
    return {
        "backbone": backbone.name, "weights": backbone.source,
        "weights SHA-256": backbone.sha256, "padding": backbone.padding,
        "preprocessing": backbone.preprocess.describe(),
        "engine": ", ".join(engine.get(key, "of each backbone its own")
                            for key in ("engine", "precision")),
        "passes": f"{engine['repeat']}" + (", the first clean" if engine["include_clean"] else ""),
        "augmentation": "none" if augmentation is None else
        ", ".join(f"{k} {v}" for k, v in augmentation.items()),
        "head": f"{spec.kind}, pooling {spec.reduction}, "
                f"{'normalised' if spec.normalise else 'not normalised'}",
        "temperature": f"{temperature:.3g} (logits are divided by it for probabilities)",
        "training": trainer.describe(),
    }


def _data(photos):
    records = [r for split in photos.splits.values() for r in split]
    notes = sorted({note for r in records for note in r.notes})
    handled = [f"unusual files that were handled: {', '.join(notes)}"] if notes else []
    handled += [change.sentence() for change in (photos.decisions, photos.pseudo_labels) if change]
    return {"root": photos.root.name, "classes": len(photos.classes),
            "counts": {split: len(part) for split, part in photos.splits.items()},
            "skipped": [{"path": r.path, "reason": r.reason} for r in photos.skipped],
            "notes": handled}
