"""What a grading leaves behind: grades.csv, a page for the teacher, a file for each student."""
import dataclasses
import tempfile
import time
from pathlib import Path

import jinja2
from markupsafe import Markup

from lab.grading import charts, likeness, texts
from lab.grading.score import Rank, Score, ranks_of, score_of
from lab.grading.traps import Change, find_traps
from src_mindspore.data.drawn import is_drawn
from src_mindspore.evaluation.report import TEMPLATES as LIBRARY_TEMPLATES
from src_mindspore.evaluation.report import data_url, escape_markdown
from src_mindspore.evaluation.tables import format_percent, printable, write_csv
from src_mindspore.files import write_text

# The lab's reports lend their style sheet.
TEMPLATES = (Path(__file__).parent / "templates", LIBRARY_TEMPLATES)
COLUMNS = ("rank", "rank_best", "rank_worst", "submission", "correct", "photos", "top1",
           "interval_low", "interval_high", "answered", "reason", "likely_trap",
           "top1_without_trap", "latency_p50_ms", "latency_p99_ms", "import_seconds",
           "peak_memory_mb", "alike")


@dataclasses.dataclass(frozen=True, eq=False)
class Row:
    """A hand-in with all that is derived from its record.

    Attributes:
        name: str.
        record: see record.py.
        score: Score.
        rank: Rank.
        changes: list of Change that were tried.
        trap: Change that is likely, or None.
        reason: str, one line, '' where nothing went wrong.
    """

    name: str
    record: dict
    score: Score
    rank: Rank
    changes: list
    trap: Change | None
    reason: str


def rows_of(records, photos, language):
    """Score, rank and examine records.

    Args:
        records: list of records (see record.py).
        photos: HiddenPhotos.
        language: 'en' or 'zh', of the reasons.

    Returns:
        list of Row, best first.
    """
    scores = [score_of(record, photos) for record in records]
    rows = []
    for record, score, rank in zip(records, scores, ranks_of(scores), strict=True):
        changes, trap = find_traps(record, photos)
        rows.append(Row(record["submission"], record, score, rank, changes, trap,
                        printable(texts.reason_text(record, score, language))))
    return sorted(rows, key=lambda row: (row.rank.place, row.name))


def write_grades(out, rows, photos, protection, limits, language):
    """Write grades.csv, grades.html and feedback/<hand-in>.md, each atomically.

    Args:
        out: Path of a folder.
        rows: list of Row, best first.
        photos: HiddenPhotos.
        protection, limits: Protection, Limits.
        language: 'en' or 'zh'.

    Raises:
        LabError: a file cannot be written.
    """
    alike = likeness.compare([row.record for row in rows], [row.score for row in rows],
                             likeness.files_given_out())
    write_csv(out / "grades.csv", _csv_rows(rows, photos, alike, language))
    for row in rows:
        write_text(out / "feedback" / f"{row.record['file_name']}.md",
                   feedback(row, photos, language))
    with tempfile.TemporaryDirectory() as folder:
        pictures = {"scores": charts.plot_scores, "classes": charts.plot_classes}
        for name, plot in pictures.items():
            plot(rows, Path(folder) / f"{name}.png", language)
        embedded = {name: data_url(Path(folder) / f"{name}.png") for name in pictures}
    write_text(out / "grades.html", _environment(None).get_template(
        f"grades.{language}.html.j2").render(
            rows=rows, photos=photos, alike=alike, limits=dataclasses.asdict(limits),
            protection=texts.protection_rows(protection, language), pictures=embedded,
            language=language, date=time.strftime("%Y-%m-%d %H:%M"),
            is_drawn=is_drawn(photos.root)))


def feedback(row, photos, language):
    """Return a student's feedback as Markdown that reads well as plain text, too.

    Args:
        row: Row.
        photos: HiddenPhotos.
        language: 'en' or 'zh'.
    """
    text = _environment(escape_markdown).get_template(f"feedback.{language}.md.j2").render(
        row=row, photos=photos, language=language, score=row.score,
        advice=Markup(texts.advice_text(row.trap, photos, language)) if row.trap else None,
        is_drawn=is_drawn(photos.root))
    return text.strip() + "\n"


def _csv_rows(rows, photos, alike, language):
    folders = [f"{folder} {name}" for folder, name in
               zip(photos.classes.folders, photos.classes.in_language(language), strict=True)]
    yield (*COLUMNS, *folders)
    for row in rows:
        score, latency = row.score, row.score.latency or ("", "")
        others = sorted({name for group in alike if row.name in group["names"]
                         for name in group["names"]} - {row.name})
        yield (row.rank.place, row.rank.best, row.rank.worst, _cell(row.name), score.correct,
               score.n, f"{score.share:.6f}", *(f"{bound:.6f}" for bound in score.interval),
               row.record["asked"], _cell(row.reason),
               texts.change_text(row.trap, language) if row.trap else "",
               f"{row.trap.correct / score.n:.6f}" if row.trap else "",
               *(f"{ms:.1f}" if ms != "" else "" for ms in latency),
               _rounded(row.record["import_seconds"]), _rounded(row.record["peak_memory_mb"]),
               _cell(" | ".join(others)),
               *(f"{c['correct']}/{c['n']}" for c in score.per_class))


def _cell(text):
    """Return a hand-in's own text so that a spreadsheet does not take it for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def _milliseconds(value):
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"


def _rounded(value):
    return "" if value is None else f"{value:.1f}"


def _environment(finalize):
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES, encoding="utf-8"), autoescape=True,
        finalize=finalize, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters.update(ms=_milliseconds, percent=format_percent, printable=printable,
                               change=_change, alike=texts.likeness_text,
                               ended=texts.ended_text)
    return environment


def _change(change, language):
    # Our own words: nothing of a hand-in is in them, and brackets would be escaped.
    return Markup(texts.change_text(change, language))
