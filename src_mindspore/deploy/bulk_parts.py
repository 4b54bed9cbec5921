"""The parts of a bulk prediction: photos to one Parquet file each, and the count of them all."""
import collections
import contextlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock
from scipy.special import softmax

from src_mindspore.data.decode import BadImage
from src_mindspore.data.preprocess import preprocess
from src_mindspore.data.threads import map_in_order
from src_mindspore.deploy.bulk_job import INVENTORY, open_job
from src_mindspore.deploy.photo_files import OUTSIDE, decode_inside, fatal_photos
from src_mindspore.errors import LabError
from src_mindspore.files import explain_os_error, replacing
from src_mindspore.runtime import usable_cores

TOP = 5
SCHEMA = pa.schema([
    ("row", pa.int64()), ("path", pa.string()), ("label", pa.int32()), ("class", pa.string()),
    ("name", pa.string()), ("probability", pa.float32()), ("top5_labels", pa.list_(pa.int32())),
    ("top5_classes", pa.list_(pa.string())), ("top5_probabilities", pa.list_(pa.float32())),
    ("model_sha256", pa.string()), ("error_kind", pa.string()), ("error", pa.string())])
PROBLEMS = {
    "outside": OUTSIDE,
    "duplicate": "stands in the manifest before",
    "name": "is not a name that can be written as text",
    "fatal": "ends the process that decodes it",
}


class PartPredictor:
    """Predicts the parts of a job, one after another.

    Args:
        out: str or Path of the job's folder.
        load: function () -> Model; called where the first part is not there yet.
        batch_size: int.
        progress: function, called with the number of rows just done.

    Raises:
        LabError: there is no job in `out`, as on a machine that does not share the folder.
    """

    def __init__(self, out, load, batch_size, progress=lambda rows: None):
        self.job = open_job(out)
        if self.job is None:
            raise LabError(f"There is no bulk job in {out}. Every machine has to see the same "
                           "folder under the same path, with the photos and the model.")
        self.load = load
        self.model = None
        self.batch_size = batch_size
        self.progress = progress

    def __call__(self, part):
        """Predict a part, unless its file is there and whole.

        Args:
            part: int.

        Returns:
            dict: part, rows.

        Raises:
            LabError: the model is not the job's, or the disk is full.
        """
        if not is_whole(self.job, part):
            self._require_model()
            inventory = pq.read_table(self.job.inventory(part))
            with self._begun(part) as before:
                if before:
                    inventory = with_fatal_photos(self.job.root, inventory)
                table = self._predict(inventory)
            with replacing(self.job.predictions(part)) as temporary:
                pq.write_table(table, temporary, compression="zstd")
        return {"part": part, "rows": self.job.rows_of(part)}

    def _require_model(self):
        if self.model is not None:
            return
        model = self.load()
        if model.sha256 != self.job.model_sha256:
            raise LabError(f"The model has changed: its SHA-256 is {model.sha256}, the job in "
                           f"{self.job.out} began with {self.job.model_sha256}. Put the old file "
                           "back, or start a new job in another --out.")
        self.model = model

    @contextlib.contextmanager
    def _begun(self, part):
        """Note that a part is being worked on; yields whether a process died that had begun it.

        One of its photos may have ended it: in threads nobody could tell which.
        """
        note = self.job.begun(part)
        try:
            note.parent.mkdir(exist_ok=True)
            before = note.exists()
            note.touch()
        except OSError as error:
            raise explain_os_error(error, note) from error
        try:
            yield before
        finally:
            note.unlink(missing_ok=True)

    def _predict(self, inventory):
        rows, paths, problems = (inventory[name].to_pylist() for name in inventory.column_names)
        answers = [None] * len(rows)
        batch, places = [], []
        with ThreadPoolExecutor(usable_cores()) as pool:
            pixels = map_in_order(pool, self._pixels, zip(paths, problems, strict=True),
                                  ahead=2 * self.batch_size)
            for place, (view, kind, error) in enumerate(pixels):
                if view is None:
                    answers[place] = {"error_kind": kind, "error": error}
                    self.progress(1)
                    continue
                batch.append(view)
                places.append(place)
                if len(batch) == self.batch_size:
                    self._answer(batch, places, answers)
                    batch, places = [], []
            if batch:
                self._answer(batch, places, answers)
        return pa.Table.from_pylist(
            [{"row": row, "path": path, "model_sha256": self.model.sha256, **answer}
             for row, path, answer in zip(rows, paths, answers, strict=True)], schema=SCHEMA)

    def _pixels(self, row):
        """Return (input of the network, '', '') of a photo, or (None, kind, reason)."""
        path, problem = row
        if problem:
            return None, problem, PROBLEMS[problem]
        try:
            return preprocess(decode_inside(self.job.root, path), self.model.preprocess), "", ""
        except BadImage as error:
            return None, error.kind, str(error)

    def _answer(self, batch, places, answers):
        model, classes = self.model, self.model.classes
        logits = model.logits(np.stack(batch)) / model.temperature
        probabilities = softmax(logits.astype(np.float64), axis=1).astype(np.float32)
        best = np.argsort(-logits, axis=1, kind="stable")[:, :TOP]
        for place, labels, row, finite in zip(places, best.tolist(), probabilities,
                                              np.isfinite(logits).all(axis=1), strict=True):
            if not finite:
                answers[place] = {"error_kind": "not-finite", "error":
                                  "gives the model numbers that are not finite"}
                continue
            top = row[labels].tolist()
            answers[place] = {
                "label": labels[0], "class": classes.folders[labels[0]],
                "name": classes.english[labels[0]], "probability": top[0], "top5_labels": labels,
                "top5_classes": [classes.folders[i] for i in labels], "top5_probabilities": top}
        self.progress(len(batch))


def with_fatal_photos(root, inventory):
    """Return an inventory whose photos that end a process when they are decoded are said to.

    Args:
        root: str, of the job.
        inventory: Table as in bulk_job.INVENTORY.
    """
    paths, problems = inventory["path"].to_pylist(), inventory["problem"].to_pylist()
    asked = [place for place, problem in enumerate(problems) if not problem]
    for number in fatal_photos(root, [paths[place] for place in asked]):
        problems[asked[number]] = "fatal"
    return inventory.set_column(2, INVENTORY.field("problem"), pa.array(problems, pa.string()))


def is_whole(job, part):
    """True where the answers of a part are there and are this model's for these rows."""
    try:
        return _disagreement(job, part, pq.read_table(
            job.predictions(part), columns=["row", "path", "model_sha256"], memory_map=True)) == ""
    except (OSError, pa.ArrowException, KeyError):
        return False  # absent, or damaged


def _disagreement(job, part, answers):
    """Say how answers differ from what the part has to answer, '' where they do not."""
    asked = pq.read_table(job.inventory(part), columns=["row", "path"])
    if len(answers) != len(asked):
        return f"{len(answers)} rows instead of {len(asked)}"
    for column in ("row", "path"):
        if not answers[column].equals(asked[column]):
            return f"another {column} than was asked for"
    hashes = answers["model_sha256"].unique().to_pylist()
    return "" if hashes == [job.model_sha256] else "answers of another model"


def count(job, progress=lambda rows: None):
    """Read every part again and count: every input row is there exactly once.

    Args:
        job: Job.
        progress: function, called with the number of rows just counted.

    Returns:
        dict: rows, predicted (int), errors and classes (dict from kind or class folder to int),
        examples (list of 'path: error', the first 20).

    Raises:
        LabError: a part is absent, damaged or not the answer to its rows.
    """
    errors, classes, examples = collections.Counter(), collections.Counter(), []
    next_row = 0
    for part in range(job.parts):
        path = job.predictions(part)
        try:
            answers = pq.read_table(path, columns=["row", "path", "class", "model_sha256",
                                                   "error_kind", "error"])
            problem = _disagreement(job, part, answers)
        except (OSError, pa.ArrowException, KeyError) as error:
            problem = str(error).splitlines()[0]
        if not problem and answers["row"].to_pylist() \
                != list(range(next_row, next_row + len(answers))):
            problem = f"rows that do not go on from {next_row}"
        if problem:
            raise LabError(f"{path} is not the answer to its rows: {problem}. Delete it and run "
                           "the same command again: that part alone is predicted anew.")
        next_row += len(answers)
        for kind, name in zip(answers["error_kind"].to_pylist(), answers["class"].to_pylist(),
                              strict=True):
            (classes if kind is None else errors)[name if kind is None else kind] += 1
        if len(examples) < 20:
            bad = answers.filter(pa.compute.is_valid(answers["error_kind"]))
            examples += [f"{row['path']} {row['error']}" for row in bad.slice(0, 20).to_pylist()]
        progress(len(answers))
    if next_row != job.rows:
        raise LabError(f"{job.out} holds {next_row:,} rows; {job.rows:,} were asked for. Its "
                       "inventory was changed; start again with another --out.")
    return {"rows": next_row, "predicted": classes.total(), "errors": dict(errors.most_common()),
            "classes": dict(classes.most_common()), "examples": examples[:20]}


def load(path, batch_size, engine, folder):
    """Load a checkpoint or an exported MindIR, by its name, with an engine in its place.

    Args:
        path: str or Path.
        batch_size: int.
        engine, folder: see `accelerate`. One process at a time looks into the folder, so that
            those of one machine, which start together, take the same engine.

    Returns:
        Model.

    Raises:
        LabError: see `load_model`, `load_mindir` and `accelerate`.
    """
    from src_mindspore.evaluation.accelerate import accelerate
    from src_mindspore.model import load_mindir, load_model
    model = load_mindir(path) if Path(path).suffix == ".mindir" else load_model(path, batch_size)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        return accelerate(model, engine, folder)
