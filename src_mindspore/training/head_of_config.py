"""Training the head that a configuration asks for, on cached features, inside a run."""
import dataclasses

import numpy as np

from src_mindspore.heads.build import head_spec
from src_mindspore.training.live_charts import charts_of
from src_mindspore.training.loop import FittedTrainer, HeadTrainer
from src_mindspore.training.rows import Split, root_statistics
from src_mindspore.training.svm import KINDS, fit_svm


def train(run, caches, backbone, classes, config):
    """Train a head epoch by epoch, keeping what a resume and the choice need.

    Args:
        run: Run.
        caches: dict with FeatureCache 'train' and 'val'.
        backbone: Backbone.
        classes: ClassNames.
        config: the configuration.

    Returns:
        (HeadTrainer, HeadSpec): after the last epoch, or after Ctrl-C with the epochs so far.

    Raises:
        LabError: see `HeadTrainer.run`.
        KeyboardInterrupt: Ctrl-C before the first epoch was saved.
    """
    spec = head_spec(config, backbone.channels, len(classes), caches["train"].photos,
                     caches["train"].map_side)
    trainer = make_trainer(spec, split_of(caches["train"], spec, config),
                           split_of(caches["val"], spec, config), caches["train"].index, config)
    epochs = trainer.config.epochs
    state = run.load_state()
    if state:
        trainer.restore(*state)
        print(f"training: going on after epoch {len(trainer.history)} of {epochs}")
    try:
        with charts_of(config, run.folder) as charts:
            for row in trainer.run():
                run.save_epoch(trainer)
                charts.epoch(row, trainer.confusion)
                print_epoch(row, epochs)
    except KeyboardInterrupt:
        if not run.candidates(trainer.history):
            raise
        print(f"\nstopped by Ctrl-C after epoch {len(trainer.history)}: the best so far is chosen")
    return trainer, spec.of(trainer.head)


def split_of(cache, spec, config):
    """Return the Split of a cache that a head reads."""
    return Split(cache.features(spec.columns(), config.memory_limit_mb * 2**20), cache.labels)


def make_trainer(spec, train_split, val_split, index, config):
    """Return a HeadTrainer with a new head, what it does before its Dense layer fitted on train;
    of an SVM all of it.

    Args:
        spec: HeadSpec.
        train_split, val_split: Split.
        index: (N, 2) int, image and pass of every row of train.
        config: the configuration.
    """
    train_split = dataclasses.replace(train_split, photos=index[:, 0])
    if spec.kind in KINDS:
        head = fit_svm(spec, train_split, index, config)
        return FittedTrainer(head, train_split, val_split, config)
    head = spec.build(config.weight_init, config.seed)
    if spec.kind == "rbf":
        # Centres are distinct photos, seen as in their first pass.
        first_pass = np.flatnonzero(index[:, 1] == 0)
        rng = np.random.default_rng(config.seed)
        chosen = np.sort(rng.permutation(first_pass)[:spec.centres])
        head.prepare.fit(train_split.rows[chosen], config.rbf_gamma)
    elif spec.kind == "svd":
        head.prepare.fit(train_split.rows)
    elif spec.normalise:
        head.prepare.fit(*root_statistics(train_split.rows))
    return HeadTrainer(head, train_split, val_split, config)


def print_epoch(row, epochs):
    """Print one line of numbers."""
    left = row["seconds"] * (epochs - row["epoch"])
    print(f"epoch {row['epoch']:3d}/{epochs}  lr {row['learning_rate']:.5f}  "
          f"train loss {row['train_loss']:.4f} top-1 {row['train_top1']:6.2%}  "
          f"val loss {row['val_loss']:.4f} top-1 {row['val_top1']:6.2%}  "
          f"{row['seconds']:.2f} s, {left:.0f} s left", flush=True)
