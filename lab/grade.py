"""Grade hand-ins: each runs confined, is asked about hidden photos, and gets feedback.

    python -m lab.grade SUBMISSIONS --data HIDDEN --out results/grades     # the teacher
    python -m lab.grade --check main.py                                    # a student, on val

SUBMISSIONS holds a folder or a zip for each hand-in, with main.py and what it loads. HIDDEN holds
photos in class folders. Interrupted, the same command goes on. docs/grading.md says what is
enforced and what the columns mean.
"""
import argparse
import dataclasses
import sys
from pathlib import Path

from config import config
from lab.grading.limits import Limits
from lab.grading.parallel import grade_all
from lab.grading.photos import HiddenPhotos
from lab.grading.protection import find_protection, require_out_of_reach
from lab.grading.record import record_of
from lab.grading.report import feedback, rows_of, write_grades
from lab.grading.submissions import Submission, find_submissions
from lab.grading.texts import protection_rows
from src_mindspore.configuration import Parser
from src_mindspore.data.folder import find_data
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.evaluation.tables import format_percent, format_table, shorten
from src_mindspore.runtime import usable_cores

HEADERS = {
    "en": ("rank", "may be", "hand-in", "right", "top-1", "95 % interval", "what went wrong"),
    "zh": ("名次", "可能名次", "作业", "答对", "正确率", "95 % 区间", "出了什么问题"),
}


def main(argv):
    """Grade all, or try one; returns the exit code."""
    args = parse(argv)
    limits = Limits(**{field.name: getattr(args, field.name)
                       for field in dataclasses.fields(Limits)})
    return check(args, limits) if args.check else grade(args, limits)


def grade(args, limits):
    """Grade every hand-in of a folder and say where to look."""
    submissions, others = find_submissions(args.submissions)
    protection = find_protection()
    for rule, how, enforced in protection_rows(protection, args.language):
        print(f"{' ' if enforced else '!'} {rule}: {how}")
    if protection.gaps and not args.weak:
        raise LabError("This machine cannot keep hand-ins from what they must not reach (the lines "
                       "that begin with '!'). Let this user make user namespaces, or take a kernel "
                       "with Landlock; docs/grading.md says how. With --weak they run all the "
                       "same: only for hand-ins that you trust.")
    photos = HiddenPhotos(args.data, args.split or _hidden_split(args.data), args.channels)
    out = Path(args.out)
    require_out_of_reach({"The data folder": photos.root, "The output folder": out,
                          "The folder of hand-ins": Path(args.submissions)})
    if others:
        print(f"left alone, because neither a folder nor a zip: {', '.join(others)}")
    records = grade_all(submissions, photos, protection, limits, out / "records", args.jobs,
                        args.again)
    rows = rows_of(records, photos, args.language)
    write_grades(out, rows, photos, protection, limits, args.language)
    print("\n" + format_table(HEADERS[args.language], [
        (row.rank.place, f"{row.rank.best}-{row.rank.worst}", shorten(row.name, 30),
         f"{row.score.correct}/{row.score.n}", format_percent(row.score.share),
         " - ".join(map(format_percent, row.score.interval)), shorten(row.reason, 70))
        for row in rows]))
    print(f"\ntable:    {out / 'grades.csv'}\npage:     {out / 'grades.html'}\n"
          f"feedback: {out / 'feedback'}")
    return 0


def check(args, limits):
    """Ask one hand-in about val and print its feedback; 1 where anything went wrong."""
    path = Path(args.check).resolve()
    folder = path.parent if path.name == "main.py" else path
    if not path.exists():
        raise LabError(f"There is no hand-in {args.check}. Expected the path of main.py, of its "
                       "folder, or of a zip.")
    photos = HiddenPhotos(args.data or config.dataset_path, args.split or "val", args.channels)
    name = folder.stem if folder.is_file() else folder.name
    record = record_of(Submission(name, folder), photos, find_protection(), limits)
    row, = rows_of([record], photos, args.language)
    print(f"\n{feedback(row, photos, args.language)}")
    if record["output"].strip():
        print(f"main.py: >>>\n{record['output'].rstrip()}\n<<<")
    return 1 if row.reason else 0


def parse(argv):
    """Read the command line."""
    parser = Parser(prog="python -m lab.grade", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("submissions", nargs="?", metavar="SUBMISSIONS",
                        help="folder with a folder or a zip for each hand-in")
    parser.add_argument("--data", metavar="FOLDER", help="the hidden photos; with --check the data "
                        f"to try on (default {config.dataset_path})")
    parser.add_argument("--out", metavar="FOLDER", default="results/grades",
                        help="where grades, page, feedback and records go (default %(default)s)")
    parser.add_argument("--check", metavar="main.py", help="try one hand-in on val, write nothing")
    parser.add_argument("--channels", choices=("RGB", "BGR"), default="RGB",
                        help="what predict is handed: RGB in the course's current text, BGR in "
                        "that of 2021 (default %(default)s)")
    parser.add_argument("--split", help="which split, where the data has splits (default test, "
                        "else val)")
    parser.add_argument("--jobs", type=int, default=usable_cores(),
                        help="hand-ins at once, each on a core of its own (default %(default)s)")
    parser.add_argument("--language", choices=("en", "zh"), default=config.language,
                        help="of the page and the feedback (default %(default)s)")
    parser.add_argument("--again", action="store_true", help="ask hand-ins again that were asked")
    parser.add_argument("--weak", action="store_true",
                        help="grade although this machine cannot confine hand-ins")
    for field in dataclasses.fields(Limits):
        parser.add_argument(f"--{field.name}", type=field.type, default=field.default, metavar="X",
                            help="limit of each hand-in (default %(default)s)")
    args = parser.parse_args(argv)
    if bool(args.check) == bool(args.submissions):
        raise LabError("Name a folder of hand-ins (with --data FOLDER), or one hand-in with "
                       "--check main.py.")
    if args.submissions and not args.data:
        raise LabError("Name the hidden photos: --data FOLDER.")
    for name in ("jobs", *(field.name for field in dataclasses.fields(Limits))):
        if not getattr(args, name) > 0:
            raise LabError(f"--{name} is {getattr(args, name)}; expected a number above 0.")
    return args


def _hidden_split(data):
    root = find_data(data)
    return "test" if root and (root / "test").is_dir() else "val"


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
