"""A model card: what a model is for, what it was measured on, and where it must not be trusted.

    python -m src_mindspore.deploy.model_card --run results/latest --out MODEL_CARD.md
    python -m src_mindspore.deploy.model_card --language zh --purpose "教室垃圾分类演示"

The sections are those of Mitchell et al., "Model Cards for Model Reporting", FAT* 2019
(arXiv:1810.03993), as far as they apply. Figures come from the run; purpose and limits only its
author knows, and the card says so where they were not given.
"""
from pathlib import Path

import jinja2

from config import KEYS
from src_mindspore.configuration import Parser, read_yaml
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.evaluation.tables import format_percent, printable
from src_mindspore.files import read_json, write_text
from src_mindspore.weights.sources import SOURCES

TEMPLATES = Path(__file__).parent / "templates"
WEAKEST = 5  # classes listed
FEW = 20     # photos of a class below which its own figure is little more than an anecdote


def model_card(run, language="en", purpose="", limits=""):
    """Return the model card of a finished run as Markdown.

    Args:
        run: Path of a run's folder.
        language: 'en' or 'zh'.
        purpose: str, what the model is meant for and for whom.
        limits: str, known limits besides those that follow from the figures.

    Raises:
        LabError: the folder holds no finished run.
    """
    run = Path(run)
    if not (run / "result.json").is_file():
        raise LabError(f"{run} holds no finished run: there is no result.json. Expected a folder "
                       "such as results/latest; train one with train_head.py first.")
    contract = read_json(run / "best.json")
    metrics = read_json(run / "metrics_val.json")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined, finalize=_plain)
    environment.filters["percent"] = format_percent
    name = "chinese" if language == "zh" else "english"
    return environment.get_template(f"model_card.{language}.md.j2").render(
        contract=contract, metrics=metrics, result=read_json(run / "result.json"),
        environment=read_json(run / "environment.json"),
        config=read_yaml(KEYS, run / "config.yaml"),
        names=[row[name] for row in metrics["per_class"]],
        name_of={row["folder"]: row[name] for row in metrics["per_class"]},
        weakest=_weakest(metrics["per_class"], name),
        fewest=min(row["n"] for row in metrics["per_class"]), few=FEW,
        licence=_licence(contract.get("source", "")), sizes=_sizes(contract["preprocess"]),
        purpose=purpose, limits=limits)


def _plain(value):
    """Keep names from breaking a table: no line ends, no bars."""
    return printable(value).replace("|", "\\|") if isinstance(value, str) and "\n" not in value \
        else value


def _weakest(rows, name):
    """Return the classes with the lowest recall, those without a mistake left out."""
    weak = sorted((row for row in rows if row["n"] and row["recall"] < 1),
                  key=lambda row: row["recall"])
    return [{**row, "name": row[name]} for row in weak[:WEAKEST]]


def _licence(source):
    """Return the licence of the pretrained weights, '' where their source is not one of ours."""
    licences = {known.licence for part in source.split(" + ") for known in SOURCES.values()
                if part.startswith(known.name)}
    return ", ".join(sorted(licences))


def _sizes(preprocess):
    """Return the size of a model's input as text; of several backbones all sizes."""
    return ", ".join(f"{spec['image_height']} x {spec['image_width']}"
                     for spec in preprocess.get("members", [preprocess]))


def write_model_card(run, path, language="en", purpose="", limits=""):
    """Write the model card of a run; arguments as for `model_card`.

    Args:
        path: str or Path of the Markdown file.

    Returns:
        Path.
    """
    write_text(path, model_card(run, language, purpose, limits))
    return Path(path)


def main(argv):
    """Write the card of the run that the command line names."""
    parser = Parser(prog="python -m src_mindspore.deploy.model_card",
                    description="Write a model card for a finished run.")
    parser.add_argument("--run", default="results/latest", metavar="FOLDER")
    parser.add_argument("--out", metavar="FILE", help="default MODEL_CARD.md in the run's folder")
    parser.add_argument("--language", choices=("en", "zh"), default="en")
    parser.add_argument("--purpose", default="", metavar="TEXT", help="what it is meant for")
    parser.add_argument("--limits", default="", metavar="TEXT", help="limits that you know of")
    args = parser.parse_args(argv)
    path = write_model_card(args.run, args.out or Path(args.run) / "MODEL_CARD.md", args.language,
                            args.purpose, args.limits)
    print(f"model card: {path}")


if __name__ == "__main__":
    run_as_script(main)
