"""Try many settings of the head on cached features and say which one cross-validation prefers.

    python -m src_mindspore.training.sweep                                    # around the preset
    python -m src_mindspore.training.sweep --try lr_max=0.1,0.3,1 decay_type=cosine,square
    python -m src_mindspore.training.sweep --random 20 --try lr_max=0.01..1 optimizer=momentum,adam
    python -m src_mindspore.training.sweep --preset course_best --try reduction=mean,max,mean+max

Train photos alone are used: folds never divide copies of one photo, nothing is read from val or
test. A head that was trained once, in this sweep or an earlier one on the same features and folds,
is not trained again. It ends with a table, a picture and the command that trains the winner.
"""
import json
import os
import sys
from pathlib import Path

from easydict import EasyDict
from tqdm import tqdm

from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore import runtime
from src_mindspore.configuration import Parser, parse_arguments, resolve
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.evaluation.crossval import crossval_data, parse_seeds
from src_mindspore.files import explain_os_error, sha256_of_json, write_json, write_text
from src_mindspore.training.sweep_space import (
    default_space,
    draw,
    grid,
    parse_space,
    stage_id,
    trial_id,
)
from src_mindspore.training.sweep_workers import train_in_processes


def main(argv):
    """Run the sweep and print the table."""
    args, config = parse(argv)
    space = parse_space(args.tried) if args.tried else default_space(config)
    values = draw(space, args.random, args.sweep_seed) if args.random else grid(space)
    trials = configurations(config, values)
    seeds = parse_seeds(args.cv_seeds)
    runtime.start(config.seed)
    from src_mindspore.data.prepare import prepare_photos
    from src_mindspore.data.split import grouped_folds
    from src_mindspore.evaluation.run_report import python_command
    from src_mindspore.features.of_config import prepare_backbone
    from src_mindspore.training.sweep_report import summarise, winner_command, write_report

    photos = prepare_photos(config)
    backbone = prepare_backbone(config)
    # mean, max and mean+max are columns of one cache; whole maps (none) are another one.
    if len({trial.reduction is None for trial in trials.values()}) > 1:
        raise LabError("reduction none reads a cache of whole feature maps, every other reduction "
                       "the cache of pooled features; a sweep reads one. Leave none out, or sweep "
                       "it alone.")
    data = crossval_data(photos, backbone, next(iter(trials.values())))
    for seed in seeds:  # impossible folds are refused here, not in a worker
        grouped_folds(data.clean.labels, data.groups, args.folds, seed, photos.classes.folders)
    inputs = {"cache": str(data.cache.folder.resolve()), "clean": str(data.clean.folder.resolve()),
              "groups": data.groups.tolist(), "folds": args.folds, "channels": backbone.channels,
              "classes": list(photos.classes.folders)}
    folder = Path(config.results_path) / "sweeps" / sha256_of_json(
        {**inputs, "cache": data.cache.key, "clean": data.clean.key})[:12]
    results = train_missing(folder, inputs, trials, seeds, args, config.memory_limit_mb)
    tried = {trial: {key: trials[trial][key] for key in space} for trial in trials}
    rows = summarise(tried, results, seeds, args.folds)
    if rows[0]["top1"] is None:
        raise LabError(f"Every trial diverged ({rows[0]['error']}). Try smaller values of lr_max.")
    command = winner_command(trials[rows[0]["trial"]], python_command())
    print("\n" + write_report(folder, rows, args.folds, seeds, command, config.language))
    print(f"\n{closing(rows)}\ntable:   {folder / 'table.md'} and table.csv\n"
          f"picture: {folder / 'sweep.png'}\ntrain the winner:\n  {command}")


def parse(argv):
    """Return the flags of this tool, and the configuration that is varied."""
    parser = Parser(add_help=False, allow_abbrev=False)
    parser.add_argument("--try", dest="tried", nargs="+", metavar="key=a,b")
    parser.add_argument("--random", type=int, default=0, metavar="N")
    parser.add_argument("--sweep_seed", type=int, default=0)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--cv_seeds", default="1")
    parser.add_argument("--processes", type=int, default=0)
    args, rest = parser.parse_known_args(argv)
    config = parse_arguments(KEYS, PRESETS, DEFAULT_PRESET, rest, __doc__ + (
        "\nflags of this tool: --try key=a,b or key=low..high (with --random), --random N trials "
        "(default: the whole grid),\n--sweep_seed 0, --folds 5, --cv_seeds 1, --processes (default "
        "one a core); and every key below"))
    for name in ("random", "sweep_seed", "processes"):
        if getattr(args, name) < 0:
            raise LabError(f"--{name} is {getattr(args, name)}; expected an integer from 0.")
    return args, config


def configurations(config, values):
    """Return dict from trial id to the configuration of each trial; equal ones stand once.

    Args:
        config: the configuration that is varied.
        values: list of dicts from key to value.

    Raises:
        LabError: values that contradict one another.
    """
    given = {name: config[name] for name in KEYS}
    trials = {}
    for changes in values:
        trial = resolve(KEYS, PRESETS, config.preset, flags={**given, **changes})
        trials.setdefault(trial_id(trial), trial)
    return trials


def train_missing(folder, inputs, trials, seeds, args, memory_limit_mb):
    """Train the heads that no earlier sweep has; returns the results of all.

    Args:
        folder: Path of the sweep.
        inputs: dict, what the workers read.
        trials: dict from trial id to configuration.
        seeds: list of int.
        args: folds and processes are read.
        memory_limit_mb: int, for all processes together.
    """
    journal = folder / "results.jsonl"
    results = read_results(journal)
    units = missing_units(trials, results, seeds, args.folds)
    heads = sum(len(unit["trials"]) for unit in units)
    total = len(trials) * len(seeds) * args.folds
    print(f"sweep: {len(trials)} trials x {len(seeds)} seeds x {args.folds} folds = {total} heads"
          + (f", {total - heads} trained before" if heads < total else ""), flush=True)
    if not units:
        return results
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    processes = min(args.processes or runtime.usable_cores(), len(units))
    task = folder / "task.json"
    write_json(task, {**inputs, "configs": {name: dict(c) for name, c in trials.items()},
                      "memory_limit_mb": max(16, memory_limit_mb // processes)})
    # Written anew: a line that a kill cut short would swallow the next one.
    write_text(journal, "".join(json.dumps(result) + "\n" for result in results))
    try:
        with tqdm(total=total, initial=total - heads, unit="head", desc="sweep") as bar, \
                open(journal, "a", encoding="utf-8") as file:
            def note(result):
                results.append(result)
                file.write(json.dumps(result) + "\n")
                file.flush()
                bar.update()
            train_in_processes(task, units, processes, cores, note)
    except OSError as error:
        raise explain_os_error(error, journal) from error
    return results


def read_results(journal):
    """Return the results of earlier sweeps on the same features and folds."""
    results = []
    try:
        lines = journal.read_text(encoding="utf-8").splitlines()
    except OSError:
        return results
    for line in lines:
        try:
            result = json.loads(line)
            result["trial"], result["seed"], result["fold"]
        except (ValueError, KeyError, TypeError):
            continue  # cut short by a kill
        results.append(result)
    return results


def missing_units(trials, results, seeds, folds):
    """Return the units of work for `sweep_workers`: heads that share their stage stay together."""
    done = {(r["trial"], r["seed"], r["fold"]) for r in results}
    units = {}
    for seed in seeds:
        for fold in range(folds):
            for trial, config in trials.items():
                if (trial, seed, fold) not in done:
                    key = (seed, fold, stage_id(EasyDict(config)))
                    units.setdefault(key, {"seed": seed, "fold": fold, "trials": []})
                    units[key]["trials"].append(trial)
    return list(units.values())


def closing(rows):
    """Return the sentence that says what the table allows to say."""
    best = rows[0]
    low, high = best["interval"]
    within = sum(row["top1"] is not None and row["top1"] >= low for row in rows[1:])
    return (f"best of {len(rows)} trials: {best['top1']:.2%} on {best['n']} train photos, 95 % "
            f"interval {low:.1%} to {high:.1%}; {within} of the others lie within it. The best of "
            "many is slightly flattered by the choice.")


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
