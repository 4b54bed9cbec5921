"""Drawings of the recyclable classes; drawn_paper.py and drawn_glass.py hold five of them.

Every function draws one object of its class, upright, on a `Canvas` and returns nothing;
chance comes from `canvas.rng`. See drawn_canvas.py for the units.
"""
import numpy as np

from src_mindspore.data.drawn_canvas import (
    CANVAS_PIXELS,
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
    varied,
)
from src_mindspore.data.drawn_glass import glass_bottle, glassware
from src_mindspore.data.drawn_paper import cardboard, newspaper, paper


def plastic_bottle(canvas):
    """A thin clear bottle with ribs, a coloured cap and a printed label."""
    rng = canvas.rng
    radius = rng.uniform(0.25, 0.37)
    neck = rng.uniform(0.09, 0.13)
    shoulder = rng.uniform(-0.45, -0.25)
    y = np.linspace(-0.78, 0.92, 60)
    body = np.interp(y, [-0.78, -0.68, (shoulder - 0.68) / 2, shoulder, 0.85, 0.92],
                     [neck, neck, radius * 0.75, radius, radius, radius * 0.85])
    ribs = (y > shoulder) * np.sin(y * rng.uniform(28, 45)) * rng.uniform(0.006, 0.02)
    waist = radius * rng.uniform(0, 0.18) * np.exp(-((y - rng.uniform(0, 0.5)) / 0.15) ** 2)
    radii = body + ribs - waist * (y > shoulder)
    tint = varied(rng, choice(rng, [(205, 225, 240), (225, 230, 230), (150, 200, 230),
                                    (165, 220, 185), (235, 235, 225)]))
    shell = canvas.lathe(y, radii, tint, shine=0.5, opacity=rng.uniform(0.42, 0.7), tilt=0.08)
    for row in np.linspace(shoulder + 0.08, 0.82, int(rng.integers(5, 10))):
        r = float(np.interp(row, y, radii))
        ring = line_mask([ellipse(0, row, r, r * 0.1, 0, 10, 170, 16)], 0.012)
        canvas.paint(ring, scaled(tint, 0.6), 0.6)
        canvas.paint(np.roll(ring, 3, 0), WHITE, 0.5)
    if rng.random() < 0.5:
        canvas.multiply(0.72 + 0.56 * (canvas.noise(14) > 0.5), shell)
    if rng.random() < 0.8:
        top = rng.uniform(shoulder + 0.1, 0.05)
        rows = np.linspace(top, top + rng.uniform(0.25, 0.5), 12)
        label_radii = np.interp(rows, y, radii) + 0.004
        colour = paint_colour(rng)
        canvas.lathe(rows, label_radii, colour, shine=0.3, tilt=0.08)
        canvas.lathe(rows[4:8], label_radii[4:8], paint_colour(rng), shine=0.3, tilt=0.08)
    for x in (-0.55, 0.5):
        streak = np.stack([radii[14:-4] * x, y[14:-4]], 1)
        canvas.paint(line_mask([streak], 0.025), WHITE, rng.uniform(0.2, 0.6))
    cap = paint_colour(rng)
    rows = np.array([-0.96, -0.94, -0.8])
    canvas.lathe(rows, np.array([0.95, 1.1, 1.1]) * (neck + 0.02), cap, shine=0.3)
    grooves = [[(x, -0.95), (x, -0.79)] for x in np.linspace(-neck, neck, 7)]
    canvas.paint(line_mask(grooves, 0.01), scaled(cap, 0.5), 0.6)
    if rng.random() < 0.35:
        canvas.wobble(0.09, 6)


def hat(canvas):
    """A peaked cap, a brimmed hat or a knitted cap."""
    choice(canvas.rng, (_peaked_cap, _brimmed_hat, _knitted_cap))(canvas)


def _peaked_cap(canvas):
    rng = canvas.rng
    colour = paint_colour(rng)
    brim_colour = colour if rng.random() < 0.5 else paint_colour(rng)
    height = rng.uniform(0.6, 0.75)
    dome = np.concatenate([ellipse(-0.1, 0.2, 0.62, height, 0, 180, 360, 30),
                           [(0.52, 0.28), (0.1, 0.36), (-0.4, 0.36), (-0.72, 0.26)]])
    canvas.fill(dome, colour)
    canvas.bevel(0.9, 0.25)
    for bend in (-0.45, -0.1, 0.25):
        seam = smooth([(-0.1, 0.2 - height), (-0.1 + bend * 0.9, -0.2), (-0.1 + bend * 1.25, 0.34)])
        canvas.line(seam, scaled(colour, 0.6), 0.012)
        canvas.line(seam + (0.02, 0), scaled(colour, 1.3), 0.008)
    canvas.fill(ellipse(-0.1, 0.2 - height, 0.07, 0.03), scaled(colour, 0.8))
    if rng.random() < 0.6:
        canvas.fill(blob(rng, 0.2, -0.08, 0.13, 0.13, 0.35, 7), paint_colour(rng))
    brim = smooth([(0.0, 0.3), (0.35, 0.2), (0.6, 0.22), (0.95, 0.42), (0.98, 0.52), (0.7, 0.5),
                   (0.3, 0.46), (0.0, 0.42)], True)
    mask = polygon_mask(brim)
    canvas.paint(mask, brim_colour)
    canvas.bevel(0.8, 0.1, mask)
    for inset in (0.9, 0.78):
        canvas.line((brim - (0.5, 0.37)) * inset + (0.5, 0.37), scaled(brim_colour, 0.7), 0.008,
                    True)
    canvas.grain(0.88, 1.1)


def _brimmed_hat(canvas):
    rng = canvas.rng
    straw = rng.random() < 0.5
    colour = varied(rng, (222, 190, 130), 25) if straw else paint_colour(rng)
    brim = polygon_mask(ellipse(0, 0.3, 0.95, rng.uniform(0.26, 0.38)))
    canvas.paint(brim, colour)
    canvas.bevel(0.8, 0.1)
    canvas.multiply(0.62 + 0.38 * np.minimum(1, ((X / 0.62) ** 2 + ((Y - 0.36) / 0.2) ** 2) / 1.6),
                    brim)
    top = rng.uniform(-0.6, -0.4)
    crown = smooth([(-0.54, 0.34), (-0.48, -0.1), (-0.38, top), (-0.1, top + 0.07),
                    (0.15, top - 0.02), (0.38, top + 0.02), (0.48, -0.1), (0.54, 0.34),
                    (0.3, 0.43), (0, 0.46), (-0.3, 0.43)], True)
    mask = polygon_mask(crown)
    canvas.paint(mask, scaled(colour, 1.05))
    canvas.bevel(1.0, 0.25, mask)
    if straw:
        weave = 0.9 + 0.12 * np.sin(X * 95) * np.sin(Y * 95)
        canvas.multiply(weave)
    dent = smooth([(-0.12, top + 0.1), (0.0, top + 0.25), (0.06, top + 0.42)])
    canvas.paint(line_mask([dent], 0.07), scaled(colour, 0.55), 0.5)
    ribbon = np.concatenate([ellipse(0, 0.12, 0.51, 0.1, 0, 180, 0, 20),
                             ellipse(0, 0.31, 0.54, 0.13, 0, 0, 180, 20)])
    canvas.fill(ribbon, paint_colour(rng))
    canvas.bevel(0.5, 0.2, polygon_mask(ribbon))


def _knitted_cap(canvas):
    rng = canvas.rng
    colour, cuff = paint_colour(rng), paint_colour(rng)
    height = rng.uniform(0.85, 1.05)
    dome = np.concatenate([ellipse(0, 0.35, 0.64, height, 0, 180, 360, 30), [(0.64, 0.5),
                                                                          (-0.64, 0.5)]])
    mask = polygon_mask(dome)
    canvas.paint(mask, colour)
    stripes = int(rng.integers(0, 4))
    for row in np.linspace(-0.3, 0.25, stripes):
        band = polygon_mask(strip(smooth([(-0.7, row + 0.08), (0, row - 0.04), (0.7, row + 0.08)]),
                                  0.05))
        canvas.paint(np.minimum(band, mask), paint_colour(rng))
    lean = X * (1 + 0.5 * np.maximum(0, -Y))
    canvas.multiply(0.9 + 0.16 * np.abs(np.sin(lean * 45)) - 0.08 * (np.sin(Y * 60) > 0.3), mask)
    canvas.bevel(1.0, 0.25)
    band = polygon_mask(box(-0.7, 0.32, 0.7, 0.68, 0.12))
    canvas.paint(band, cuff)
    canvas.multiply(0.78 + 0.34 * np.abs(np.sin(X * 38)), band)
    canvas.bevel(0.7, 0.12, band)
    if rng.random() < 0.6:
        ball = paint_colour(rng)
        for _ in range(60):
            angle, reach = rng.uniform(0, 6.28), rng.uniform(0.05, 0.2)
            tip = (reach * np.cos(angle), 0.33 - height + reach * np.sin(angle))
            canvas.line([(0, 0.33 - height), tip], varied(rng, ball, 30), 0.03)


def can(canvas):
    """A drinks can or a food tin seen from slightly above, sometimes crushed."""
    rng = canvas.rng
    radius, tilt = rng.uniform(0.36, 0.52), rng.uniform(0.18, 0.34)
    top, bottom = -rng.uniform(0.55, 0.8), rng.uniform(0.55, 0.78)
    steel = varied(rng, (188, 190, 194), 14)
    tin = rng.random() < 0.3
    colour = varied(rng, (200, 200, 202)) if tin and rng.random() < 0.5 else paint_colour(rng, 0.5)
    neck = radius * (1.0 if tin else 0.86)
    rows = [top, top + 0.1, bottom - 0.08, bottom]
    canvas.lathe(rows, [neck, radius, radius, neck], steel, 0.5, tilt=tilt)
    skin = np.full((CANVAS_PIXELS, CANVAS_PIXELS, 3), colour, np.float32)
    second = np.asarray(paint_colour(rng), np.float32)
    style = int(rng.integers(4))
    curve = Y - tilt * radius * np.sqrt(np.maximum(0, 1 - (X / radius) ** 2))
    if style == 0:
        skin[np.abs(curve - 0.1 - 0.15 * np.sin(X * 5 + rng.uniform(0, 6))) < 0.13] = second
    elif style == 1:
        skin[np.abs(curve - rng.uniform(-0.2, 0.2)) < rng.uniform(0.08, 0.25)] = second
    elif style == 2:
        far = (X - rng.uniform(-0.1, 0.1)) ** 2 + (curve + 0.05) ** 2
        skin[far < rng.uniform(0.02, 0.07)] = second
    else:
        skin[np.sin((X + curve) * rng.uniform(8, 20)) > 0.4] = second
    label = canvas.lathe([top + 0.1, bottom - 0.08], [radius, radius], skin, 0.55, tilt=tilt)
    if style != 3:
        lines = [[(-0.25, row), (rng.uniform(0, 0.25), row)] for row in (0.25, 0.31, 0.37)]
        canvas.paint(np.minimum(line_mask(lines, 0.02), label), second, 0.8)
    if tin:
        for row in np.linspace(top + 0.15, bottom - 0.1, 9):
            ring = line_mask([ellipse(0, row, radius, radius * tilt, 0, 0, 180, 20)], 0.012)
            canvas.paint(ring, (40, 40, 40), 0.35)
            canvas.paint(np.roll(ring, 3, 0), WHITE, 0.25)
    canvas.fill(ellipse(0, top, neck, neck * tilt), scaled(steel, 1.15))
    canvas.fill(ellipse(0, top, neck * 0.9, neck * tilt * 0.88), scaled(steel, 0.62))
    lid = polygon_mask(ellipse(0, top + 0.01, neck * 0.88, neck * tilt * 0.84))
    canvas.paint(lid, np.repeat((175 + 60 * np.sin(X * 9 + Y * 6))[..., None], 3, 2), 0.8)
    canvas.fill(ellipse(0.02, top + 0.02, neck * 0.3, neck * tilt * 0.42), scaled(steel, 0.5))
    canvas.fill(ellipse(0.0, top - 0.02, neck * 0.24, neck * tilt * 0.3), scaled(steel, 1.2))
    canvas.fill(ellipse(0.0, top - 0.03, neck * 0.11, neck * tilt * 0.14), scaled(steel, 0.45))
    if rng.random() < 0.4:
        canvas.multiply(0.65 + 0.6 * (canvas.noise(9) > 0.5), label)
        canvas.wobble(rng.uniform(0.05, 0.12), 6)


def basketball(canvas):
    """A pebbled ball with the eight-panel seams turned at random, sometimes flat."""
    rng = canvas.rng
    colour = hsv(rng.normal(20, 6), rng.uniform(0.65, 0.92), rng.uniform(0.6, 0.92))
    if rng.random() < 0.12:
        colour = paint_colour(rng)
    radius = 0.88
    disc = polygon_mask(ellipse(0, 0, radius, radius, count=72))
    depth = np.sqrt(np.maximum(0, radius ** 2 - X * X - Y * Y))
    lit = (X * canvas.light[0] + Y * canvas.light[1] + depth * 0.8) / radius
    shade = 0.32 + 0.75 * np.clip(lit, 0, 1.1)
    gloss = 90 * np.clip(lit, 0, 1) ** 14 * rng.uniform(0.2, 1)
    canvas.paint(disc, np.asarray(colour, np.float32) * shade[..., None] + gloss[..., None])
    canvas.grain(0.82, 1.14, disc)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    t = np.linspace(0, 2 * np.pi, 90)
    zero = np.zeros_like(t)
    bow = 0.55 + 0.25 * np.cos(2 * t)
    curves = [(np.cos(t), np.sin(t), zero), (zero, np.cos(t), np.sin(t)),
              (bow, np.cos(t) * np.sqrt(1 - bow ** 2), np.sin(t) * np.sqrt(1 - bow ** 2)),
              (-bow, np.cos(t) * np.sqrt(1 - bow ** 2), np.sin(t) * np.sqrt(1 - bow ** 2))]
    seams = []
    for curve in curves:
        points = np.stack(curve, 1) @ turn * radius
        front = points[:, 2] > 0
        for i in np.flatnonzero(front[:-1] & front[1:]):
            seams.append(points[i:i + 2, :2])
    canvas.paint(np.minimum(line_mask(seams, rng.uniform(0.035, 0.055)), disc), (28, 20, 18), 0.9)
    if rng.random() < 0.25:
        canvas.wobble(0.1, 4)




def metalware(canvas):
    """Steel cutlery, a spanner, a pan or a pot."""
    rng = canvas.rng
    steel = varied(rng, (184, 187, 192), 16)
    kind = choice(rng, ("cutlery", "cutlery", "spanner", "pan", "pot"))
    if kind == "cutlery":
        pieces = int(rng.integers(1, 4))
        for place, x in enumerate(np.linspace(-0.3, 0.3, pieces) if pieces > 1 else [0.0]):
            _cutlery(canvas, steel, x, ("spoon", "fork", "knife")[(place + pieces) % 3])
        _brush_steel(canvas)
    elif kind == "spanner":
        canvas.fill(strip([(0, -0.6), (0, 0.65)], [0.1, 0.09]), steel)
        canvas.fill(ellipse(0, -0.68, 0.26, 0.25), steel)
        canvas.fill(ellipse(0, 0.7, 0.23, 0.22), steel)
        canvas.erase(polygon_mask(box(-0.11, -0.98, 0.11, -0.66, 0.05)))
        canvas.erase(polygon_mask(ellipse(0, 0.7, 0.12, 0.12, count=7)))
        canvas.bevel(0.9, 0.06)
        groove = polygon_mask(box(-0.045, -0.35, 0.045, 0.4, 0.04))
        canvas.multiply(0.72, groove)
        _brush_steel(canvas)
    elif kind == "pan":
        canvas.fill(strip([(0, 0.2), (0, 0.97)], [0.07, 0.09]),
                    steel if rng.random() < 0.5 else (40, 38, 38))
        canvas.fill(ellipse(0, -0.3, 0.64, 0.62), scaled(steel, 0.9))
        canvas.bevel(0.9, 0.07)
        inside = polygon_mask(ellipse(0, -0.3, 0.56, 0.54))
        canvas.paint(inside, scaled(steel, 0.72))
        swirl = np.sin(np.arctan2(Y + 0.3, X) * 2 + rng.uniform(0, 6))
        canvas.multiply(1 + 0.3 * swirl, inside)
        canvas.line(ellipse(0, -0.3, 0.44, 0.42), scaled(steel, 0.6), 0.012, True)
        canvas.fill(ellipse(0, 0.88, 0.03, 0.04), (30, 30, 30))
    else:
        wide, top = rng.uniform(0.55, 0.68), -rng.uniform(0.2, 0.4)
        for side in (-1, 1):
            canvas.line(ellipse(side * (wide + 0.05), top + 0.22, 0.16, 0.1), (60, 60, 62), 0.06,
                        True)
        pot = canvas.lathe([top, 0.5, 0.6], [wide, wide, wide * 0.9], steel, 0.7, tilt=0.3)
        canvas.multiply(1 + 0.18 * np.sin(X * 9 + rng.uniform(0, 6)), pot)
        canvas.fill(ellipse(0, top, wide * 1.04, wide * 0.33), scaled(steel, 1.2))
        canvas.fill(ellipse(0, top, wide * 0.96, wide * 0.28), scaled(steel, 0.5))
        canvas.paint(polygon_mask(ellipse(0, top + 0.05, wide * 0.8, wide * 0.2)),
                     scaled(steel, 0.8), 0.8)


def _cutlery(canvas, steel, x, kind):
    tail = strip([(x, -0.25), (x, 0.2), (x, 0.85), (x, 0.95)], [0.03, 0.045, 0.085, 0.05])
    if kind == "spoon":
        canvas.fill(tail, steel)
        canvas.fill(ellipse(x, -0.55, 0.2, 0.34), steel)
        canvas.bevel(0.9, 0.05)
        hollow = polygon_mask(ellipse(x, -0.55, 0.16, 0.29))
        canvas.multiply(1 - 0.55 * ((X - x) * canvas.light[0] * 4 + (Y + 0.55) * canvas.light[1]
                                    * 3), hollow)
        canvas.paint(polygon_mask(ellipse(x - 0.05, -0.62, 0.03, 0.1, 10)), WHITE, 0.7)
    elif kind == "fork":
        canvas.fill(tail, steel)
        canvas.fill(smooth([(x - 0.17, -0.6), (x - 0.15, -0.35), (x, -0.2), (x + 0.15, -0.35),
                            (x + 0.17, -0.6)]), steel)
        for prong in np.linspace(-0.145, 0.145, 4):
            canvas.fill(strip([(x + prong, -0.5), (x + prong, -0.85), (x + prong, -0.93)],
                              [0.03, 0.026, 0.01]), steel)
    else:
        canvas.fill(strip([(x, 0.1), (x, 0.9)], [0.055, 0.08]), scaled(steel, 0.8))
        canvas.fill(smooth([(x - 0.06, 0.12), (x - 0.07, -0.6), (x - 0.02, -0.93),
                            (x + 0.08, -0.6), (x + 0.09, 0.0), (x + 0.06, 0.12)]), steel)


def _brush_steel(canvas):
    canvas.bevel(0.8, 0.05)
    wave = canvas.rng.uniform(3, 7)
    canvas.multiply(1 + 0.2 * np.sin(Y * wave + X * 3 + canvas.rng.uniform(0, 6)))


RECYCLABLE = (plastic_bottle, hat, newspaper, can, glassware, glass_bottle, cardboard, basketball,
              paper, metalware)
