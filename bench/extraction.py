"""Speed of extraction: raw engines on ready tensors, and from files on disk to features on disk.

    .venv/bin/python -m bench.extraction [--data FOLDER] [--images 520] [--rounds 5]

Every round measures each candidate once, in turn, so that other work on the machine slows all
alike; the table shows the median of the rounds and of the ratios within a round. Processor time an
image stands beside: on a busy machine it says more than the clock. bf16 is measured where the
processor has it, and MindSpore as installed where it has AVX-512 (one batch of ready tensors).
"""
import argparse
import contextlib
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.machine import machine_and_day
from bench.peers import ask_torch, make_environment
from bench.street import draw
from config import DEFAULT_PRESET, KEYS, PRESETS
from src_mindspore import runtime
from src_mindspore.configuration import Parser, resolve
from src_mindspore.errors import run_as_script
from src_mindspore.evaluation.tables import format_table
from src_mindspore.features.engines.choose import BF16_FLAGS

RAW_BATCHES = 8


def main(argv):
    """Measure and print the table."""
    parser = Parser(prog="python -m bench.extraction", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", metavar="FOLDER")
    parser.add_argument("--images", type=int, default=520, help="training pictures")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args(argv)
    make_environment()
    runtime.start()
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = Path(temporary)
        setting = Setting(args.data or draw(folder / "drawn", args.images), args.images, folder)
        rounds = []
        for number in range(args.rounds):
            rounds.append({})
            for name, measure in setting.candidates.items():
                rounds[-1][name] = measure()
                print(f"round {number + 1}: {name} {rounds[-1][name].per_second:.1f} images/s, "
                      f"{rounds[-1][name].cpu_ms:.1f} ms of processor time an image", flush=True)
        print("\n" + machine_and_day() + f"; {len(setting.records)} photos, 224 pixels, batch "
              f"{setting.batch}, default engine: {setting.engines['default'].name}")
        print(table(rounds))
        print("largest difference of a feature from MindSpore's, relative to the largest: "
              + ", ".join(f"{name} {value:.1e}" for name, value in setting.differences().items()))
        print(f"cache, mean+max in float16: {setting.cache_bytes / 1000:.2f} kB an image and pass")


@dataclasses.dataclass(frozen=True)
class Speed:
    """Images a second by the clock, and milliseconds of processor time an image."""

    per_second: float
    cpu_ms: float

    @classmethod
    def of(cls, images, seconds, cpu_seconds):
        """Return the Speed of so many images in so much time."""
        return cls(images / seconds, 1000 * cpu_seconds / images)


class Stopwatch:
    """A context that measures `seconds` and `cpu_seconds` of this process."""

    def __enter__(self):
        self.started, self.cpu_started = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_):
        self.seconds = time.perf_counter() - self.started
        self.cpu_seconds = time.process_time() - self.cpu_started


class Setting:
    """What all candidates share: photos, weights, views, batch; and the candidates.

    Args:
        data: Path of the data folder.
        images: int, how many training photos at most.
        folder: Path for scratch files.
    """

    def __init__(self, data, images, folder):
        from src_mindspore.data.folder import read_folder
        from src_mindspore.data.scan import scan
        from src_mindspore.features.engines import MindSporeEngine, choose_engine
        from src_mindspore.features.of_config import prepare_backbone, train_views

        config = resolve(KEYS, PRESETS, DEFAULT_PRESET, preset="course_best",
                         flags={"repeat": 1, "interpolation": "area"})
        self.folder, self.root, self.config = folder, Path(data), config
        train = [r for r in scan(read_folder(data), progress=False) if r.split == "train"]
        self.records = train[::max(1, len(train) // images)][:images]
        self.batch = config.extract_batch_size
        self.backbone = prepare_backbone(config)
        self.views = train_views(config, self.backbone.preprocess)
        reference = MindSporeEngine(self.backbone, "mean+max", self.batch)
        engines = folder / "engines"
        self.engines = {"mindspore": reference,
                        "onnxruntime": choose_engine("onnxruntime", reference, engines),
                        "openvino": choose_engine("openvino", reference, engines),
                        "default": choose_engine("auto", reference, engines)}
        self.tensors = [np.random.default_rng(n).uniform(-1, 1, (
            self.batch, 3, config.image_height, config.image_width)).astype(np.float32)
            for n in range(RAW_BATCHES)]
        exported = next(engines.glob("*.onnx"))
        self.openvino_raw = OpenVINORaw(exported)
        self.openvino_by_photo = OpenVINORaw(exported, by_photo=True)
        self.save_weights(folder / "weights.npz")
        self.features, self.runs, self.cache_bytes = {}, 0, 0
        self.candidates = {
            "raw MindSpore": lambda: self.raw(self.engines["mindspore"]),
            "raw ONNX Runtime": lambda: self.raw(self.engines["onnxruntime"]),
            "raw OpenVINO": lambda: self.raw_openvino(self.openvino_raw),
            "raw OpenVINO, by photo": lambda: self.raw_openvino(self.openvino_by_photo),
            "MindSpore alone": lambda: self.end_to_end("mindspore"),
            "default engine": lambda: self.end_to_end("default"),
            "PyTorch eager": self.torch}
        if runtime.read_cpu_flags() & BF16_FLAGS:
            self.engines["bf16"] = choose_engine("openvino", reference, engines, "bf16")
            self.candidates["OpenVINO in bf16"] = lambda: self.end_to_end("bf16")
        if "avx512f" in runtime.read_cpu_flags():
            self.candidates["MindSpore as installed"] = self.as_installed
        self.raw(reference)  # compiled outside the clock

    def save_weights(self, path):
        """Write the backbone's parameters, five a layer, for PyTorch."""
        values = {p.name: p.asnumpy() for p in self.backbone.cell.get_parameters()}
        kernels = [n for n in values if values[n].ndim == 4]
        norms = [n.removesuffix("gamma") for n in values if n.endswith("gamma")]
        arrays = [array for kernel, norm in zip(kernels, norms, strict=True) for array in (
            values[kernel], *(values[norm + part] for part in (
                "gamma", "beta", "moving_mean", "moving_variance")))]
        np.savez(path, eps=1e-5, **{f"a{n}": array for n, array in enumerate(arrays)})

    def raw(self, engine):
        """Speed of an engine on ready tensors."""
        with Stopwatch() as watch:
            for images in self.tensors:
                engine(images)
        return Speed.of(RAW_BATCHES * self.batch, watch.seconds, watch.cpu_seconds)

    def raw_openvino(self, raw):
        """Speed of an OpenVINORaw on ready tensors."""
        with Stopwatch() as watch:
            raw(self.tensors)
        return Speed.of(RAW_BATCHES * self.batch, watch.seconds, watch.cpu_seconds)

    def as_installed(self):
        """Speed of MindSpore on one batch of ready tensors, without what this project sets."""
        answer = subprocess.run(
            [sys.executable, "-m", "bench.as_installed", self.config.pretrained_ckpt,
             str(self.batch), str(self.config.image_height)],
            check=True, capture_output=True, text=True)
        seconds, cpu_seconds = map(float, answer.stdout.split()[-2:])
        return Speed.of(self.batch, seconds, cpu_seconds)

    def end_to_end(self, name):
        """Speed from files on disk to a verified cache on disk."""
        from src_mindspore.features.extract import extract
        self.runs += 1
        with open(os.devnull, "w", encoding="utf-8") as quiet, \
                contextlib.redirect_stdout(quiet), Stopwatch() as watch:
            cache = extract(self.records, self.root, "train", self.backbone, self.engines[name],
                            self.views, self.folder / f"features-{self.runs}", dtype="float16",
                            progress=False)
        self.features[name] = cache.features()
        self.cache_bytes = sum(f.stat().st_size for f in cache.folder.glob("*.npy")) / len(cache)
        return Speed.of(len(self.records), watch.seconds, watch.cpu_seconds)

    def torch(self):
        """Speed of PyTorch's eager mode behind its DataLoader."""
        out = self.folder / "torch"
        out.mkdir(exist_ok=True)
        seconds, cpu_seconds = ask_torch(
            task="extract", weights=str(self.folder / "weights.npz"), root=str(self.root),
            paths=[r.path for r in self.records], preprocess=self.backbone.preprocess.to_dict(),
            augmentation=self.views.augmentation.to_dict(), seed=self.views.seed,
            batch_size=self.batch, folder=str(out), cores=runtime.usable_cores(),
            workers=runtime.usable_cores())
        count = -(-len(self.records) // self.batch)
        self.features["PyTorch"] = np.concatenate(
            [np.load(out / f"feature_{n}.npy", allow_pickle=False) for n in range(count)])
        return Speed.of(len(self.records), seconds, cpu_seconds)

    def differences(self):
        """Largest difference of each candidate's features from MindSpore's."""
        expected = self.features["mindspore"]
        return {name: float(np.abs(rows - expected).max() / expected.max())
                for name, rows in self.features.items() if name != "mindspore"}


class OpenVINORaw:
    """The exported network in OpenVINO's throughput mode with its queue of asynchronous requests,
    as its own documentation asks for throughput.

    Args:
        path: Path of the ONNX file.
        by_photo: bool, one photo a request, as our engine asks, instead of a batch.
    """

    def __init__(self, path, by_photo=False):
        openvino = runtime.import_openvino()
        core = openvino.Core()
        model = core.read_model(str(path))
        if by_photo:
            model.reshape([1, *model.input(0).shape[1:]])
        self.by_photo = by_photo
        self.queue = openvino.AsyncInferQueue(
            # Without a word it would compute in bf16 where the processor can.
            core.compile_model(model, "CPU", {"PERFORMANCE_HINT": "THROUGHPUT",
                                              "INFERENCE_PRECISION_HINT": "f32"}))

    def __call__(self, tensors):
        for images in tensors:
            for part in np.split(images, len(images)) if self.by_photo else [images]:
                self.queue.start_async({0: part}, share_inputs=True)
        self.queue.wait_all()


def table(rounds):
    """Return the medians, and the median ratios that matter, as text."""
    def median(of):
        return statistics.median(map(of, rounds))

    lines = [(name, f"{median(lambda r, n=name: r[n].per_second):.1f}",
              f"{median(lambda r, n=name: r[n].cpu_ms):.1f}") for name in rounds[0]]
    pairs = [("default engine", "raw OpenVINO", 0.85),
             ("default engine", "raw OpenVINO, by photo", 0.85),
             ("default engine", "MindSpore alone", 3),
             ("default engine", "PyTorch eager", 6), ("MindSpore alone", "raw MindSpore", 0.9),
             ("OpenVINO in bf16", "default engine", 1.5),
             ("MindSpore alone", "MindSpore as installed", 8)]
    ratios = [(f"{one} : {other}",
               f"{median(lambda r, a=one, b=other: r[a].per_second / r[b].per_second):.2f}",
               f"{median(lambda r, a=one, b=other: r[b].cpu_ms / r[a].cpu_ms):.2f}", f"{target:g}")
              for one, other, target in pairs if {one, other} <= rounds[0].keys()]
    return (format_table(("candidate", "images/s", "processor ms an image"), lines) + "\n\n"
            + format_table(("ratio of speeds", "clock", "processor time", "wanted"), ratios))


if __name__ == "__main__":
    run_as_script(main)
