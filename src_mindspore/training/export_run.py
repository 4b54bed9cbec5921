"""The end of training: choose an epoch, write best.ckpt, export it, check the export."""
import dataclasses
import shutil

import numpy as np

from src_mindspore.data.decode import load_rgb
from src_mindspore.data.preprocess import preprocess
from src_mindspore.deploy.mindir import export
from src_mindspore.evaluation.metrics import evaluate
from src_mindspore.evaluation.predictions import Predictions
from src_mindspore.files import replacing
from src_mindspore.model import save_model, sidecar_of
from src_mindspore.training.calibration import fit_temperature
from src_mindspore.training.selection import choose

EXPORT_CHECK_BATCH = 32


@dataclasses.dataclass(frozen=True)
class Chosen:
    """The chosen model of a run.

    Attributes:
        row: dict, the epoch's line of the history.
        why: str, what decided.
        predictions: Predictions on val.
        result: dict from `metrics.evaluate`.
        checks: dict of sentences about the exported files.
        temperature: float, see calibration.py.
    """

    row: dict
    why: str
    predictions: Predictions
    result: dict
    checks: dict
    temperature: float


def choose_and_export(run, trainer, spec, backbone, photos, caches, config):
    """Choose the best saved epoch, write best.ckpt, MindIR, ONNX and their sidecar.

    Args:
        run, trainer, spec, backbone, photos, caches, config: of this run.

    Returns:
        Chosen.

    Raises:
        LabError: an exported file disagrees with what was measured.
    """
    row, why = choose(run.candidates(trainer.history))
    print(f"chosen {why}")
    run.load_weights(trainer, row["epoch"])
    logits = trainer.logits(trainer.val)
    records = photos.splits["val"]
    labels = caches["val"].labels
    # A head that answers with probabilities has no logits left to be divided.
    temperature = fit_temperature(logits, labels) \
        if config.calibrate and config.activation == "None" else 1.0
    predictions = Predictions(tuple(r.path for r in records), labels, logits / temperature,
                              photos.classes, photos.root)
    result = evaluate(predictions)
    checkpoint = run.folder / "best.ckpt"
    save_model(checkpoint, backbone, trainer.head, spec, photos.classes, temperature,
               {"split": "val", "epoch": row["epoch"], **{k: result[k] for k in
                ("n", "correct", "top1", "interval", "top5", "macro_f1")}},
               caches["train"].what["augmentation"])

    def images():
        for first in range(0, len(records), EXPORT_CHECK_BATCH):
            yield np.stack([preprocess(load_rgb(photos.root / r.path), backbone.preprocess)
                            for r in records[first:first + EXPORT_CHECK_BATCH]])

    checks = export(checkpoint, images, trainer.outputs(logits), run.folder)
    for sentence in checks.values():
        print(f"export: {sentence}")
    if config.export_path:
        with replacing(config.export_path) as target:
            shutil.copyfile(run.folder / "best.mindir", target)
        with replacing(sidecar_of(config.export_path)) as target:
            shutil.copyfile(run.folder / "best.json", target)
    return Chosen(row, why, predictions, result, checks, temperature)
