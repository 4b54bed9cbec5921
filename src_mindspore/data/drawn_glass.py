"""Drawings of the two classes of glass: drinking glasses and jars, and bottles.

Every function draws one object of its class, upright, on a `Canvas` and returns nothing;
chance comes from `canvas.rng`. See drawn_canvas.py for the units.
"""
import numpy as np

from src_mindspore.data.drawn_canvas import (
    WHITE,
    X,
    Y,
    blob,
    choice,
    ellipse,
    line_mask,
    paint_colour,
    polygon_mask,
    scaled,
    varied,
)


def glassware(canvas):
    """A tumbler, a wine glass, a glass mug or a jar: thin, clear, with bright rims."""
    rng = canvas.rng
    kind = choice(rng, ("tumbler", "wine", "mug", "jar"))
    tint = varied(rng, choice(rng, [(215, 228, 232), (200, 222, 222), (226, 226, 220)]), 10)
    tilt = rng.uniform(0.15, 0.3)
    clear = rng.uniform(0.28, 0.45)
    if kind == "wine":
        y = np.linspace(-0.85, 0.1, 24)
        bowl = rng.uniform(0.4, 0.52)
        radii = bowl * np.sqrt(np.maximum(0.002, 1 - np.clip((y + 0.45) / 0.56, -0.55, 1) ** 2))
        foot = rng.uniform(0.34, 0.42)
        canvas.paint(polygon_mask(ellipse(0, 0.82, foot, foot * 0.25)), tint, 0.55)
        canvas.line(ellipse(0, 0.82, foot, foot * 0.25), scaled(tint, 1.1), 0.015)
        canvas.lathe([0.05, 0.2, 0.7, 0.8], [0.06, 0.032, 0.032, 0.12], tint, 0.6, 0.75, 0.1)
    else:
        top, bottom = -rng.uniform(0.55, 0.85), rng.uniform(0.6, 0.85)
        wide = rng.uniform(0.4, 0.55)
        y = np.linspace(top, bottom, 24)
        radii = wide * np.linspace(1, rng.uniform(0.72, 1.0), 24)
        if kind == "jar":
            radii = np.interp(y, [top, top + 0.16, top + 0.3, bottom - 0.1, bottom],
                              [wide * 0.8, wide * 0.8, wide * 1.05, wide * 1.05, wide * 0.92])
        if kind == "mug":
            handle = ellipse(wide * 0.95, 0.02, 0.3, 0.38, 0, -95, 95, 30)
            canvas.paint(line_mask([handle], 0.1), tint, 0.6)
            canvas.paint(line_mask([handle + 0.02], 0.025), WHITE, 0.7)
    inner = polygon_mask(ellipse(0, y[0], radii[0], radii[0] * tilt))
    canvas.paint(inner, scaled(tint, 0.85), 0.3)
    glass = canvas.lathe(y, radii, tint, 0.35, clear, tilt)
    canvas.paint(glass, scaled(tint, 0.45), (0.75 * np.clip(
        np.abs(X) / np.interp(Y[:, 0], y, radii)[:, None], 0, 1) ** 14).astype(np.float32))
    if rng.random() < 0.35:
        level = int(rng.integers(6, 16))
        drink = varied(rng, choice(rng, [(120, 25, 35), (205, 130, 40), (150, 190, 220)]))
        canvas.lathe(y[level:-2], radii[level:-2] * 0.93, drink, 0.1, 0.6, tilt)
        canvas.paint(polygon_mask(ellipse(0, y[level], radii[level] * 0.92,
                                          radii[level] * 0.92 * tilt)), scaled(drink, 1.3), 0.7)
    if kind in ("tumbler", "mug"):
        base = np.linspace(y[-4], y[-1], 4)
        canvas.lathe(base, radii[-4:], scaled(tint, 0.8), 0.6, 0.6, tilt)
        if rng.random() < 0.5:
            facets = [[(x * radii[4], y[8]), (x * radii[-1], y[-2])] for x in
                      np.linspace(-0.85, 0.85, 7)]
            canvas.paint(line_mask(facets, 0.016), WHITE, 0.5)
            canvas.paint(line_mask([np.add(f, 0.02) for f in facets], 0.014), (70, 80, 80), 0.4)
    for x, strong in ((-0.7, 0.85), (-0.55, 0.4), (0.72, 0.5)):
        streak = np.stack([radii[2:-3] * x, y[2:-3] + radii[2:-3] * tilt * 0.7], 1)
        canvas.paint(line_mask([streak], 0.03), WHITE, strong)
    canvas.line(ellipse(0, y[0], radii[0], radii[0] * tilt), scaled(tint, 0.6), 0.026, True)
    canvas.line(ellipse(0, y[0] - 0.008, radii[0], radii[0] * tilt), WHITE, 0.012, True)
    if kind == "jar":
        lid = paint_colour(rng)
        wide = radii[0] * 1.08
        if rng.random() < 0.6:
            canvas.lathe([y[0] - 0.08, y[0] + 0.1], [wide, wide], lid, 0.5, tilt=tilt)
            canvas.fill(ellipse(0, y[0] - 0.08, wide, wide * tilt), scaled(lid, 1.15))


def glass_bottle(canvas):
    """A wine, beer or sauce bottle of thick coloured glass with a long neck."""
    rng = canvas.rng
    colour = varied(rng, choice(rng, [(28, 66, 36), (48, 92, 40), (92, 52, 18), (70, 36, 14),
                                      (150, 178, 170), (34, 70, 120)]), 12)
    radius, neck = rng.uniform(0.22, 0.33), rng.uniform(0.065, 0.1)
    shoulder, rise = rng.uniform(-0.25, 0.1), rng.uniform(0.12, 0.4)
    y = np.linspace(-0.95, 0.95, 64)
    radii = np.interp(y, [-0.95, shoulder - rise, shoulder - rise * 0.4, shoulder, 0.9, 0.95],
                      [neck, neck * 1.25, (neck + radius) * 0.56, radius, radius, radius * 0.9])
    radii = radii + 0.02 * (y < -0.88)
    canvas.lathe(y, radii, colour, 0.25, rng.uniform(0.78, 0.95), 0.07, contrast=1.2)
    side = 1 if canvas.light[0] > 0 else -1
    for x, wide, strong in ((0.62, 0.045, 0.75), (0.4, 0.02, 0.35), (-0.75, 0.025, 0.4)):
        streak = np.stack([radii[4:-4] * x * side, y[4:-4]], 1)
        canvas.paint(line_mask([streak], wide), (245, 250, 245), strong)
    if rng.random() < 0.75:
        start = rng.uniform(shoulder + 0.1, shoulder + 0.25)
        rows = [start, min(start + rng.uniform(0.3, 0.55), 0.85)]
        paper = varied(rng, choice(rng, [(236, 228, 205), (240, 240, 236), (60, 30, 30),
                                         (200, 170, 90)]))
        label = canvas.lathe(rows, [radius + 0.004] * 2, paper, 0.1, tilt=0.07)
        canvas.fill(blob(rng, 0, rows[0] + 0.12, radius * 0.4, 0.06, 0.3), paint_colour(rng))
        lines = [[(-radius * w, rows[0] + d), (radius * w, rows[0] + d)]
                 for w, d in ((0.7, 0.03), (0.6, 0.22), (0.4, 0.27))]
        canvas.paint(np.minimum(line_mask(lines, 0.016), label), (60, 45, 40), 0.8)
    end = rng.random()
    if end < 0.35:
        rows = np.linspace(-0.96, -0.96 + rng.uniform(0.12, 0.35), 6)
        canvas.lathe(rows, np.interp(rows, y, radii) + 0.008, paint_colour(rng), 0.5, tilt=0.1)
    elif end < 0.6:
        canvas.lathe([-0.99, -0.92], [neck + 0.01, neck + 0.035], paint_colour(rng), 0.5)
    else:
        canvas.fill(ellipse(0, -0.955, neck + 0.02, 0.025), scaled(colour, 1.6))
        canvas.fill(ellipse(0, -0.953, neck * 0.75, 0.014), scaled(colour, 0.3))
