"""Drawings of the four hazardous classes: paint bucket, battery, fluorescent lamp, tablets.

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
    strip,
    turned,
    varied,
)


def paint_bucket(canvas):
    """A bucket with a wire handle, open to show the paint, with drips down its side."""
    rng = canvas.rng
    shell = varied(rng, choice(rng, [(235, 235, 232), (178, 180, 184), (178, 180, 184),
                                     (60, 62, 66), (210, 180, 60)]), 14)
    paint = hsv(rng.uniform(0, 360), rng.uniform(0.5, 0.95), rng.uniform(0.5, 0.95))
    wide, tilt = rng.uniform(0.58, 0.72), rng.uniform(0.24, 0.36)
    top, bottom = -rng.uniform(0.3, 0.5), rng.uniform(0.6, 0.78)
    narrow = wide * rng.uniform(0.74, 0.96)
    up = rng.random() < 0.55
    arc = ellipse(0, top + 0.08, wide * 1.03, wide * (0.85 if up else 0.75), 0,
                  180 if up else 0, 360 if up else 180)
    if up:
        canvas.line(arc, (120, 122, 126), 0.03)
    rows = [top, top + 0.03, bottom - 0.05, bottom]
    body = canvas.lathe(rows, [wide, wide, narrow, narrow * 1.02], shell, 0.5, tilt=tilt * 0.8)
    curve = Y - tilt * 0.8 * np.sqrt(np.maximum(0, wide ** 2 - X * X))
    for row in (top + 0.14, bottom - 0.1):
        canvas.paint(body, scaled(shell, 0.5), (np.abs(curve - row) < 0.014) * np.float32(0.7))
    if rng.random() < 0.8:
        mark = np.abs(curve - (top + bottom) / 2) < rng.uniform(0.16, 0.3)
        label = paint_colour(rng) if rng.random() < 0.5 else (240, 238, 230)
        canvas.paint(body, label, (mark * 0.92).astype(np.float32))
        canvas.fill(blob(rng, rng.uniform(-0.15, 0.15), (top + bottom) / 2 + tilt * 0.75 * wide,
                         0.2, 0.14, 0.3), paint)
        canvas.multiply(1.08 - 0.5 * (X / wide - 0.5 * canvas.light[0]) ** 2, body)
    canvas.fill(ellipse(0, top, wide * 1.05, wide * tilt * 1.06), scaled(shell, 1.12))
    canvas.fill(ellipse(0, top, wide * 0.97, wide * tilt * 0.94), scaled(shell, 0.45))
    surface = polygon_mask(ellipse(0, top + 0.045, wide * 0.9, wide * tilt * 0.76))
    canvas.paint(surface, paint)
    canvas.multiply(1.05 + 0.2 * np.sin(X * 5 + Y * 9 + canvas.noise(4, 0, 5)), surface)
    canvas.paint(polygon_mask(ellipse(-0.18, top + 0.02, 0.16, 0.025, -8)), WHITE, 0.5)
    for _ in range(int(rng.integers(2, 6))):
        x = rng.uniform(-0.8, 0.8) * wide
        rim = top + tilt * 0.98 * np.sqrt(wide ** 2 - x * x)
        long, thick = rng.uniform(0.12, 0.75), rng.uniform(0.03, 0.07)
        drip = strip([(x, rim - 0.06), (x, rim + long * 0.4), (x * 0.97, rim + long)],
                     [thick * 1.7, thick * 0.8, thick])
        canvas.fill(drip, paint)
        canvas.fill(ellipse(x * 0.97, rim + long, thick, thick * 1.2, count=14), paint)
        canvas.line([(x - thick * 0.4, rim), (x * 0.97 - thick * 0.4, rim + long)],
                    scaled(paint, 1.5), 0.01)
    if not up:
        canvas.line(arc, (110, 112, 116), 0.03)
    for side in (-1, 1):
        canvas.fill(ellipse(side * wide * 0.98, top + 0.1, 0.05, 0.06), (90, 92, 95))
    if rng.random() < 0.35:
        axis = turned([(0.1, top - 0.02), (0.1, top - 0.3), (0.1, top - 0.55)], 25, (0.1, top))
        canvas.fill(strip(axis[:2], [0.13, 0.12]), scaled(paint, 0.85))
        canvas.fill(strip([axis[1], axis[1] * 0.9 + axis[2] * 0.1], 0.13), (170, 172, 176))
        canvas.fill(strip(axis[1:], [0.08, 0.045]), (176, 124, 70))


def battery(canvas):
    """One or more round cells with a cap and a printed band, or a block with two terminals."""
    rng = canvas.rng
    if rng.random() < 0.2:
        _block_battery(canvas)
        return
    count = int(rng.integers(1, 4))
    jacket, band = _battery_colours(rng)
    radius = rng.uniform(0.2, 0.36) if count == 1 else rng.uniform(0.17, 0.22)
    for place in range(count):
        _cell(canvas, (place - (count - 1) / 2) * (radius * 2 + 0.04), radius, jacket, band,
              rng.uniform(-0.04, 0.04) if count > 1 else 0.0)


def _battery_colours(rng):
    jacket = choice(rng, [(28, 28, 30), (28, 28, 30), (30, 110, 70), (40, 70, 150), (200, 200, 205),
                          (170, 40, 40)])
    band = choice(rng, [(196, 128, 62), (214, 172, 76), (200, 200, 204), (220, 120, 40),
                        (230, 220, 90)])
    return varied(rng, jacket, 12), varied(rng, band, 14)


def _cell(canvas, x, radius, jacket, band, shift):
    rng = canvas.rng
    steel = varied(rng, (196, 197, 201), 10)
    top, bottom = -0.74 + shift, 0.86 + shift
    canvas.lathe([bottom - 0.04, bottom + 0.02], [radius * 0.96] * 2, scaled(steel, 0.8), 0.6,
                 tilt=0.2, centre=x)
    split = top + (bottom - top) * rng.uniform(0.25, 0.38)
    canvas.lathe([top + 0.03, bottom - 0.03], [radius] * 2, jacket, 0.6, tilt=0.2, centre=x)
    canvas.lathe([top + 0.03, split], [radius] * 2, band, 0.7, tilt=0.2, centre=x)
    canvas.line(ellipse(x, split, radius, radius * 0.2, 0, 0, 180, 16), scaled(band, 1.4), 0.014)
    canvas.fill(ellipse(x, top + 0.03, radius, radius * 0.2), scaled(band, 0.7))
    canvas.fill(ellipse(x, top + 0.025, radius * 0.8, radius * 0.15), steel)
    canvas.lathe([top - 0.09, top + 0.02], [radius * 0.36] * 2, steel, 0.7, tilt=0.25, centre=x)
    canvas.fill(ellipse(x, top - 0.09, radius * 0.36, radius * 0.1), scaled(steel, 1.2))
    ink = (240, 240, 235) if sum(jacket) < 380 else (35, 35, 40)
    size = radius * 0.3
    middle = split + 0.16 + radius * 0.2
    canvas.line([(x - size, middle), (x + size, middle)], ink, 0.035)
    canvas.line([(x, middle - size), (x, middle + size)], ink, 0.035)
    canvas.line([(x - size, bottom - 0.12), (x + size, bottom - 0.12)], ink, 0.035)
    letters = line_mask([[(x - radius * 0.25, r), (x + radius * 0.3, r)] for r in
                         np.linspace(middle + size + 0.15, bottom - 0.3, 5)], 0.06)
    gaps = np.sin(Y * 75 + rng.uniform(0, 6)) + 0 * X
    canvas.paint(letters, ink, ((gaps > -0.2) * 0.8).astype(np.float32))
    if rng.random() < 0.25:
        rust = np.clip(canvas.noise(16) * 2.2 - 1.2, 0, 0.9) * (top + 0.25 > Y)
        canvas.paint(canvas.alpha(), (130, 80, 40), rust.astype(np.float32))


def _block_battery(canvas):
    rng = canvas.rng
    jacket, band = _battery_colours(rng)
    half, deep = rng.uniform(0.42, 0.52), 0.16
    canvas.fill([(half, -0.55), (half + deep, -0.66), (half + deep, 0.72), (half, 0.86)],
                scaled(jacket, 0.6))
    front = polygon_mask(box(-half, -0.55, half, 0.86, 0.03))
    canvas.paint(front, jacket)
    canvas.paint(polygon_mask(box(-half, -0.55, half, -0.12)), band)
    canvas.multiply(1.05 - 0.3 * X * -canvas.light[0], front)
    lid = [(-half, -0.55), (-half + deep, -0.66), (half + deep, -0.66), (half, -0.55)]
    canvas.fill(lid, (70, 70, 74))
    for x, radius in ((-0.16, 0.13), (0.3, 0.16)):
        steel = varied(rng, (200, 201, 205), 8)
        canvas.lathe([-0.78, -0.6], [radius] * 2, steel, 0.7, tilt=0.25, centre=x)
        canvas.fill(ellipse(x, -0.78, radius, radius * 0.3), scaled(steel, 1.15))
        canvas.fill(ellipse(x, -0.78, radius * 0.6, radius * 0.17), scaled(steel, 0.4))
    ink = (240, 240, 235) if sum(jacket) < 380 else (35, 35, 40)
    for x in (-0.22, 0.22):
        canvas.line([(x - 0.09, -0.33), (x + 0.09, -0.33)], (30, 30, 32), 0.035)
    canvas.line([(0.22, -0.42), (0.22, -0.24)], (30, 30, 32), 0.035)
    canvas.fill(box(-half * 0.7, 0.1, half * 0.7, 0.3), ink)
    for x in np.linspace(-half * 0.55, half * 0.5, 5):
        canvas.fill(box(x, 0.15, x + 0.06, 0.25), jacket)
    lines = [[(-half * 0.6, r), (half * rng.uniform(0.1, 0.7), r)] for r in (0.45, 0.53, 0.61)]
    canvas.paint(line_mask(lines, 0.025), ink, 0.8)


def fluorescent_lamp(canvas):
    """A white tube with metal ends and pins, a spiral lamp or a folded-tube lamp."""
    kind = canvas.rng.random()
    if kind < 0.5:
        _lamp_tube(canvas)
    elif kind < 0.78:
        _spiral_lamp(canvas)
    else:
        _folded_lamp(canvas)


def _lamp_tube(canvas):
    rng = canvas.rng
    glow = varied(rng, (238, 242, 246), 8)
    count = int(rng.integers(1, 4))
    radius = rng.uniform(0.05, 0.085)
    for place in range(count):
        x = (place - (count - 1) / 2) * radius * rng.uniform(2.2, 3.2)
        y = rng.uniform(-0.03, 0.03)
        for pin in (-0.45, 0.45):
            canvas.line([(x + pin * radius, -0.98 + y), (x + pin * radius, 0.98 + y)],
                        (196, 176, 110), 0.024)
        canvas.lathe([-0.88 + y, 0.88 + y], [radius] * 2, glow, 0.3, tilt=0.2, centre=x,
                     contrast=0.65)
        for start, end in ((-0.94, -0.8), (0.8, 0.94)):
            canvas.lathe([start + y, end + y], [radius * 1.08] * 2, (190, 192, 196), 0.7, tilt=0.2,
                         centre=x)
            edge = end if start < 0 else start
            black = np.exp(-np.abs(Y - edge - y) / 0.05) * (np.abs(Y - y) < 0.8)
            if rng.random() < 0.6:
                tube = polygon_mask(box(x - radius, -0.8 + y, x + radius, 0.8 + y))
                canvas.multiply(1 - 0.55 * black, tube)
        letters = [[(x - 0.01, r), (x - 0.01, r + 0.02)] for r in np.arange(0.45, 0.7, 0.035)]
        letters = line_mask([np.add(part, (0, y)) for part in letters], 0.02)
        canvas.paint(letters, (70, 80, 110), 0.8)


def _lamp_base(canvas, top):
    rng = canvas.rng
    canvas.lathe([top, top + 0.1, top + 0.28, top + 0.36], [0.3, 0.34, 0.27, 0.17],
                 varied(rng, (236, 236, 232), 8), 0.3, tilt=0.15)
    rows = np.linspace(top + 0.36, top + 0.58, 24)
    canvas.lathe(rows, 0.15 + 0.014 * np.sin(rows * 95), (186, 184, 176), 0.7, tilt=0.2)
    canvas.lathe([top + 0.58, top + 0.64], [0.12, 0.06], (50, 48, 46), 0.3, tilt=0.2)


def _spiral_lamp(canvas):
    rng = canvas.rng
    glow = varied(rng, (240, 242, 240), 8)
    turns, wide, thick = int(rng.integers(3, 5)), rng.uniform(0.34, 0.44), rng.uniform(0.065, 0.085)
    top, foot = -0.88, 0.28
    t = np.linspace(0, 2 * np.pi * turns, turns * 30)
    y = np.linspace(top, foot, len(t))
    swell = wide * np.clip(np.minimum((t + 1.5) / 4, 1), 0.25, 1)
    x, depth = swell * np.cos(t), np.sin(t)
    canvas.line([(-0.12, foot - 0.1), (-0.12, foot + 0.06)], scaled(glow, 0.8), thick * 2)
    canvas.line([(0.12, foot - 0.1), (0.12, foot + 0.06)], scaled(glow, 0.8), thick * 2)
    points = np.stack([x, y + 0.06 * depth], 1)
    for behind in (True, False):
        for i in np.flatnonzero((depth < 0) == behind)[:-1]:
            if i + 2 >= len(points):
                continue
            part = points[i:i + 3]
            tone = scaled(glow, 0.68 if behind else 1.0)
            canvas.line(part, scaled(tone, 0.62), thick * 2)
            canvas.line(part - (0, thick * 0.12), scaled(tone, 0.86), thick * 1.6)
        for i in np.flatnonzero((depth < 0) == behind)[:-1]:
            canvas.line(points[i:i + 2] - (0, thick * 0.25), scaled(glow, 0.75 if behind else 1.05),
                        thick)
    _lamp_base(canvas, foot + 0.04)


def _folded_lamp(canvas):
    rng = canvas.rng
    glow = varied(rng, (240, 242, 240), 8)
    tubes = int(rng.integers(2, 4))
    for place in range(tubes):
        x = (place - (tubes - 1) / 2) * 0.24
        arch = np.concatenate([[(x - 0.075, 0.36)], ellipse(x, -0.72, 0.075, 0.13, 0, 180, 360, 14),
                               [(x + 0.075, 0.36)]])
        canvas.line(arch, scaled(glow, 0.62), 0.12)
        canvas.line(arch, scaled(glow, 0.86), 0.095)
        canvas.line(arch - (0.012, 0), scaled(glow, 1.05), 0.05)
    _lamp_base(canvas, 0.32)


def tablets(canvas):
    """A blister pack, loose two-coloured capsules, or round tablets."""
    rng = canvas.rng
    kind = choice(rng, ("pack", "pack", "loose", "loose"))
    one, two = paint_colour(rng, 0.55), choice(rng, [WHITE, paint_colour(rng), (240, 220, 120)])
    round_ones = rng.random() < 0.4
    if kind == "pack":
        rows, columns = int(rng.integers(4, 6)), int(rng.integers(2, 4))
        half, tall = 0.24 * columns + 0.04, 0.17 * rows + 0.06
        sheet = polygon_mask(box(-half, -tall, half, tall, 0.06))
        foil = varied(rng, (196, 198, 203), 12)
        canvas.paint(sheet, foil)
        canvas.multiply(1 + 0.12 * np.sin(X * 70) * np.sin(Y * 70), sheet)
        canvas.multiply(canvas.noise(6, 0.72, 1.25), sheet)
        for row in range(rows):
            for column in range(columns):
                x, y = (column - (columns - 1) / 2) * 0.46, (row - (rows - 1) / 2) * 0.34
                canvas.fill(ellipse(x + 0.015, y + 0.02, 0.19, 0.135), scaled(foil, 0.55))
                canvas.fill(ellipse(x, y, 0.185, 0.13), scaled(foil, 1.12))
                if rng.random() < 0.15:
                    canvas.fill(blob(rng, x, y, 0.12, 0.08, 0.35), scaled(foil, 0.35))
                elif round_ones:
                    _tablet(canvas, x, y, 0.115, one, 0.0)
                else:
                    _capsule(canvas, x, y, 0.15, 0.0, one, two)
                canvas.paint(polygon_mask(ellipse(x - 0.05, y - 0.07, 0.07, 0.02, -12)), WHITE, 0.6)
        return
    places = []
    wanted = int(rng.integers(3, 8))
    for _ in range(60):
        at = rng.uniform(-0.68, 0.68, 2)
        if all(np.hypot(*(at - other)) > 0.4 for other in places):
            places.append(at)
        if len(places) == wanted:
            break
    mixed = rng.random() < 0.5
    for x, y in places:
        if mixed:
            one, two = paint_colour(rng, 0.5), choice(rng, [WHITE, paint_colour(rng)])
            round_ones = rng.random() < 0.4
        if round_ones:
            _tablet(canvas, x, y, 0.2, two if two == WHITE else one, rng.uniform(0, 180))
        else:
            _capsule(canvas, x, y, 0.3, rng.uniform(0, 180), one, two)


def _capsule(canvas, x, y, half, angle, one, two):
    thick = half * 0.42
    outline = turned(box(x - half, y - thick, x + half, y + thick, thick), angle, (x, y))
    canvas.fill(outline + (0.02, 0.03), (60, 58, 56))
    canvas.fill(outline, two)
    cap = np.concatenate([ellipse(x - half + thick, y, thick, thick, 0, 90, 270, 14),
                          [(x + 0.1 * half, y - thick), (x + 0.1 * half, y + thick)]])
    canvas.fill(turned(cap, angle, (x, y)), one)
    mask = polygon_mask(outline)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    low = (-(X - x) * s + (Y - y) * c) / thick
    canvas.multiply(1.1 - 0.42 * np.clip(low + 0.2, 0, 1) ** 2, mask)
    shine = turned([(x - half * 0.7, y - thick * 0.45), (x + half * 0.7, y - thick * 0.45)], angle,
                   (x, y))
    canvas.paint(line_mask([shine], thick * 0.3), WHITE, 0.65)


def _tablet(canvas, x, y, radius, colour, angle):
    canvas.fill(ellipse(x + 0.02, y + 0.035, radius, radius * 0.92), scaled(colour, 0.45))
    canvas.fill(ellipse(x, y, radius, radius * 0.92), scaled(colour, 0.88))
    canvas.fill(ellipse(x - 0.008, y - 0.012, radius * 0.86, radius * 0.78), colour)
    score = turned([(x - radius * 0.75, y), (x + radius * 0.75, y)], angle, (x, y))
    canvas.line(score, scaled(colour, 0.6), 0.02)
    canvas.line(score + (0.0, 0.014), scaled(colour, 1.2), 0.01)


HAZARDOUS = (paint_bucket, battery, fluorescent_lamp, tablets)
