"""Drawings of the eight residual classes, of which drawn_seashell.py holds one.

Every function draws one object of its class, upright, on a `Canvas` and returns nothing;
chance comes from `canvas.rng`. See drawn_canvas.py for the units.
"""
import numpy as np

from src_mindspore.data.drawn_canvas import (
    WHITE,
    X,
    Y,
    blob,
    box,
    choice,
    ellipse,
    hsv,
    line_mask,
    paint_colour,
    polygon_mask,
    scaled,
    smooth,
    strip,
    turned,
    varied,
)
from src_mindspore.data.drawn_seashell import seashell


def chopsticks(canvas):
    """A pair or more of thin wooden sticks, apart, crossed or in a paper sleeve."""
    rng = canvas.rng
    wood = varied(rng, (214, 176, 118), 22)
    sticks = 2 if rng.random() < 0.7 else int(rng.integers(3, 6))
    spread = rng.uniform(2, 9)
    sleeve = rng.random() < 0.35
    for place in range(sticks):
        side = place - (sticks - 1) / 2
        angle = side * (2.0 if sleeve else spread) + rng.uniform(-2, 2) * (not sleeve)
        x = side * (0.07 if sleeve else rng.uniform(0.08, 0.2))
        wide = rng.uniform(0.026, 0.036)
        axis = turned([(x, -0.96), (x, 0.0), (x, 0.96)], angle)
        outline = strip(axis, [wide * 1.25, wide, wide * 0.55])
        canvas.fill(outline + (0.022, 0.026), scaled(wood, 0.35))
        canvas.fill(outline, varied(rng, wood, 12))
        canvas.line(axis + (-0.4 * wide, 0), scaled(wood, 1.22), 0.012)
        canvas.line(axis + (0.6 * wide, 0), scaled(wood, 0.7), 0.01)
    canvas.multiply(0.92 + 0.1 * np.sin(X * 90 + Y * 4 + 2 * canvas.noise(5)))
    if sleeve:
        paper = varied(rng, choice(rng, [(240, 238, 230), (240, 238, 230), (200, 40, 40)]), 12)
        half = 0.06 + 0.05 * sticks
        start = rng.uniform(-0.35, 0.0)
        wrap = polygon_mask(box(-half, start, half, 0.9))
        canvas.paint(wrap, paper)
        ink = (190, 40, 40) if paper[1] > 150 else (240, 220, 160)
        canvas.fill(ellipse(0, start + 0.25, half * 0.5, half * 0.5), ink)
        for row in np.linspace(start + 0.45, 0.75, 4):
            canvas.fill(blob(rng, 0, row, half * 0.4, 0.035, 0.5), ink)
        canvas.multiply(1.05 - 0.3 * np.abs(X / half), wrap)
    elif rng.random() < 0.3:
        band = polygon_mask(box(-0.25, 0.28, 0.25, 0.4))
        canvas.paint(np.minimum(band, canvas.alpha()), paint_colour(rng))


def lighter(canvas):
    """A translucent pocket lighter: fuel inside, metal hood, wheel and button, now and then lit."""
    rng = canvas.rng
    colour = hsv(rng.uniform(0, 360), rng.uniform(0.55, 0.95), rng.uniform(0.65, 0.98))
    half, top = rng.uniform(0.23, 0.32), -0.3
    body = polygon_mask(box(-half, top, half, 0.92, 0.09))
    canvas.paint(body, colour, rng.uniform(0.75, 0.98))
    level = rng.uniform(-0.1, 0.5)
    canvas.paint(np.minimum(polygon_mask(box(-half * 0.8, level, half * 0.8, 0.84, 0.06)), body),
                 scaled(colour, 0.72), 0.8)
    canvas.line([(-half * 0.8, level), (half * 0.8, level)], scaled(colour, 1.35), 0.014)
    canvas.paint(line_mask([[(0, top), (0, 0.8)]], 0.03), scaled(colour, 0.6), 0.6)
    across = X / half
    canvas.multiply(1.08 - 0.45 * (across - 0.6 * canvas.light[0]) ** 2, body)
    canvas.paint(line_mask([[(-half * 0.62, top + 0.08), (-half * 0.62, 0.8)]], 0.05), WHITE, 0.6)
    if rng.random() < 0.45:
        sticker = polygon_mask(box(-half, rng.uniform(0, 0.2), half, rng.uniform(0.4, 0.75)))
        canvas.paint(np.minimum(sticker, body), paint_colour(rng), 0.9)
    steel = varied(rng, (192, 193, 197), 14)
    shift = rng.uniform(0.02, 0.1)
    canvas.fill(box(-half * 0.95, top - 0.13, half * 0.95, top + 0.03, 0.03), scaled(steel, 0.35))
    hood = polygon_mask([(-half, top), (-half, -0.78), (-half + 0.04, -0.82), (shift, -0.82),
                         (shift + 0.02, -0.5), (half * 0.95, top - 0.06), (half * 0.95, top)])
    wheel = ellipse(shift + 0.09, -0.56, 0.15, 0.15)
    canvas.fill(wheel, (70, 70, 72))
    teeth = [[(shift + 0.09 + 0.1 * np.cos(a), -0.56 + 0.1 * np.sin(a)),
              (shift + 0.09 + 0.15 * np.cos(a), -0.56 + 0.15 * np.sin(a))]
             for a in np.linspace(0, 6.28, 20)]
    canvas.paint(line_mask(teeth, 0.018), (190, 190, 190), 0.8)
    canvas.fill(ellipse(shift + 0.09, -0.56, 0.05, 0.05), (160, 160, 160))
    button = paint_colour(rng) if rng.random() < 0.5 else (190, 35, 35)
    canvas.fill(smooth([(shift + 0.14, -0.38), (half + 0.06, -0.5), (half + 0.1, -0.44),
                        (half, top - 0.04), (shift + 0.14, top - 0.04)], True, 4), button)
    canvas.paint(hood, steel)
    canvas.multiply(1.12 - 0.5 * np.abs(np.sin(X * 7 + rng.uniform(0, 3))), hood)
    canvas.fill(ellipse(-half * 0.5, -0.64, 0.05, 0.05), (50, 50, 52))
    if rng.random() < 0.3:
        for width, flame in ((1.0, (255, 150, 40)), (0.6, (255, 225, 120)), (0.3, (255, 250, 225))):
            canvas.fill(smooth([(-0.12, -0.82), (-0.12 - 0.09 * width, -0.88),
                                (-0.11, -0.88 - 0.12 * width), (-0.12 + 0.09 * width, -0.88)],
                               True), flame)


def broom(canvas):
    """A straw or plastic broom with its fan of bristles and a stick."""
    rng = canvas.rng
    stick = varied(rng, (170, 125, 75), 25) if rng.random() < 0.5 else paint_colour(rng)
    straw = rng.random() < 0.55
    bristle = varied(rng, (205, 170, 95), 24) if straw else paint_colour(rng)
    neck = rng.uniform(-0.1, 0.15)
    canvas.fill(strip([(0, -0.98), (0, neck + 0.05)], 0.038), stick)
    canvas.line([(-0.014, -0.97), (-0.014, neck)], scaled(stick, 1.35), 0.014)
    canvas.line([(0.024, -0.97), (0.024, neck)], scaled(stick, 0.6), 0.014)
    spread, foot = rng.uniform(0.36, 0.62), rng.uniform(0.85, 0.95)
    start = rng.uniform(0.06, 0.12) if straw else spread * rng.uniform(0.6, 0.85)
    shade = polygon_mask([(-start, neck + 0.1), (start, neck + 0.1), (spread, foot - 0.06),
                          (-spread, foot - 0.06)])
    canvas.paint(shade, scaled(bristle, 0.55))
    for _ in range(3):
        lines = []
        for end in rng.uniform(-1, 1, 48):
            root = end * start * rng.uniform(0.8, 1)
            tip = end * spread + rng.normal(0, 0.03)
            lines.append(smooth([(root, neck + 0.08), ((root + tip) * 0.48, (neck + foot) * 0.55),
                                 (tip, foot - 0.1 * end * end + rng.uniform(-0.06, 0.04))],
                                steps=3))
        canvas.paint(line_mask(lines, 0.012), varied(rng, scaled(bristle, rng.uniform(0.7, 1.25))))
    if straw:
        canvas.fill(smooth([(-0.05, neck - 0.12), (0.05, neck - 0.12), (start + 0.06, neck + 0.14),
                            (-start - 0.06, neck + 0.14)], True), scaled(bristle, 0.85))
        thread = paint_colour(rng)
        for row in (neck + 0.02, neck + 0.12, neck + 0.24, neck + 0.3):
            half = 0.05 + (start + 0.09) * max(0.3, min(1.6, (row - neck + 0.1) / 0.24))
            canvas.line(smooth([(-half, row), (0, row + 0.03), (half, row)]), thread, 0.022)
    else:
        head = polygon_mask(box(-start - 0.05, neck - 0.02, start + 0.05, neck + 0.16, 0.06))
        canvas.paint(head, scaled(stick, 0.9))
        canvas.bevel(0.9, 0.07, head)
        canvas.fill(strip([(0, neck - 0.2), (0, neck)], [0.05, 0.1]), scaled(stick, 0.8))


def mirror(canvas):
    """A framed wall or hand mirror with reflections, dark spots and often a crack."""
    rng = canvas.rng
    frame = varied(rng, choice(rng, [(170, 130, 60), (110, 70, 40), (60, 55, 52), (200, 195, 185),
                                     (150, 60, 50)]), 18)
    wide, tall, depth = rng.uniform(0.5, 0.65), rng.uniform(0.62, 0.88), rng.uniform(0.07, 0.13)
    kind = choice(rng, ("oval", "box", "arch", "hand"))
    middle = 0.0
    if kind == "hand":
        wide, tall, middle = 0.52, 0.55, -0.38
        canvas.fill(strip([(0, 0.1), (0, 0.35), (0, 0.7), (0, 0.97)], [0.1, 0.06, 0.09, 0.06]),
                    frame)

    def shape(inset):
        w, h = wide - inset, tall - inset
        if kind == "box":
            return box(-w, -h, w, h, 0.03)
        if kind == "arch":
            return np.concatenate([ellipse(0, -h + w, w, w, 0, 180, 360, 24), [(w, h), (-w, h)]])
        return ellipse(0, middle, w, h)

    canvas.fill(shape(0), frame)
    if kind in ("oval", "hand") and rng.random() < 0.7:
        for point in shape(0.02)[::3]:
            canvas.fill(ellipse(*point, 0.06, 0.06, count=12), varied(rng, frame, 12))
    canvas.bevel(1.0, 0.04)
    canvas.line(shape(depth * 0.5), scaled(frame, 1.35), 0.016, True)
    canvas.line(shape(depth * 0.75), scaled(frame, 0.6), 0.02, True)
    glass = polygon_mask(shape(depth))
    slope = rng.uniform(-0.8, 0.8)
    sky = np.asarray(varied(rng, (196, 212, 222), 18), np.float32)
    ground = np.asarray(varied(rng, (96, 112, 124), 26), np.float32)
    blend = np.clip(0.5 + 0.6 * (Y + slope * X) + canvas.noise(5, -0.2, 0.2), 0, 1)[..., None]
    canvas.paint(glass, sky * (1 - blend) + ground * blend)
    for _ in range(int(rng.integers(1, 4))):
        at, band = rng.uniform(-0.7, 0.7), rng.uniform(0.02, 0.12)
        gleam = strip([(at - 0.8, 1.0), (at + 0.8, -1.0)], band)
        canvas.paint(np.minimum(polygon_mask(gleam), glass), WHITE, rng.uniform(0.25, 0.55))
    stain = canvas.noise(22) + 0.45 * canvas.noise(5, -1, 1)
    canvas.paint(glass, (70, 58, 44), np.clip((stain - rng.uniform(0.78, 1.0)) * 4, 0, 0.8))
    if rng.random() < 0.65:
        centre = np.array([rng.uniform(-0.3, 0.3) * wide, middle + rng.uniform(-0.4, 0.4) * tall])
        cracks = []
        for angle in np.arange(0, 6.28, 6.28 / rng.integers(5, 10)) + rng.uniform(0, 6):
            reach = np.linspace(0, 1.3, 7)[:, None]
            ray = centre + reach * np.array([np.cos(angle), np.sin(angle)])
            cracks.append(ray + rng.normal(0, 0.025, ray.shape) * (reach > 0))
        canvas.paint(np.minimum(line_mask(cracks, 0.014), glass), (40, 48, 52), 0.9)
        cracks = [crack + 0.014 for crack in cracks]
        canvas.paint(np.minimum(line_mask(cracks, 0.008), glass), WHITE, 0.8)


def toothbrush(canvas):
    """A toothbrush seen from the side or above, with coloured grip and rows of bristles."""
    rng = canvas.rng
    colour, grip = paint_colour(rng, 0.5), paint_colour(rng, 0.5)
    bend = rng.uniform(-0.06, 0.06)
    axis = smooth([(bend, 0.97), (0, 0.6), (-bend, 0.2), (0, -0.2), (0, -0.45)])
    widths = np.interp(np.arange(len(axis)), [0, 2, 12, 20, 32], [0.04, 0.075, 0.085, 0.07, 0.035])
    canvas.fill(strip(axis, widths), colour)
    side = rng.random() < 0.6
    half = 0.045 if side else 0.1
    canvas.fill(strip([(0, -0.4), (0, -0.52)], [0.034, half]), colour)
    canvas.fill(box(-half, -0.96, half, -0.45, 0.04 if side else 0.09), colour)
    canvas.bevel(0.9, 0.04)
    canvas.fill(strip(axis[3:18], widths[3:18] * 0.55), grip)
    canvas.paint(line_mask([axis[2:-4] - (0.03, 0)], 0.014), WHITE, 0.6)
    for row in np.linspace(0.3, 0.7, 6):
        canvas.line([(-0.03, row), (0.03, row)], scaled(grip, 0.6), 0.016)
    tuft = varied(rng, (238, 238, 236), 12)
    tip = paint_colour(rng, 0.5) if rng.random() < 0.6 else tuft
    worn = rng.uniform(0.01, 0.07)
    if side:
        long = rng.uniform(0.2, 0.3)
        direction = choice(rng, (-1, 1))
        x0 = direction * half * 0.8
        canvas.paint(polygon_mask([(x0, -0.93), (x0, -0.52), (x0 + direction * long * 0.9, -0.54),
                                   (x0 + direction * long * 0.9, -0.91)]), scaled(tuft, 0.72))
        for colour, first, last, count in ((tuft, 0, 1, 34), (tip, 0.6, 1, 34)):
            roots = np.linspace(-0.94, -0.5, count)
            ends = roots + rng.normal(0, worn, count)
            lines = [[(x0 + direction * long * first, r + (e - r) * first),
                      (x0 + direction * long * last, e)] for r, e in zip(roots, ends, strict=True)]
            canvas.paint(line_mask(lines, 0.012), colour)
    else:
        for row in np.linspace(-0.9, -0.52, 8):
            for column in np.linspace(-0.06, 0.06, 4):
                colour = tip if abs(row + 0.7) < 0.1 else tuft
                at = (column + rng.normal(0, worn / 5), row)
                canvas.fill(ellipse(at[0] + 0.01, at[1] + 0.01, 0.02, 0.024, count=10),
                            scaled(colour, 0.5))
                canvas.fill(ellipse(*at, 0.019, 0.021, count=10), colour)


def cloth(canvas):
    """A stained shirt, a pair of shorts or a crumpled rag with folds."""
    rng = canvas.rng
    colour = paint_colour(rng)
    if max(colour) < 90:
        colour = scaled(colour, 2.0)
    kind = choice(rng, ("shirt", "shirt", "rag", "shorts"))
    if kind == "shirt":
        arm = rng.uniform(0.0, 0.25)
        right = [(0.2, -0.78), (0.48, -0.68), (0.95, -0.3 + arm), (0.72, 0.0 + arm), (0.48, -0.22),
                 (0.5, 0.3), (0.55, 0.85)]
        outline = np.array(right + [(-x, y) for x, y in right[::-1]])
        outline = np.concatenate([outline, ellipse(0, -0.8, 0.2, 0.16, 0, 180, 0, 12)])
        canvas.fill(outline + rng.normal(0, 0.02, outline.shape), colour)
    elif kind == "shorts":
        outline = np.array([(-0.6, -0.7), (0.6, -0.7), (0.82, 0.75), (0.16, 0.8), (0, -0.05),
                            (-0.16, 0.8), (-0.82, 0.75)])
        canvas.fill(outline + rng.normal(0, 0.03, outline.shape), colour)
        canvas.fill(box(-0.6, -0.74, 0.6, -0.58), scaled(colour, 0.7))
    else:
        canvas.fill(blob(rng, 0, 0, 0.75, 0.66, 0.28, 11), colour)
    whole = canvas.alpha()
    pattern = rng.random()
    if pattern < 0.25:
        stripes = np.sin(Y * rng.uniform(14, 40) + rng.uniform(0, 6)) + 0 * X
        canvas.paint(whole, paint_colour(rng), (stripes > 0.3).astype(np.float32) * 0.9)
    elif pattern < 0.4:
        checks = (np.sin(X * 20) > 0.4) * 0.4 + (np.sin(Y * 20) > 0.4) * 0.4
        canvas.paint(whole, paint_colour(rng), checks.astype(np.float32))
    phase = canvas.noise(4, 0, 9)
    angle = rng.uniform(0, 3.14)
    folds = np.sin((X * np.cos(angle) + Y * np.sin(angle)) * rng.uniform(5, 11) + phase)
    canvas.multiply(0.85 + 0.28 * folds)
    canvas.multiply(canvas.noise(9, 0.7, 1.2))
    canvas.bevel(0.6, 0.1)
    if kind == "shirt":
        canvas.line(ellipse(0, -0.8, 0.23, 0.2, 0, 12, 168, 16), scaled(colour, 0.6), 0.03)
        for mirror_x in (-1, 1):
            canvas.line([(0.48 * mirror_x, -0.66), (0.48 * mirror_x, -0.22)], scaled(colour, 0.55),
                        0.014)
    dirt = varied(rng, choice(rng, [(84, 62, 40), (60, 52, 44), (120, 92, 40)]), 12)
    for _ in range(int(rng.integers(3, 7))):
        spot = blob(rng, *rng.uniform(-0.55, 0.55, 2), rng.uniform(0.07, 0.26),
                    rng.uniform(0.07, 0.22), 0.45, 11)
        mask = np.minimum(polygon_mask(spot), whole)
        canvas.paint(mask, dirt, np.clip(canvas.noise(18, 0.1, 1.2), 0, 0.9))
    canvas.wobble(rng.uniform(0.06, 0.15), 5)
    canvas.grain(0.9, 1.08)


def bowl(canvas):
    """A glazed bowl from the side or from above, with a painted band, now and then chipped."""
    rng = canvas.rng
    glaze = varied(rng, choice(rng, [(236, 234, 226), (236, 234, 226), (228, 214, 186),
                                     (120, 150, 170), (90, 120, 96), (150, 84, 60)]), 12)
    motif = varied(rng, choice(rng, [(40, 70, 150), (40, 70, 150), (170, 50, 44), (60, 110, 70),
                                     (60, 50, 46)]), 16)
    if rng.random() < 0.3:
        _bowl_from_above(canvas, glaze, motif)
        return
    wide, tilt = rng.uniform(0.78, 0.93), rng.uniform(0.2, 0.42)
    top, deep = -rng.uniform(0.15, 0.35), rng.uniform(0.75, 0.95)
    t = np.linspace(0, 1, 24)
    rows = top + deep * t
    radii = wide * (1 - 0.62 * t ** rng.uniform(1.8, 3.2))
    foot = radii[-1] * rng.uniform(0.9, 1.0)
    canvas.lathe([rows[-1] - 0.03, rows[-1] + 0.08], [foot, foot * 1.04], scaled(glaze, 0.8), 0.2,
                 tilt=0.2)
    body = canvas.lathe(rows, radii, glaze, 0.5, tilt=0.2)
    curve = Y - top - tilt * np.sqrt(np.maximum(0, wide ** 2 - X * X))
    across = np.arcsin(np.clip(X / wide, -1, 1))
    style = int(rng.integers(3))
    if style == 0:
        mark = (np.abs(curve - 0.06) < 0.02) | (np.abs(curve - 0.3) < 0.014)
    elif style == 1:
        mark = np.abs(curve - 0.2 - 0.05 * np.sin(across * rng.uniform(8, 18))) < 0.03
    else:
        mark = np.hypot((np.mod(across * 3.2, 1) - 0.5) * 0.5, curve - 0.22) < 0.11
        mark &= np.hypot((np.mod(across * 3.2, 1) - 0.5) * 0.5, curve - 0.22) > 0.045
    canvas.paint(body, motif, (mark * 0.85).astype(np.float32))
    canvas.fill(ellipse(0, top, wide, wide * tilt), scaled(glaze, 1.08))
    inner = polygon_mask(ellipse(0, top, wide * 0.95, wide * tilt * 0.93))
    canvas.paint(inner, scaled(glaze, 0.72))
    canvas.multiply(0.86 - 0.35 * X * canvas.light[0] + 0.55 * (Y - top), inner)
    if rng.random() < 0.5:
        canvas.line(ellipse(0, top, wide * 0.985, wide * tilt * 0.98), motif, 0.016, True)
    if rng.random() < 0.3:
        at = rng.uniform(-0.6, 0.6) * wide
        y = top + tilt * np.sqrt(wide ** 2 - at * at)
        canvas.erase(polygon_mask(np.array([(at - 0.1, y - 0.05), (at - 0.03, y + 0.07),
                                            (at + 0.05, y + 0.03), (at + 0.12, y - 0.06)])))


def _bowl_from_above(canvas, glaze, motif):
    rng = canvas.rng
    canvas.fill(ellipse(0, 0, 0.9, 0.88), scaled(glaze, 1.06))
    canvas.bevel(0.8, 0.05)
    inner = polygon_mask(ellipse(0, 0, 0.83, 0.81))
    lit = -(X * canvas.light[0] + Y * canvas.light[1])
    deep = np.hypot(X, Y)
    canvas.paint(inner, np.asarray(glaze, np.float32) * (0.8 + 0.3 * lit - 0.1 * (deep < 0.42))[
        ..., None])
    canvas.line(ellipse(0, 0, 0.74, 0.72), motif, 0.03, True)
    petals = int(rng.integers(5, 12))
    flower = deep < 0.62 + 0.06 * np.cos(np.arctan2(Y, X) * petals)
    canvas.paint(inner, motif, ((flower & (deep > 0.52)) * 0.7).astype(np.float32))
    canvas.line(ellipse(0.02, 0.02, 0.38, 0.37), scaled(glaze, 0.62), 0.02, True)
    canvas.paint(polygon_mask(ellipse(0.5 * canvas.light[0], 0.5 * canvas.light[1], 0.1, 0.05, 40)),
                 WHITE, 0.6)


RESIDUAL = (chopsticks, lighter, broom, mirror, toothbrush, cloth, seashell, bowl)
