"""Aircraft drawn in the layout of FGVC-Aircraft: six variants that differ in details.

    python -m src_mindspore.data.drawn_aircraft datasets/drawn-aircraft

As in the published set, the last 20 rows of every picture are a banner that names the
photographer. Here each variant of train and val has a photographer of its own, with a banner of
his own colour; in test anybody photographed anything. A network that reads the banner is perfect
on val and lost on test.
"""
import argparse

import cv2
import numpy as np

from src_mindspore import files
from src_mindspore.configuration import Parser
from src_mindspore.data.fgvc import BANNER
from src_mindspore.errors import LabError, run_as_script

# (variant, family, manufacturer, engines a side under the wing, engines at the tail, T-tail,
# length of the fuselage, windows)
VARIANTS = (
    ("A20-100", "A20", "Alba", 1, False, False, 0.60, 8),
    ("A20-200", "A20", "Alba", 1, False, False, 0.78, 13),
    ("A40", "A40", "Alba", 2, False, False, 0.78, 13),
    ("R70", "R70", "Rossi", 0, True, True, 0.60, 8),
    ("R90", "R90", "Rossi", 0, True, True, 0.78, 13),
    ("R95/F", "R90", "Rossi", 0, True, True, 0.78, 0),
)
WIDTH, HEIGHT = 300, 200  # without the banner
PHOTOGRAPHERS = ((200, 60, 50), (60, 140, 60), (50, 90, 190), (180, 140, 30), (130, 60, 150),
                 (40, 140, 150))
LISTS = ("variant", "family", "manufacturer")


def draw_aircraft(variant, rng, photographer):
    """Draw one aircraft from its left side, with the banner below.

    Args:
        variant: int, position in VARIANTS.
        rng: numpy Generator; sky, paint, place, size and attitude are drawn from it.
        photographer: int, position in PHOTOGRAPHERS.

    Returns:
        (HEIGHT + BANNER, WIDTH, 3) uint8 RGB.
    """
    _, _, _, wing_engines, tail_engines, t_tail, length, windows = VARIANTS[variant]
    scale = 2  # drawn larger and shrunk, for smooth edges
    high, low = rng.uniform((90, 130, 190), (150, 190, 240)), rng.uniform(190, 245, 3)
    rows = np.linspace(0, 1, HEIGHT * scale)[:, None, None]
    sky = np.tile((1 - rows) * high + rows * low, (1, WIDTH * scale, 1))
    image = np.ascontiguousarray(sky.astype(np.uint8))
    size = WIDTH * scale * rng.uniform(0.8, 1.02)
    angle = np.deg2rad(rng.uniform(-8, 8))
    middle = np.array((WIDTH, HEIGHT)) * scale / 2 + rng.uniform(-20, 20, 2) * scale
    paint = rng.uniform((205, 205, 205), (250, 250, 250))
    trim = rng.uniform((20, 20, 20), (220, 120, 220))
    turn = np.array(((np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))))

    def put(points, colour):
        placed = middle + np.asarray(points, float) @ turn * size
        cv2.fillPoly(image, [np.rint(placed).astype(np.int32)], tuple(map(float, colour)),
                     cv2.LINE_AA)

    def ellipse(x, y, a, b, colour):
        t = np.linspace(0, 2 * np.pi, 40)
        put(np.stack((x + a * np.cos(t), y + b * np.sin(t)), axis=1), colour)

    half, thick = length / 2, 0.042
    tail = half - 0.02
    put(((tail - 0.11, -0.02), (tail + 0.03, -0.17), (tail + 0.075, -0.17), (tail, 0)), trim)
    ellipse(0, 0, half, thick, paint)
    put(((-half + 0.1, 0.005), (half - 0.06, 0.005), (half - 0.1, 0.013), (-half + 0.1, 0.013)),
        trim)
    stabiliser = -0.165 if t_tail else -0.015
    put(((tail - 0.04, stabiliser), (tail + 0.12, stabiliser - 0.012),
         (tail + 0.12, stabiliser + 0.006), (tail - 0.02, stabiliser + 0.012)), 0.8 * paint)
    for x in np.linspace(-half + 0.13, half - 0.17, windows) if windows else ():
        ellipse(x, -0.012, 0.007, 0.009, (50, 60, 80))
    put(((-half + 0.03, -0.02), (-half + 0.065, -0.03), (-half + 0.065, -0.012),
         (-half + 0.025, -0.008)), (50, 60, 80))
    put(((-0.08, 0.02), (0.06, 0.02), (0.17, 0.1), (0.11, 0.1)), 0.75 * paint)
    for number in range(wing_engines):
        ellipse(-0.02 + 0.085 * number, 0.062 + 0.034 * number, 0.038, 0.017, 0.6 * paint)
    if tail_engines:
        ellipse(tail - 0.15, -0.045, 0.055, 0.019, 0.6 * paint)
    image = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    image = np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
    banner = np.full((BANNER, WIDTH, 3), PHOTOGRAPHERS[photographer], np.uint8)
    cv2.putText(banner, f"(c) photographer {photographer + 1}", (8, 14), cv2.FONT_HERSHEY_SIMPLEX,
                0.42, (255, 255, 255), 1, cv2.LINE_AA)
    return np.concatenate((image, banner))


def draw_set(root, train=20, val=8, test=8, seed=0):
    """Draw a set in the layout of FGVC-Aircraft; a complete one is left as it is.

    Args:
        root: str or Path of the folder to appear.
        train, val, test: int >= 1, pictures of every variant.
        seed: int.

    Returns:
        Path of the folder.

    Raises:
        LabError: the folder holds something else, or cannot be written.
    """
    root = files.Path(root)
    settings = {"aircraft": 1, "train": train, "val": val, "test": test, "seed": seed}
    mark = root / "drawn.json"  # written last
    if mark.exists() and files.read_json(mark) == settings:
        return root
    if root.exists() and any(root.iterdir()) and not (root / "images").is_dir():
        raise LabError(f"{root} holds other files. Name a folder of its own for the drawn "
                       "aircraft, or empty it.")
    mark.unlink(missing_ok=True)
    for old in root.glob("images/*.jpg"):
        old.unlink()
    lines = {(level, split): [] for level in LISTS for split in ("train", "val", "trainval",
                                                                 "test")}
    number = 0
    for variant, names in enumerate(VARIANTS):
        for split, count in (("train", train), ("val", val), ("test", test)):
            for _ in range(count):
                rng = np.random.default_rng([seed, number])
                who = int(rng.integers(len(PHOTOGRAPHERS))) if split == "test" else variant
                _, data = cv2.imencode(".jpg", draw_aircraft(variant, rng, who)[..., ::-1])
                files.write_bytes(root / "images" / f"{number:07d}.jpg", data.tobytes())
                for level, name in zip(LISTS, names, strict=False):
                    for part in {split, "test" if split == "test" else "trainval"}:
                        lines[level, part].append(f"{number:07d} {name}")
                number += 1
    for (level, split), text in lines.items():
        files.write_text(root / f"images_{level}_{split}.txt", "\n".join(text) + "\n")
    for place, name in enumerate(("variants", "families", "manufacturers")):
        names = dict.fromkeys(variant[place] for variant in VARIANTS)
        files.write_text(root / f"{name}.txt", "\n".join(names) + "\n")
    files.write_json(mark, settings)
    return root


def main(argv):
    """Draw the set that the command line names."""
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", metavar="FOLDER")
    parser.add_argument("--train", type=int, default=20, help="pictures of a variant")
    parser.add_argument("--val", type=int, default=8)
    parser.add_argument("--test", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    if min(args.train, args.val, args.test) < 1 or args.seed < 0:
        raise LabError("--train, --val and --test are at least 1, --seed at least 0.")
    print(f"drawn: {draw_set(args.root, args.train, args.val, args.test, args.seed)}")


if __name__ == "__main__":
    run_as_script(main)
