"""The members of an ensemble: finished runs, and what they say about photos."""
import csv
import dataclasses
import sys
from pathlib import Path

import numpy as np
from scipy.special import softmax

from config import KEYS, PRESETS
from src_mindspore.configuration import resolve
from src_mindspore.errors import LabError
from src_mindspore.training.calibration import fit_temperature
from src_mindspore.training.run import finished, is_of_network


@dataclasses.dataclass(frozen=True)
class Member:
    """A finished run.

    Attributes:
        folder: Path.
        config: its configuration.
        model: Model, of its best.ckpt.
        of_network: bool, train_network.py trained it, its backbone too.
    """

    folder: Path
    config: dict
    model: object
    of_network: bool

    @property
    def name(self):
        """str, the run's name."""
        return self.folder.name

    @property
    def beyond_folds(self):
        """str, what of its training cross-validation does not repeat; '' where it repeats all."""
        if self.of_network:
            return "by train_network.py, its backbone too"
        for key in ("upsample", "pseudo_labels"):
            if self.config[key]:
                return f"with --{key} {self.config[key]}"
        return ""


def load_members(folders):
    """Load finished runs that may vote together.

    Args:
        folders: list of paths of runs.

    Returns:
        list of Member.

    Raises:
        LabError: fewer than two, not a finished run, other classes, or a head that ends in
            probabilities.
    """
    from src_mindspore.model import load_model

    if len(folders) < 2:
        raise LabError(f"{len(folders)} member was named; an ensemble needs two finished runs at "
                       "least: --runs results/runs/A results/runs/B.")
    members = []
    for folder in map(Path, folders):
        if not finished(folder):
            raise LabError(f"{folder} is not a finished run: it has no result.json. Name folders "
                           "in results/runs, and let interrupted runs go on to their end.")
        # A run of today stays what it was when defaults change: its file names every key.
        config = resolve(KEYS, PRESETS, "recommended", yaml_path=folder / "config.yaml")
        members.append(Member(folder.resolve(), config, load_model(folder / "best.ckpt"),
                              is_of_network(folder)))
    first = members[0]
    for other in members[1:]:
        if other.model.classes.folders != first.model.classes.folders:
            odd = set(other.model.classes.folders) ^ set(first.model.classes.folders)
            raise LabError(
                f"The members know different classes: {first.name} has "
                f"{len(first.model.classes)}, {other.name} has {len(other.model.classes)}"
                + (f"; {sorted(odd)[0]!r} is known to one of them only" if odd else
                   ", in another order")
                + ". Votes can be counted only over the same classes; train both on one folder.")
    for member in members:
        activation = member.model.meta["head"]["activation"]
        if activation != "None":
            raise LabError(f"{member.name} answers with {activation}, not with logits. Train it "
                           "with --activation None, so that its votes can be calibrated.")
    return members


def require_same_photos(members, photos):
    """Refuse members that were chosen on other photos: some would know what others are asked.

    Args:
        members: list of Member.
        photos: Photos.

    Raises:
        LabError: a run's predictions_val.csv lists other photos than val holds.
    """
    expected = {r.path for r in photos.splits["val"]}
    for member in members:
        with open(member.folder / "predictions_val.csv", encoding="utf-8-sig", newline="") as file:
            own = {row["path"] for row in csv.DictReader(file)}
        if own != expected:
            raise LabError(f"{member.name} was measured on other photos than val of {photos.root} "
                           f"holds now: {len(own ^ expected)} are in one of the two only, such as "
                           f"{sorted(own ^ expected)[0]}. Train all members on the same data and "
                           "split.")


def out_of_fold(members, photos, folds, seed):
    """Cross-validate every member on train, in the same folds.

    Args:
        members: list of M Member.
        photos: Photos.
        folds: int >= 2.
        seed: int, draws the folds.

    Returns:
        (probabilities, temperatures, labels, fold_of): (M, N, C) float64, calibrated; (M,) float;
        (N,) int labels; (N,) int folds.

    Raises:
        LabError: more folds than different photos of a class, or a member whose training cannot
            be repeated without some of its photos.
    """
    for member in members:
        if member.beyond_folds:
            raise LabError(
                f"{member.name} was trained {member.beyond_folds}. Cross-validation trains a head "
                "on given labels alone, so it cannot say what this member answers about photos it "
                "has not learnt from. Take --vote soft or hard, which need no such answers, or "
                "leave the member out.")
    from src_mindspore.evaluation.crossval import crossval_data, out_of_fold_logits
    from src_mindspore.features.of_config import prepare_backbone

    said, temperatures = [], []
    for member in members:
        backbone = prepare_backbone(member.config)
        data = crossval_data(photos, backbone, member.config)

        def after_fold(done, name=member.name):
            print(f"\r{name}: fold {done}/{folds} ", end="" if done < folds else "\n",
                  file=sys.stderr, flush=True)
        logits, fold_of = out_of_fold_logits(data, backbone, photos.classes, member.config, folds,
                                             after_fold, seed)
        temperature = fit_temperature(logits, data.clean.labels)
        said.append(softmax(logits.astype(np.float64) / temperature, axis=1))
        temperatures.append(temperature)
    return np.stack(said), temperatures, data.clean.labels, fold_of


def on_split(members, photos, split, temperatures):
    """Ask every member about a split, each with its own preprocessing.

    Returns:
        (M, N, C) float64 probabilities.
    """
    from src_mindspore.evaluation.predict import predict

    records = photos.splits[split]
    paths = tuple(r.path for r in records)
    said = []
    for member, temperature in zip(members, temperatures, strict=True):
        answers = predict(member.model, photos.root, paths, np.full(len(paths), -1),
                          batch_size=member.config.eval_batch_size)
        said.append(softmax(answers.logits.astype(np.float64) * member.model.temperature
                            / temperature, axis=1))
    return np.stack(said)
