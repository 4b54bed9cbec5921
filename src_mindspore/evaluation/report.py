"""A run's report: report.md, and report.html as one file that can be mailed or printed."""
import base64
import json
import re
from pathlib import Path

import jinja2
from markupsafe import Markup

from src_mindspore.evaluation.tables import format_percent, printable
from src_mindspore.files import write_text

TEMPLATES = Path(__file__).parent / "templates"
DRAWN = "drawn data, not photos"
# Keys of content["files"] whose PNG is shown in the report.
PICTURES = {
    "curves": "Loss, accuracy and learning rate per epoch",
    "confusion": "Confusion matrix",
    "mistakes": "The worst mistakes",
    "class_balance": "Photos per class",
}


def write_report(run_dir, content):
    """Write report.md and report.html into a run's folder, atomically.

    Every text of `content` is escaped. What is absent or empty drops its section.

    Args:
        run_dir: str or Path of the run.
        content: dict. `title` is needed; the rest is optional:
            is_drawn (bool: the title then says that these are no photos), date, preset, command,
            summary, repeat (str);
            result (dict of `metrics.evaluate`);
            chosen (dict: epoch, rule, val_top1, val_loss);
            history (list of dicts, see `plots.plot_history`);
            data (dict: root, classes (int or names), counts (split to int), skipped (list of
            {path, reason} or str), notes (list of str));
            what, timings (name to seconds), environment, export (dicts, shown as they are);
            config (dict, shown folded up);
            files (dict from name to path relative to run_dir; the PNGs named as in PICTURES are
            shown).

    Returns:
        tuple of two Paths: report.md, report.html.

    Raises:
        LabError: a file cannot be written.
    """
    run_dir = Path(run_dir)
    files = content.get("files") or {}
    pictures = {name: str(files[name]) for name in PICTURES
                if name in files and (run_dir / files[name]).is_file()}
    values = {
        **content,
        "heading": f"{content['title']} ({DRAWN})" if content.get("is_drawn") else content["title"],
        "drawn": DRAWN,
        "interval": explain_interval(content["result"]) if content.get("result") else None,
        "pictures": pictures,
        "embedded": {name: data_url(run_dir / path) for name, path in pictures.items()},
        "captions": PICTURES,
        "names": {row["folder"]: both_names(row)
                  for row in (content.get("result") or {}).get("per_class", ())},
    }
    markdown, html = run_dir / "report.md", run_dir / "report.html"
    write_text(markdown, _tidy(_environment(escape_markdown).get_template("report.md.j2")
                               .render(values)))
    write_text(html, _environment(None).get_template("report.html.j2").render(values))
    return markdown, html


def explain_interval(result):
    """Return in plain language what the accuracy and its interval mean.

    Args:
        result: dict with correct, n, top1 and interval.

    Returns:
        str, such as '122 of 130 (93.8 %): the true accuracy plausibly lies between 88.3 % and
        96.8 % (95 % Wilson interval); one photo is 0.77 points.'
    """
    low, high = result["interval"]
    return (f"{result['correct']} of {result['n']} ({format_percent(result['top1'])}): the true "
            f"accuracy plausibly lies between {format_percent(low)} and {format_percent(high)} "
            f"(95 % Wilson interval); one photo is {100 / result['n']:.2f} points.")


def both_names(row):
    """Return 'Hats / 帽子' for a row of per_class, or the one name where both are the same."""
    english, chinese = row["english"], row["chinese"]
    return english if english == chinese else f"{english} / {chinese}"


def escape_markdown(value):
    """Return `value` as Markup that Markdown shows literally, on one line; Markup passes."""
    if isinstance(value, Markup | jinja2.Undefined):
        return value
    text = printable(value).replace("&", "&amp;").replace("<", "&lt;")
    # An underscore within a word is literal anyway, and folder names stay readable.
    return Markup(re.sub(r"[\\`*\[\]|>#~]|(?<!\w)_|_(?!\w)", r"\\\g<0>", text))


def _environment(finalize):
    # HTML is escaped by Jinja itself, Markdown by `finalize`: neither depends on a template's care.
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES, encoding="utf-8"), autoescape=True,
        finalize=finalize, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.ChainableUndefined)
    environment.filters.update(percent=_percent, number=_number, seconds=_seconds, plain=_plain,
                               label=_label, json=_json, fenced=_fenced, printable=printable)
    return environment


def _tidy(text):
    """Return Markdown without the runs of empty lines that absent sections leave."""
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def data_url(path):
    """Return a PNG file (Path) as the text that an HTML page embeds it with."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode("ascii")


def _percent(share):
    return format_percent(None if isinstance(share, jinja2.Undefined) else share)


def _number(value):
    if value is None or isinstance(value, jinja2.Undefined):
        return "-"
    return str(value) if isinstance(value, int | str) else f"{value:.4g}"


def _seconds(value):
    if not isinstance(value, int | float):
        return value
    return f"{value:.1f} s" if value < 60 else f"{int(value // 60)} min {value % 60:.0f} s"


def _plain(value):
    """Return a value of a dict for people: yes and no, lists with commas, the rest as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_plain(item)}" for key, item in value.items())
    return f"{value:.6g}" if isinstance(value, float) else value


def _label(key):
    return str(key).replace("_", " ")


def _json(value):
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def _fenced(text):
    """Return a Markdown code block whose fence is longer than any run of backticks in `text`."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", str(text))), default=0))
    lines = "\n".join(map(printable, str(text).splitlines()))
    return Markup(f"{fence}\n{lines}\n{fence}")  # a code block is literal: nothing to escape
