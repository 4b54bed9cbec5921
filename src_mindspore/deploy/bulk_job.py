"""What a bulk prediction is about: every input row, numbered, in files of a few thousand rows.

    OUT/job.json                        the model, the input, how many rows and parts
    OUT/inventory/part-000000.parquet   row, path, problem: what part 0 has to answer
    OUT/predictions/part-000000.parquet its answers, see bulk_parts.py
    OUT/summary.json                    the verified counts, written last

The inventory is taken once. Memory holds one part, or the names of one folder while it is listed.
"""
import dataclasses
import itertools
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from src_mindspore.data.decode import EXTENSIONS
from src_mindspore.deploy.repeats import RepeatFinder
from src_mindspore.errors import LabError
from src_mindspore.files import read_json, replacing, sha256_of, write_json

INVENTORY = pa.schema([("row", pa.int64()), ("path", pa.string()), ("problem", pa.string())])
PROBED = 100  # rows of a manifest that are looked for before a long job starts


@dataclasses.dataclass(frozen=True)
class Job:
    """A bulk prediction, as stored in job.json.

    Attributes:
        out: Path of the job's folder.
        root: str, absolute; no file outside it is read.
        source: str, absolute path of the folder or manifest.
        source_sha256: str, of a manifest; '' for a folder.
        model_sha256: str, of the model's file.
        rows: int, input rows.
        part_rows: int, rows of every part but the last.
    """

    out: Path
    root: str
    source: str
    source_sha256: str
    model_sha256: str
    rows: int
    part_rows: int

    @property
    def parts(self):
        """How many parts there are; int."""
        return -(-self.rows // self.part_rows)

    def rows_of(self, part):
        """Return how many rows a part has."""
        return min(self.part_rows, self.rows - part * self.part_rows)

    def inventory(self, part):
        """Return the Path of what a part has to answer."""
        return self.out / "inventory" / f"part-{part:06}.parquet"

    def predictions(self, part):
        """Return the Path of a part's answers."""
        return self.out / "predictions" / f"part-{part:06}.parquet"

    def begun(self, part):
        """Return the Path of a note that is there while a process works on a part; one that dies
        leaves it behind."""
        return self.out / "predictions" / f".begun-{part:06}"


def open_job(out):
    """Return the Job of a folder, None where there is none yet.

    Raises:
        LabError: job.json is damaged.
    """
    path = Path(out) / "job.json"
    if not path.exists():
        return None
    try:
        return Job(Path(out), **read_json(path))
    except TypeError:
        raise LabError(f"{path} is not the record of a bulk prediction (damaged, or of another "
                       "version). Choose another --out.") from None


def prepare_job(source, root, out, model_sha256, part_rows, progress=True):
    """Return the Job, taking the inventory where that has not been done.

    Args:
        source: Path of a folder of photos, or of a manifest: UTF-8 text, a path a line.
        root: Path that no photo may lie outside of, and that relative paths start from; None: the
            folder itself, or the manifest's folder.
        out: Path of the job's folder.
        model_sha256: str.
        part_rows: int.
        progress: bool.

    Raises:
        LabError: nothing to predict, or `out` belongs to another model, input or division.
    """
    source, out = Path(source), Path(out).absolute()
    if not source.exists():
        raise LabError(f"There is no folder or manifest {source}. Expected a folder of photos, or "
                       "a text file with the path of a photo on each line.")
    root = Path(root or (source if source.is_dir() else source.parent)).resolve()
    if not root.is_dir():
        raise LabError(f"--root is {root}, which is not a folder; expected the folder that holds "
                       "all photos of the manifest.")
    asked = {"root": str(root), "source": str(source.resolve()),
             "source_sha256": "" if source.is_dir() else sha256_of(source),
             "model_sha256": model_sha256, "part_rows": part_rows}
    job = open_job(out)
    if job:
        _require_same(job, asked)
        print(f"going on in {out}: {job.rows:,} rows in {job.parts:,} parts, as listed before")
        return job
    if out.exists() and any(f for f in out.iterdir() if not f.name.startswith(".")
                            and f.name != "inventory"):
        raise LabError(f"{out} holds other files. Choose an --out of its own for these "
                       "predictions.")
    rows = _take_inventory(source, root, out, part_rows, progress)
    write_json(out / "job.json", {**asked, "rows": rows})
    return open_job(out)


def _require_same(job, asked):
    names = {"root": "another root", "source": "another folder or manifest",
             "source_sha256": "another content of the manifest", "model_sha256": "another model",
             "part_rows": "another --part_rows"}
    for name, what in names.items():
        if getattr(job, name) != asked[name]:
            raise LabError(f"{job.out} holds predictions with {what}: {getattr(job, name)} there, "
                           f"{asked[name]} now. One folder holds one job; choose another --out, or "
                           "delete that folder if it is no longer needed.")


def _take_inventory(source, root, out, part_rows, progress):
    """Write the inventory; return the number of rows."""
    folder = out / "inventory"
    shutil.rmtree(folder, ignore_errors=True)  # of a listing that was interrupted
    folder.mkdir(parents=True)
    listed = photos_of(source) if source.is_dir() else rows_of_manifest(source, root, out)
    rows, waiting = 0, []
    with tqdm(listed, "list", unit="row", disable=not progress, mininterval=0.5) as bar:
        for path, problem in bar:
            waiting.append((rows, path, problem))
            rows += 1
            if len(waiting) == part_rows:
                _write_inventory(folder, rows, waiting, part_rows)
                waiting = []
    if waiting:
        _write_inventory(folder, rows, waiting, part_rows)
    if not rows:
        raise LabError(f"{source} names no photo. Expected files ending in "
                       f"{', '.join(EXTENSIONS)} in the folder, or a path on each line of the "
                       "manifest.")
    return rows


def _write_inventory(folder, rows, waiting, part_rows):
    table = pa.Table.from_arrays([pa.array(column) for column in zip(*waiting, strict=True)],
                                 schema=INVENTORY)
    with replacing(folder / f"part-{(rows - 1) // part_rows:06}.parquet") as temporary:
        pq.write_table(table, temporary)


def photos_of(folder):
    """Yield (path, problem) of every photo below a folder, a subfolder after the other.

    Args:
        folder: Path.

    Yields:
        (str, str): relative path with forward slashes; '' or 'name' where it is not UTF-8, so that
        no text can hold it.

    Raises:
        LabError: a folder cannot be read.
    """
    waiting = [""]
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(folder / here) as entries:
                found = sorted((e.name, e.is_dir(follow_symlinks=False)) for e in entries
                                if not e.name.startswith("."))
        except OSError as error:
            raise LabError(f"{folder / here} cannot be read: {error.strerror}. Change its "
                           "permissions, or run as a user who may read it.") from error
        for name, is_folder in found:
            path = f"{here}/{name}" if here else name
            if is_folder:
                continue
            if os.path.splitext(name)[1].lower() in EXTENSIONS:
                shown = os.fsencode(path).decode("utf-8", "backslashreplace")
                yield shown, "" if shown == path else "name"
        waiting += [f"{here}/{name}" if here else name
                    for name, is_folder in reversed(found) if is_folder]


def rows_of_manifest(manifest, root, scratch):
    """Yield (path, problem) of every line of a manifest that is not blank.

    Args:
        manifest: Path of a UTF-8 text.
        root: Path, resolved.
        scratch: Path of a folder for the search for repeated lines.

    Yields:
        (str, str): path relative to root, or the line as it stands where it has a problem; '',
        'outside' (of the root), 'duplicate' (of an earlier line) or 'name' (no path at all).

    Raises:
        LabError: it is not UTF-8 text, or names none of the first photos that exist.
    """
    finder = RepeatFinder(scratch)
    with finder:
        for path, _ in _lines(manifest, root):
            finder.add(path)
        repeated = finder.repeats()
        _require_some(manifest, root)
        next_repeat = next(repeated, None)
        for row, (path, problem) in enumerate(_lines(manifest, root)):
            if row == next_repeat:
                problem = problem or "duplicate"
                next_repeat = next(repeated, None)
            yield path, problem


def _lines(manifest, root):
    number = 0
    try:
        with open(manifest, encoding="utf-8-sig", newline=None) as lines:
            for number, line in enumerate(lines, 1):  # noqa: B007 (for the message)
                if line.strip():
                    yield relative_to(line.rstrip("\n").strip(), root)
    except UnicodeDecodeError:
        raise LabError(f"{manifest} is not UTF-8 text after line {number}. Expected the path of a "
                       "photo on each line; save it as UTF-8.") from None
    except OSError as error:
        raise LabError(f"{manifest} cannot be read: {error.strerror}.") from error


def relative_to(line, root):
    """Return (path, problem) of a line: relative to the root with forward slashes, see above."""
    if "\0" in line:
        return line.replace("\0", "\\0"), "name"
    path = os.path.normpath(os.path.join(root, line))
    inside = os.path.relpath(path, root)
    if inside == "." or inside.split(os.sep)[0] == "..":
        return line, "outside"
    return inside.replace(os.sep, "/"), ""


def _require_some(manifest, root):
    """Refuse a wrong root before it makes an error of every row."""
    first = list(itertools.islice(_lines(manifest, root), PROBED))
    absent = [path for path, problem in first if not problem and not os.path.exists(root / path)]
    if not first or len(absent) + sum(problem == "outside" for _, problem in first) < len(first):
        return
    if absent:
        raise LabError(f"None of the first {len(first)} photos that {manifest} names exists, for "
                       f"example {root / absent[0]}. Relative paths start from {root}; set --root "
                       "to the folder they start from, and check the manifest.")
    raise LabError(f"The first {len(first)} photos that {manifest} names lie outside {root}, for "
                   f"example {first[0][0]}. No file outside is read; set --root to the folder that "
                   "holds them all.")
