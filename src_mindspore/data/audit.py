"""Look at a data folder before learning from it.

    python -m src_mindspore.data.audit ./datasets/garbage_26x100

prints what was found and writes results/audit/<name>/audit.json and contact_sheet.png. The exit
code is 1 where a photo stands in two splits, else 0.
"""
import argparse
import collections
import dataclasses
from pathlib import Path

from src_mindspore import files
from src_mindspore.data.contact_sheet import draw_contact_sheet
from src_mindspore.data.duplicates import ALIKE, duplicate_groups, hash_distance, similar_pairs
from src_mindspore.data.folder import SPLITS, find_data, read_folder
from src_mindspore.data.scan import empty_classes, explain_empty, is_eggshell, listing, scan
from src_mindspore.errors import run_as_script


@dataclasses.dataclass(frozen=True)
class Twin:
    """A file and its copy in another split.

    Attributes:
        path: str, the file of the later split in the order train, val, test.
        twin: str, the most similar file of an earlier split.
        exact: bool, True for the same bytes.
    """

    path: str
    twin: str
    exact: bool

    def __str__(self):
        return f"{self.path} is the same photo as {self.twin}" \
            + (" (same bytes)" if self.exact else "")


@dataclasses.dataclass(frozen=True)
class AuditReport:
    """What was found in a data folder.

    Attributes:
        name: str, of the folder.
        counts: dict from split to dict from class folder to number of usable photos.
        problems: tuple of FileRecord that cannot be used.
        notes: dict from note ('grey', 'CMYK', ...) to tuple of paths: unusual, but handled.
        others: tuple of paths in class folders that are no photos by extension.
        duplicates: tuple of DuplicateGroup, within and across splits.
        leaks: tuple of Twin: the same photo in two splits.
        alike: tuple of Twin: very similar across splits, often one photo cropped or turned. They
            make validation optimistic, but only a person can tell; they are not refused.
        conflicts: tuple of DuplicateGroup with files of different classes.
        empty: tuple of str, explanations of classes with no photo to learn from.
        single: tuple of class folders with one photo to learn from.
        traps: tuple of str, known faults of the published data that were recognised.
    """

    name: str
    counts: dict
    problems: tuple
    notes: dict
    others: tuple
    duplicates: tuple
    leaks: tuple
    alike: tuple
    conflicts: tuple
    empty: tuple
    single: tuple
    traps: tuple

    @property
    def imbalance(self):
        """Dict from split to the size of its largest class over that of its smallest non-empty."""
        sizes = {split: [n for n in counts.values() if n] for split, counts in self.counts.items()}
        return {split: max(n) / min(n) for split, n in sizes.items() if n}

    def to_dict(self):
        """Return a JSON-able dict."""
        return {**dataclasses.asdict(self), "imbalance": self.imbalance}

    def summary(self):
        """Return the findings as text for a person."""
        parts = [self.name]
        for split, counts in self.counts.items():
            sizes = [n for n in counts.values() if n]
            ratio = f", {min(sizes)} to {max(sizes)} a class (1:{self.imbalance[split]:.1f})" \
                if sizes else ""
            parts.append(f"  {split}: {sum(sizes)} photos in {len(sizes)} classes{ratio}")
        shown = {leak.path for leak in self.leaks}.union(*(g.paths for g in self.conflicts))
        within = [group for group in self.duplicates if not shown & set(group.paths)]
        for title, lines in (
                ("cannot be used", [f"{r.path} {r.reason} [{r.problem}]" for r in self.problems]),
                ("leaks: the same photo in two splits", self.leaks),
                ("known faults of the published data", self.traps),
                ("classes without a photo to learn from", self.empty),
                ("classes with one photo to learn from", self.single),
                ("one photo under different classes", map(_join, self.conflicts)),
                ("copies within a split and class", map(_join, within)),
                ("very alike across splits (not refused; look at them)",
                 [f"{t.path} and {t.twin}" for t in self.alike]),
                ("files left alone: not photos, or in no list", self.others)):
            lines = list(lines)
            if lines:
                parts.append(f"{title}: {len(lines)}\n" + listing(lines))
        for note, paths in self.notes.items():
            parts.append(f"{note}: {len(paths)} (handled), for example {paths[0]}")
        if len(parts) == 1 + len(self.counts):
            parts.append("nothing unusual was found")
        return "\n".join(parts)


def audit(folder, records, progress=True):
    """Examine a data folder.

    Args:
        folder: ImageFolder; its splits count, so a folder divided by `split_plain` may be given.
        records: list of FileRecord from `scan`.
        progress: bool, show the progress on stderr.

    Returns:
        AuditReport.
    """
    splits = {file.path: split for split, file in folder.files()}
    usable = [record for record in records if not record.problem]
    pairs = similar_pairs(folder.root, usable, progress)
    by_path = {record.path: record for record in usable}
    duplicates = duplicate_groups(usable, pairs)
    leaks = _twins(duplicates, splits, by_path)
    leaking = {leak.path for leak in leaks}
    alike = [twin for twin in _twins(duplicate_groups(usable, pairs, ALIKE), splits, by_path)
             if twin.path not in leaking]
    notes = collections.defaultdict(list)
    for record in usable:
        for note in record.notes:
            notes[note].append(record.path)
    learnt = [r for r in usable if splits.get(r.path) in ("train", "all")]
    empty = empty_classes(folder.classes, learnt)
    sizes = collections.Counter(record.label for record in learnt)
    return AuditReport(
        name=folder.root.resolve().name,
        counts=_counts(folder, usable, splits),
        problems=tuple(record for record in records if record.problem),
        notes={note: tuple(notes[note]) for note in sorted(notes)},
        others=folder.others,
        duplicates=tuple(duplicates),
        leaks=tuple(leaks),
        alike=tuple(alike),
        conflicts=tuple(group for group in duplicates
                        if len({by_path[path].label for path in group.paths}) > 1),
        empty=tuple(explain_empty(name, english) for name, english in empty),
        single=tuple(folder.classes.folders[label] for label in sorted(sizes)
                     if sizes[label] == 1),
        traps=tuple(_traps(folder, empty, learnt, duplicates, splits)))


def _twins(groups, splits, by_path):
    """Return a Twin for every file that has a copy in an earlier split."""
    order = {split: place for place, split in enumerate(("all", *SPLITS))}
    twins = []
    for group in groups:
        for path in group.paths:
            earlier = [by_path[other] for other in group.paths
                       if order[splits[other]] < order[splits[path]]]
            if earlier:
                twin = min(earlier, key=lambda other: _difference(other, by_path[path]))
                twins.append(Twin(path, twin.path, twin.sha256 == by_path[path].sha256))
    return twins


def _difference(one, other):
    if one.sha256 == other.sha256:
        return -1
    return hash_distance(one.phash, other.phash)


def _counts(folder, usable, splits):
    counts = collections.Counter((splits.get(r.path), r.label) for r in usable)
    return {split: {name: counts[split, label]
                    for label, name in enumerate(folder.classes.folders)}
            for split in folder.splits}


def _traps(folder, empty, learnt, duplicates, splits):
    """Yield the known faults of the published data that this folder has."""
    names = list(zip(folder.classes.folders, folder.classes.english, strict=True))
    label = next((place for place, name in enumerate(names) if is_eggshell(*name)), None)
    if label is None:
        return
    if names[label] in empty:
        yield explain_empty(*names[label])
        return
    eggs = {record.path for record in learnt if record.label == label}
    copied = {path for group in duplicates
              if any(splits[path] not in ("train", "all") for path in group.paths)
              for path in group.paths if path in eggs}
    if 2 * len(copied) >= len(eggs):
        yield (f"{len(copied)} of {len(eggs)} photos in the train folder of 03_02 (Eggshell) are "
               "copies of its val or test photos. This is a known fault: one published edition of "
               "the data filled the class that way. Replace them by other eggshell photos.")


def _join(group):
    return (" = ".join(group.paths)) + (" (same bytes)" if group.exact else "")


def main(argv):
    """Audit the folder that the command line names; return 1 where a split leaks, else 0."""
    parser = argparse.ArgumentParser(prog="python -m src_mindspore.data.audit",
                                     description="Look at a data folder before learning from it.")
    parser.add_argument("path", help="data folder, or its name under the folder LAB_DATA names")
    parser.add_argument("--out", help="folder of the results, default results/audit/<name>")
    parser.add_argument("--json", help="file of the report, default OUT/audit.json")
    options = parser.parse_args(argv)
    folder = read_folder(find_data(options.path) or options.path)
    out = Path(options.out or Path("results", "audit", folder.root.resolve().name))
    report = audit(folder, scan(folder, out / "scan.jsonl"))
    print(report.summary())
    json_file = Path(options.json or out / "audit.json")
    files.write_json(json_file, report.to_dict())
    sheet = draw_contact_sheet(folder, report, out / "contact_sheet.png")
    print(f"written: {json_file}" + (f", {sheet}" if sheet else ""))
    return 1 if report.leaks else 0


if __name__ == "__main__":
    run_as_script(main)
