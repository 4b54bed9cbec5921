"""Reader of the published FGVC-Aircraft layout: one folder of images, and lists that name them.

    images/0034309.jpg ...
    variants.txt, families.txt, manufacturers.txt                a class a line
    images_variant_train.txt, ..._val.txt, ..._trainval.txt, ..._test.txt     `0034309 737-300`
    images_family_train.txt ..., images_manufacturer_train.txt ...

Maji et al., "Fine-Grained Visual Classification of Aircraft", 2013 (arXiv:1306.5151). The last 20
rows of every image are a banner that names its photographer; the authors ask to cut it off before
training, and a network could recognise it. `banner_rows` says so to the PreprocessSpec.
"""
from src_mindspore.data.classes import ClassNames
from src_mindspore.errors import LabError

LEVELS = {"variant": "variants.txt", "family": "families.txt",
          "manufacturer": "manufacturers.txt"}
BANNER = 20
LISTED = 5


def is_fgvc(root):
    """True where a folder (Path) has the layout of FGVC-Aircraft."""
    return (root / "images").is_dir() and any(
        _list_of(root, level, split).is_file() for level in LEVELS for split in ("train",
                                                                                "trainval"))


def banner_rows(crop_bottom, root):
    """Return how many rows are cut off the bottom of every photo.

    Args:
        crop_bottom: int of the configuration; -1 leaves it to the layout.
        root: Path of the data folder, or None.
    """
    if crop_bottom >= 0:
        return crop_bottom
    return BANNER if root is not None and is_fgvc(root) else 0


def level_of(root, names):
    """Return the level ('variant', ...) whose classes a model knows; 'variant' where none fits.

    Args:
        root: Path of an FGVC folder.
        names: tuple of str, folders of the model's ClassNames.
    """
    for level in LEVELS:
        if any(_list_of(root, level, split).is_file() for split in ("train", "trainval")) \
                and set(_classes(root, level)) <= set(names):
            return level
    return "variant"


def read_fgvc(root, level="variant"):
    """Read the lists of an FGVC folder.

    Args:
        root: Path.
        level: 'variant', 'family' or 'manufacturer'.

    Returns:
        (ClassNames, dict from split to list of (path, label), list of paths of images in no
        list). Without lists for train and val, trainval is train. A slash in a class name becomes
        a minus in its identity, which also names files.

    Raises:
        LabError: a list is missing, has a line that is none, names an unknown class or an absent
            file, or an image stands in it twice or in two splits.
    """
    names = _classes(root, level)
    label_of = {name: label for label, name in enumerate(sorted(names))}
    classes = ClassNames(tuple(sorted(names)), *[tuple(names[n] for n in sorted(names))] * 2)
    present = {file.stem: file for file in sorted((root / "images").iterdir())
               if not file.name.startswith(".")}
    has = {split: _list_of(root, level, split).is_file()
           for split in ("train", "val", "trainval", "test")}
    sources = {"train": "train", "val": "val", "test": "test"}
    if not has["train"]:
        sources = {"train": "trainval", "test": "test"}
    elif not has["val"]:
        del sources["val"]
    splits, where = {}, {}
    for split, source in sources.items():
        if not has[source] and split == "test":
            continue
        listing = _list_of(root, level, source)
        lines = _read_list(listing, names)
        absent = [(line, image) for line, image, _ in lines if image not in present]
        if absent:
            raise LabError(
                f"{listing} names {len(absent)} images that are not in {root / 'images'}: "
                + ", ".join(f"{image} (line {line})" for line, image in absent[:LISTED])
                + (", ..." if len(absent) > LISTED else "") + ". Expected a file such as "
                f"{absent[0][1]}.jpg for each. Unpack the archive again, or remove the lines.")
        for line, image, _ in lines:
            if image in where:
                raise LabError(f"{listing}, line {line}: the image {image} stands in "
                               f"{where[image]} already; expected every image once, in one split.")
            where[image] = f"{listing.name}, line {line},"
        splits[split] = sorted((present[image].relative_to(root).as_posix(), label_of[name])
                               for _, image, name in lines)
    if has["train"] and has["val"] and has["trainval"]:
        _require_union(root, level)
    return classes, splits, [file.relative_to(root).as_posix() for image, file in present.items()
                             if image not in where]


def _list_of(root, level, split):
    return root / f"images_{level}_{split}.txt"


def _identity(name):
    return name.replace("/", "-")


def _classes(root, level):
    """Return a dict from identity to name of the classes of a level."""
    path = root / LEVELS[level]
    if not path.is_file():
        raise LabError(f"{root} has no {path.name}, which lists the classes of the level {level}, "
                       f"one a line. Unpack the archive again, or choose another --fgvc_level.")
    lines = [line.strip() for line in _text(path).splitlines() if line.strip()]
    names = {_identity(line): line for line in lines}
    if len(names) < len(lines):
        raise LabError(f"{path} lists {len(lines)} classes, {len(lines) - len(names)} of them "
                       "twice; expected every class once.")
    return names


def _read_list(path, names):
    """Return (line number, image, identity of its class) of every line that is not empty."""
    if not path.is_file():
        raise LabError(f"There is no {path}; expected lines `image class`, such as `0034309 "
                       "737-300`. Unpack the archive again, or choose another --fgvc_level.")
    lines = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip():
            continue
        image, _, name = line.strip().partition(" ")
        identity = _identity(name.strip())
        if identity not in names:
            what = f"the class {name.strip()!r} is not among the {len(names)} known ones" \
                if name.strip() else f"{line.strip()!r} has no class"
            raise LabError(f"{path}, line {number}: {what}. Expected `image class`, such as "
                           f"`{image} {next(iter(names.values()))}`.")
        lines.append((number, image, identity))
    if not lines:
        raise LabError(f"{path} is empty; expected lines `image class`.")
    return lines


def _require_union(root, level):
    """Refuse a trainval list that is not train and val together: one of the three is damaged."""
    train, val, both = ({line.split(" ", 1)[0] for line in
                         _text(_list_of(root, level, split)).splitlines() if line.strip()}
                        for split in ("train", "val", "trainval"))
    different = sorted((train | val) ^ both)
    if different:
        side = "only in trainval" if different[0] in both else "not in trainval"
        raise LabError(f"The lists of {root} disagree: {len(different)} images, such as "
                       f"{different[0]} ({side}). Expected images_{level}_trainval.txt to be "
                       f"train and val together; unpack the archive again, or remove it.")


def _text(path):
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"{path} cannot be read: {error}.") from error
