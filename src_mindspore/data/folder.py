"""A folder of photos: its layout, its classes and its files. No pixel is read here."""
import dataclasses
import os
from pathlib import Path

from src_mindspore.data.classes import ClassNames, name_classes
from src_mindspore.data.decode import EXTENSIONS
from src_mindspore.data.fgvc import is_fgvc, read_fgvc
from src_mindspore.errors import LabError

SPLITS = ("train", "val", "test")
LAYOUTS = ("expected root/{train,val}/<class>/photo.jpg or root/<class>/photo.jpg with at least "
           "two classes")


@dataclasses.dataclass(frozen=True, slots=True)
class ImageFile:
    """One file.

    Attributes:
        path: str, relative to the root, with forward slashes: the identity of the image.
        label: int, position in the folder's classes.
    """

    path: str
    label: int


@dataclasses.dataclass(frozen=True)
class ImageFolder:
    """A data folder as found on disk.

    Attributes:
        root: Path.
        classes: ClassNames, from the sorted folder names of train (or of the root).
        splits: dict from split name to tuple of ImageFile in sorted order. A plain folder has the
            single key 'all' and has to be split (see `split.py`).
        others: tuple of str, relative paths of files in class folders that have no photo's
            extension, or that no list of an FGVC folder names.
    """

    root: Path
    classes: ClassNames
    splits: dict
    others: tuple = ()

    @property
    def is_plain(self):
        """True where the folder holds classes but no train/val split."""
        return "all" in self.splits

    def files(self):
        """Yield (split name, ImageFile) of every file."""
        for split, files in self.splits.items():
            for file in files:
                yield split, file


def find_data(path, environ=os.environ):
    """Find the photos: the path itself, else the same name under the folder LAB_DATA names.

    Args:
        path: str, as configured (for example ./datasets/garbage_26x100).
        environ: mapping with, perhaps, LAB_DATA.

    Returns:
        Path of an existing folder, or None.
    """
    candidates = [Path(path)]
    if environ.get("LAB_DATA"):
        candidates.append(Path(environ["LAB_DATA"]) / Path(path).name)
    return next((c for c in candidates if c.is_dir()), None)


def read_folder(root, least_classes=2, fgvc_level="variant"):
    """Look at a data folder.

    Args:
        root: str or Path.
        least_classes: int; a classifier learns from two at least, an evaluation may ask about one.
        fgvc_level: which classes of an FGVC-Aircraft folder (see fgvc.py).

    Returns:
        ImageFolder.

    Raises:
        LabError: no such folder, no permission, no class folders, fewer than two classes, or a
            split with a class that train does not have; or see `read_fgvc`.
    """
    root = Path(root)
    if not root.exists():
        raise LabError(f"There is no data folder {root}; {LAYOUTS}. Check dataset_path, or set the "
                       "environment variable LAB_DATA to the folder that holds "
                       f"{root.name or 'it'}. Without photos, `make demo` draws its own.")
    if not root.is_dir():
        raise LabError(f"{root} is a file, not a data folder; {LAYOUTS}.")
    if is_fgvc(root):
        classes, found, others = read_fgvc(root, fgvc_level)
        return ImageFolder(root, classes, {
            split: tuple(ImageFile(path, label) for path, label in files)
            for split, files in found.items()}, tuple(others))
    names = _subfolders(root)
    splits = [name for name in SPLITS if name in names]
    if "train" in splits:
        return _read_split_layout(root, splits, least_classes)
    if splits:
        raise LabError(f"{root} has {', '.join(splits)} but no train folder; {LAYOUTS}. Rename the "
                       "folder to learn from to train.")
    classes = _classes(root, names, root / "label.txt", least_classes)
    others = []
    files = _files(root, "", classes, others)
    return ImageFolder(root, classes, {"all": files}, tuple(others))


def _read_split_layout(root, splits, least_classes):
    classes = _classes(root / "train", _subfolders(root / "train"), root / "label.txt",
                       least_classes)
    found, others = {}, []
    for split in splits:
        unknown = set(_subfolders(root / split)) - set(classes.folders)
        if unknown:
            raise LabError(f"{root / split} has the class folder {sorted(unknown)[0]!r}, which "
                           "train does not have: a model cannot learn a class without photos. "
                           f"Add {root / 'train' / sorted(unknown)[0]} or remove it from {split}.")
        found[split] = _files(root, split, classes, others)
    return ImageFolder(root, classes, found, tuple(others))


def _classes(folder, names, label_file, least):
    if not names:
        raise LabError(f"{folder} holds no class folders; {LAYOUTS}.")
    if len(names) < least:
        raise LabError(f"{folder} holds the single class {names[0]!r}; a classifier needs at least "
                       "two. Add a folder for each further class.")
    return name_classes(names, label_file)


def _files(root, split, classes, others):
    files = []
    for label, folder in enumerate(classes.folders):
        path = root / split / folder
        if not path.is_dir():
            continue  # a split other than train may lack a class
        for entry in list_files(path):
            relative = entry.relative_to(root).as_posix()
            if entry.suffix.lower() in EXTENSIONS:
                files.append(ImageFile(relative, label))
            else:
                others.append(relative)
    if not files and split in ("", "train"):
        raise LabError(f"{root / split} holds class folders but no photo in them; expected files "
                       f"ending in {', '.join(EXTENSIONS)}.")
    return tuple(files)


def list_files(folder):
    """Yield the files below a folder (Path) in sorted order, hidden ones left out.

    Raises:
        LabError: no permission, or a name that is not UTF-8.
    """
    for entry in _list(folder):
        if entry.is_dir():
            yield from list_files(entry)
        else:
            yield entry


def _subfolders(folder):
    return [entry.name for entry in _list(folder) if entry.is_dir()]


def _list(folder):
    try:
        entries = sorted((entry for entry in folder.iterdir() if not entry.name.startswith(".")),
                         key=lambda entry: entry.name)
        for entry in entries:
            entry.name.encode("utf-8")
        return entries
    except UnicodeEncodeError:
        raise LabError(f"{str(folder)!r} holds the name {os.fsencode(entry.name)!r}, which is not "
                       "UTF-8; expected UTF-8 names. It probably comes from a zip packed on a "
                       "Chinese Windows: unpack it again with `unzip -O GBK`, or rename it."
                       ) from None
    except OSError as error:
        raise LabError(f"{folder} cannot be read: {error.strerror}. Change its permissions "
                       f"(chmod u+rx {str(folder)!r}) or run as a user who may read it.") from error
