"""The parts of a bulk prediction: photos to one Parquet file each, and the count of them all."""
import collections
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock
from scipy.special import softmax

from src_mindspore.data.decode import BadImage, decode, read_file
from src_mindspore.data.preprocess import preprocess
from src_mindspore.data.threads import map_in_order
from src_mindspore.deploy.bulk_job import open_job
from src_mindspore.errors import LabError
from src_mindspore.files import replacing
from src_mindspore.runtime import usable_cores

TOP = 5
# A file is read whole before its header is looked at; no photo of 100 megapixels is larger.
MAX_BYTES = 300_000_000
SCHEMA = pa.schema([
    ("row", pa.int64()), ("path", pa.string()), ("label", pa.int32()), ("class", pa.string()),
    ("name", pa.string()), ("probability", pa.float32()), ("top5_labels", pa.list_(pa.int32())),
    ("top5_classes", pa.list_(pa.string())), ("top5_probabilities", pa.list_(pa.float32())),
    ("model_sha256", pa.string()), ("error_kind", pa.string()), ("error", pa.string())])
PROBLEMS = {
    "outside": "lies outside the folder that photos may be read from",
    "duplicate": "stands in the manifest before",
    "name": "is not a name that can be written as text",
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
            table = self._predict(pq.read_table(self.job.inventory(part)))
            with replacing(self.job.predictions(part)) as temporary:
                pq.write_table(table, temporary, compression="zstd")
        return {"part": part, "rows": self.job.rows_of(part)}

    def _predict(self, inventory):
        if self.model is None:
            model = self.load()
            if model.sha256 != self.job.model_sha256:
                raise LabError(f"The model has changed: its SHA-256 is {model.sha256}, the job in "
                               f"{self.job.out} began with {self.job.model_sha256}. Put the old "
                               "file back, or start a new job in another --out.")
            self.model = model
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
            data = read_inside(self.job.root, path)
            # Strictly: the decoder fills what a cut-off file lacks with grey, and a model would
            # give that a name.
            return preprocess(decode(data, strict=True), self.model.preprocess), "", ""
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


def read_inside(root, path):
    """Return the bytes of a regular file that lies below a root also when links are followed.

    Args:
        root: str, absolute and without links.
        path: str, relative to it.

    Raises:
        BadImage: kind 'absent', 'outside', 'not-a-file', 'enormous', or as `read_file`.
    """
    real = os.path.realpath(os.path.join(root, path))
    if not real.startswith(os.path.join(root, "")):
        raise BadImage("outside", f"is a link to {real}, {PROBLEMS['outside']}")
    try:
        status = os.stat(real)
    except FileNotFoundError:
        raise BadImage("absent", "does not exist") from None
    except OSError as error:
        raise BadImage("unreadable", f"cannot be read: {error.strerror}") from None
    if not stat.S_ISREG(status.st_mode):  # a pipe would be waited for, for ever
        raise BadImage("not-a-file", "is a folder, a pipe or a device")
    if status.st_size > MAX_BYTES:
        raise BadImage("enormous", f"has {status.st_size:,} bytes; at most {MAX_BYTES:,} are read")
    return read_file(real)


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
