"""EfficientNet B0 to B7 from one network: depth, width and resolution grow together.

    python -m src_mindspore.backbones.compound_scaling                 # the table
    python -m src_mindspore.backbones.compound_scaling --plot scaling.png --language zh

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019
(arXiv:1905.11946). A network with d times the layers, w times the channels and r times the side
of its input costs about d * w^2 * r^2 times the multiply-adds. With d = 1.2^phi, w = 1.1^phi and
r = 1.15^phi every step of phi doubles them, because 1.2 * 1.1^2 * 1.15^2 is about 2. The published
networks follow the rule closely up to B3; B4 to B7 are somewhat larger than it says.
"""
import argparse
import dataclasses
import math

from src_mindspore.configuration import Parser
from src_mindspore.errors import LabError, run_as_script
from src_mindspore.evaluation.tables import format_table

ALPHA, BETA, GAMMA = 1.2, 1.1, 1.15
RESOLUTION = 224
STEM, TOP = 32, 1280
# (expansion, kernel, stride, channels, layers) of the seven stages of B0: table 1 of the paper.
STAGES = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
          (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1))
SQUEEZE = 4  # squeeze-and-excitation narrows to a quarter of the block's input channels


@dataclasses.dataclass(frozen=True)
class Published:
    """What paper and code of the authors say about one network.

    Attributes:
        phi: float, the step of the rule that lies nearest.
        depth, width: float, factors of layers and channels.
        resolution: int, pixels of the input's side.
        parameters, multiply_adds: float, in millions, as rounded in table 2 of the paper.
    """

    phi: float
    depth: float
    width: float
    resolution: int
    parameters: float
    multiply_adds: float


MODELS = {
    "B0": Published(0, 1.0, 1.0, 224, 5.3, 390),
    "B1": Published(0.5, 1.1, 1.0, 240, 7.8, 700),
    "B2": Published(1, 1.2, 1.1, 260, 9.2, 1_000),
    "B3": Published(2, 1.4, 1.2, 300, 12, 1_800),
    "B4": Published(3, 1.8, 1.4, 380, 19, 4_200),
    "B5": Published(4, 2.2, 1.6, 456, 30, 9_900),
    "B6": Published(5, 2.6, 1.8, 528, 43, 19_000),
    "B7": Published(6, 3.1, 2.0, 600, 66, 37_000),
}


def rule(phi):
    """Return (depth factor, width factor, resolution in pixels) that the rule says for phi."""
    return ALPHA**phi, BETA**phi, RESOLUTION * GAMMA**phi


def scaled_channels(channels, width):
    """Return channels times width, rounded to a multiple of 8, by at most a tenth downwards."""
    wanted = channels * width
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def scaled_layers(layers, depth):
    """Return layers times depth, rounded up."""
    return math.ceil(layers * depth)


def blocks(depth, width):
    """Yield (expansion, kernel, stride, channels in, channels out) of every block."""
    channels = scaled_channels(STEM, width)
    for expansion, kernel, stride, out, layers in STAGES:
        out = scaled_channels(out, width)
        for layer in range(scaled_layers(layers, depth)):
            yield expansion, kernel, stride if layer == 0 else 1, channels, out
            channels = out


def count(depth, width, resolution, classes=1000):
    """Count what a scaled EfficientNet has and does.

    Multiply-adds of convolutions, of squeeze-and-excitation and of the classifier; BatchNorm is
    part of a convolution once folded, activations cost no multiply-adds.

    Args:
        depth, width: float factors.
        resolution: int, pixels of the input's side.
        classes: int.

    Returns:
        (parameters, multiply_adds, layers): int each; trainable parameters, for one image, and
        the number of blocks.
    """
    side, channels = math.ceil(resolution / 2), scaled_channels(STEM, width)
    parameters, work = _convolution(3, channels, 3, side)
    number = 0
    for expansion, kernel, stride, before, after in blocks(depth, width):
        middle, parts = before * expansion, []
        if expansion > 1:
            parts.append(_convolution(before, middle, 1, side))
        side = math.ceil(side / stride)
        parts += [_convolution(1, middle, kernel, side), _squeeze(before, middle),
                  _convolution(middle, after, 1, side)]
        parameters += sum(part[0] for part in parts)
        work += sum(part[1] for part in parts)
        number, channels = number + 1, after
    top = scaled_channels(TOP, width)
    last = _convolution(channels, top, 1, side)
    return (parameters + last[0] + top * classes + classes, work + last[1] + top * classes,
            number)


def _convolution(before, after, kernel, side):
    """Return (parameters with BatchNorm, multiply-adds) of a convolution; of a depthwise one
    `before` is 1."""
    weights = before * after * kernel * kernel
    return weights + 2 * after, weights * side * side


def _squeeze(before, middle):
    narrow = max(1, before // SQUEEZE)
    return 2 * middle * narrow + narrow + middle, 2 * middle * narrow


def table():
    """Return one dict a network: name, phi, depth, width, resolution, what the rule says for
    them, blocks, and counted and published parameters and multiply-adds in millions."""
    rows = []
    for name, known in MODELS.items():
        parameters, work, number = count(known.depth, known.width, known.resolution)
        depth, width, resolution = rule(known.phi)
        rows.append({"name": name, **dataclasses.asdict(known), "blocks": number,
                     "rule_depth": depth, "rule_width": width, "rule_resolution": resolution,
                     "counted_parameters": parameters / 1e6, "counted_multiply_adds": work / 1e6})
    return rows


def main(argv):
    """Print the table and draw it."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plot", metavar="FILE", help="a picture of the table (.png)")
    parser.add_argument("--language", choices=("en", "zh"), default="en")
    args = parser.parse_args(argv)
    if args.plot and not args.plot.endswith(".png"):
        raise LabError(f"--plot is {args.plot!r}; expected a name that ends in .png.")
    rows = table()
    print(format_table(
        ("", "phi", "depth (rule)", "width (rule)", "side (rule)", "blocks", "parameters M",
         "published", "multiply-adds M", "published"),
        [(row["name"], f"{row['phi']:g}", f"{row['depth']} ({row['rule_depth']:.2f})",
          f"{row['width']} ({row['rule_width']:.2f})",
          f"{row['resolution']} ({row['rule_resolution']:.0f})", row["blocks"],
          f"{row['counted_parameters']:.2f}", f"{row['parameters']:g}",
          f"{row['counted_multiply_adds']:,.0f}", f"{row['multiply_adds']:,}") for row in rows]))
    if args.plot:
        from src_mindspore.evaluation.plots_scaling import plot_scaling
        plot_scaling(rows, args.plot, args.language)
        print(f"written: {args.plot}")


if __name__ == "__main__":
    run_as_script(main)
