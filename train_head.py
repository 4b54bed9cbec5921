"""Fine-tune an image classifier: photos in; a chosen, exported and explained model out.

    python train_head.py                                   # the recommended preset
    python train_head.py --preset course_default           # where the course starts
    python train_head.py --dataset_path ./my_photos        # your own folder of photos
    python train_head.py --epochs 20 --lr_max 0.05         # any key of config.py is a flag
    python train_head.py --config results/runs/X/config.yaml    # repeat a run

The street: photos -> preprocess -> frozen backbone -> feature cache -> head -> best checkpoint ->
report and MindIR. Interrupted, the same command goes on where it stopped.
"""
import sys
import time

from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore import runtime
from src_mindspore.configuration import parse_arguments
from src_mindspore.errors import require_package, run_as_script


def main(argv):
    """Run the street from photos to report."""
    config = parse_arguments(KEYS, PRESETS, DEFAULT_PRESET, argv, __doc__)
    if config.tensorboard:
        require_package("tensorboardX", "--tensorboard true")
    # Imported only now, so that --help and mistakes in a flag answer at once.
    runtime.start(config.seed)
    from src_mindspore.data.prepare import prepare_photos
    from src_mindspore.evaluation.run_report import report_run
    from src_mindspore.features.of_config import extract_splits, prepare_backbone
    from src_mindspore.training.export_run import choose_and_export
    from src_mindspore.training.head_of_config import train
    from src_mindspore.training.run import Run
    from src_mindspore.training.upsample import upsampled

    seconds = Stopwatch()

    # 1. Photos: found, scanned, split, refused if val leaks into train.
    photos = prepare_photos(config)
    print(photos.describe())
    seconds.lap("scan")

    # 2. Features: the frozen backbone reads each photo once a pass; the rest is cached.
    backbone = prepare_backbone(config)
    caches = upsampled(extract_splits(photos, backbone, config), photos, backbone, config)
    # "auto" may choose otherwise on another machine; the run remembers what it was here.
    config.engine = caches["train"].what.get("engine", config.engine)
    config.precision = caches["train"].what.get("precision", config.precision)
    seconds.lap("features")

    # 3. Head: trained on the cache, a line an epoch.
    with Run(config, {split: cache.key for split, cache in caches.items()}) as run:
        print(f"run: {run.folder}{' (going on)' if run.resumed else ''}")
        trainer, spec = train(run, caches, backbone, photos.classes, config)
        seconds.lap("training")

        # 4. The best epoch by the rule, exported and checked.
        chosen = choose_and_export(run, trainer, spec, backbone, photos, caches, config)
        seconds.lap("export")

        # 5. What it can do, where it fails, how to repeat it.
        report_run(run, chosen, trainer, spec, backbone, photos, caches, config, seconds.laps)


class Stopwatch:
    """Seconds of each part of the run, for the report."""

    def __init__(self):
        self.laps = {}
        self.last = time.perf_counter()

    def lap(self, name):
        """Note the seconds since the last lap under a name."""
        now = time.perf_counter()
        self.laps[name] = round(now - self.last, 1)
        self.last = now


if __name__ == "__main__":
    run_as_script(main, sys.argv[1:])
