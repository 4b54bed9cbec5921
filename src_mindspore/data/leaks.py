"""Photos that validation or test will ask about do not belong into train."""
from src_mindspore.data.scan import empty_classes, explain_empty, listing
from src_mindspore.errors import LabError


def handle_leaks(report, classes, records, leaks):
    """Keep photos that validation or test will ask about out of train.

    Byte-identical copies are a mistake in the data that its owner should know of, so they stop the
    run. Near copies (saved again, resized, mirrored, made brighter) are common in photos from the
    web; the copies in train are left out and named.

    Args:
        report: AuditReport.
        classes: ClassNames of the folder.
        records: list of FileRecord.
        leaks: 'refuse' as above, 'drop' leaves byte-identical copies out too, 'allow' keeps all.

    Returns:
        list of FileRecord.

    Raises:
        LabError: leaks is 'refuse' and a file stands in two splits byte for byte, or a class of
            train holds nothing but copies.
    """
    if not report.leaks:
        return records
    exact = [leak for leak in report.leaks if leak.exact]
    if leaks == "allow":
        print(f"warning: {len(report.leaks)} photos stand in two splits (leaks is allow); scores "
              "on them say nothing about new photos.")
        return records
    if exact and leaks == "refuse":
        raise LabError(
            f"{len(exact)} photos of {report.name} stand in two splits, so the scores would be too "
            "good:\n" + listing(exact) + "\n" + "".join(f"{trap}\n" for trap in report.traps)
            + "Expected every photo in one split only. Remove the copies from train, leave them "
            "out with `--leaks drop`, or go on all the same with `--leaks allow`; "
            "`python -m src_mindspore.data.audit PATH` pictures them.")
    split_of = {record.path: record.split for record in records}
    doomed = {path for group in report.duplicates
              if len({split_of[p] for p in group.paths}) > 1
              for path in group.paths if split_of[path] == "train"}
    from_train = [leak for leak in report.leaks if split_of[leak.twin] == "train"]
    others = [leak for leak in report.leaks if split_of[leak.twin] != "train"]
    if from_train:
        print("left out of train, because val or test shows the same photo: "
              f"{len(doomed)}\n" + listing(from_train))
    if others:
        print("warning: photos that stand in val and in test; scores on test are too good:\n"
              + listing(others))
    records = [record for record in records if record.path not in doomed]
    empty = empty_classes(classes, (r for r in records if r.split == "train"))
    if empty:
        raise LabError("Without these copies nothing is left to learn from. "
                       + " ".join(explain_empty(name, english) for name, english in empty))
    return records
