"""Drawings of the recyclable classes made of paper: newspaper, cardboard, paper.

Every function draws one object of its class, upright, on a `Canvas` and returns nothing;
chance comes from `canvas.rng`. See drawn_canvas.py for the units.
"""
import cv2
import numpy as np

from src_mindspore.data.drawn_canvas import (
    CANVAS_PIXELS,
    X,
    Y,
    blob,
    box,
    choice,
    line_mask,
    polygon_mask,
    scaled,
    smooth,
    turned,
    varied,
)


def newspaper(canvas):
    """A printed page with a masthead, columns of text and grey photos, folded over others."""
    rng = canvas.rng
    paper = varied(rng, (222, 218, 204), 14)
    half = rng.uniform(0.55, 0.75)
    top, bottom = -rng.uniform(0.75, 0.92), rng.uniform(0.6, 0.9)
    for _ in range(int(rng.integers(1, 4))):
        shift = rng.uniform(-0.05, 0.07, 2)
        page = turned(box(-half, top, half, bottom), rng.uniform(-5, 5)) + shift
        canvas.fill(page, scaled(paper, rng.uniform(0.75, 0.95)))
        canvas.line(page, scaled(paper, 0.55), 0.008, True)
    page = polygon_mask(box(-half, top, half, bottom))
    canvas.paint(page, paper)
    ink = (rng.uniform(25, 70),) * 3
    rows = [top + 0.06, top + 0.06 + rng.uniform(0.1, 0.2)]
    x = -half + 0.07
    masthead = varied(rng, choice(rng, [(30, 30, 30), (30, 30, 30), (150, 25, 25), (25, 50, 120)]))
    while x < half - 0.12:
        wide = rng.uniform(0.05, 0.12)
        canvas.fill(box(x, rows[0], min(x + wide, half - 0.06), rows[1]), masthead)
        canvas.fill(box(x + wide * 0.35, rows[0] + 0.03, x + wide * 0.65, rows[1] - 0.04), paper)
        x += wide + (0.08 if rng.random() < 0.15 else 0.018)
    canvas.line([(-half + 0.06, rows[1] + 0.04), (half - 0.06, rows[1] + 0.04)], ink, 0.01)
    columns = int(rng.integers(2, 6))
    wide = (2 * half - 0.12) / columns
    pitch = rng.uniform(0.028, 0.04)
    photos = []
    for _ in range(int(rng.integers(1, 3))):
        first = int(rng.integers(columns))
        span = int(rng.integers(1, columns - first + 1))
        high = rng.uniform(0.2, 0.5)
        start = rng.uniform(rows[1] + 0.08, max(rows[1] + 0.1, bottom - high - 0.08))
        x0 = -half + 0.06 + first * wide
        photos.append((x0, start, x0 + span * wide - 0.03, min(start + high, bottom - 0.05)))
    lines = []
    for column in range(columns):
        x0 = -half + 0.06 + column * wide
        for row in np.arange(rows[1] + 0.1, bottom - 0.05, pitch):
            long = wide - 0.035 if rng.random() < 0.85 else wide * rng.uniform(0.3, 0.8)
            lines.append([(x0, row), (x0 + long, row)])
    canvas.paint(line_mask(lines, 0.01), ink, rng.uniform(0.5, 0.8))
    for x0, y0, x1, y1 in photos:
        shade = canvas.noise(8, 40, 225)[..., None].repeat(3, 2)
        canvas.paint(polygon_mask(box(x0 - 0.01, y0 - 0.01, x1 + 0.01, y1 + 0.01)), paper)
        canvas.paint(polygon_mask(box(x0, y0, x1, y1)), shade)
    fold = rng.uniform(-0.2, 0.2)
    canvas.multiply(1 - 0.22 * np.exp(-np.maximum(0, Y - fold) / 0.12) * (fold < Y), page)
    canvas.multiply(canvas.noise(4, 0.78, 1.12))
    if rng.random() < 0.5:
        canvas.wobble(rng.uniform(0.02, 0.09), 4)


def cardboard(canvas):
    """A corrugated box, open or taped, or a torn flat sheet of one."""
    rng = canvas.rng
    brown = varied(rng, (182, 138, 90), 24)
    if rng.random() < 0.3:
        _cardboard_sheet(canvas, brown)
        return
    left, right = -rng.uniform(0.6, 0.85), rng.uniform(0.1, 0.35)
    top, bottom = -rng.uniform(0.1, 0.35), rng.uniform(0.55, 0.8)
    deep = np.array([rng.uniform(0.35, 0.55), -rng.uniform(0.18, 0.36)])
    a, b = np.array([left, top]), np.array([right, top])
    c, d = np.array([right, bottom]), np.array([left, bottom])
    front_lit = 1 + 0.25 * canvas.light[1]
    side = np.array([b, b + deep, c + deep * (1, 0.9), c])
    roof = np.array([a, b, b + deep, a + deep])
    if rng.random() < 0.6:
        canvas.fill(roof, scaled(brown, 0.38))
        up = np.array([rng.uniform(-0.05, 0.2), -rng.uniform(0.25, 0.42)])
        canvas.fill([a + deep, b + deep, b + deep + up, a + deep + up], scaled(brown, 0.95))
        canvas.fill([a, a + deep, a + deep + (-0.22, -0.08), a + (-0.25, 0.02)],
                    scaled(brown, 1.1))
        canvas.fill([a, d, c, b], scaled(brown, front_lit))
        canvas.fill(side, scaled(brown, 0.68))
        fold = np.array([rng.uniform(-0.12, 0.05), rng.uniform(0.15, 0.28)])
        flap = np.array([a, b, b + fold, a + fold])
        canvas.fill(flap + (0.0, 0.03), scaled(brown, 0.55))
        canvas.fill(flap, scaled(brown, 1.15))
        canvas.fill([b, b + deep, b + deep + (0.2, 0.06), b + (0.2, 0.16)], scaled(brown, 0.88))
        canvas.line([a + fold, b + fold], scaled(brown, 0.6), 0.02)
    else:
        canvas.fill([a, d, c, b], scaled(brown, front_lit))
        canvas.fill(side, scaled(brown, 0.68))
        canvas.fill(roof, scaled(brown, 1.18))
        middle = (a + b) / 2
        half = np.array([0.06, 0])
        tape = varied(rng, (205, 175, 120))
        canvas.fill([middle - half, middle + half, middle + half + deep, middle - half + deep],
                    tape)
        canvas.fill([middle - half, middle + half, middle + half + (0, 0.2),
                     middle - half + (0, 0.2)], scaled(tape, 0.9))
    for edge in ([a, b], [b, c], [b, b + deep], [a, d]):
        canvas.line(edge, scaled(brown, 0.55), 0.012)
    if rng.random() < 0.6:
        ink = scaled(brown, 0.35)
        x, y = left + 0.15, bottom - 0.3
        for step in (0, 0.18):
            canvas.fill([(x + step, y), (x + step + 0.06, y - 0.1), (x + step + 0.12, y)], ink)
            canvas.fill(box(x + step + 0.04, y, x + step + 0.08, y + 0.14), ink)
    canvas.multiply(1 + 0.04 * np.sin(X * 120) * np.ones_like(Y))
    canvas.multiply(canvas.noise(6, 0.85, 1.1))
    if rng.random() < 0.4:
        canvas.wobble(0.05, 4)


def _cardboard_sheet(canvas, brown):
    rng = canvas.rng
    corners = box(-rng.uniform(0.6, 0.9), -rng.uniform(0.5, 0.8), rng.uniform(0.6, 0.9),
                  rng.uniform(0.5, 0.8))
    edge = [np.linspace(corners[i], corners[(i + 1) % 4], 9, endpoint=False) for i in range(4)]
    torn = int(rng.integers(4))
    edge[torn] = edge[torn] + rng.uniform(-0.09, 0.09, edge[torn].shape)
    outline = np.concatenate(edge)
    canvas.fill(outline + (0.02, 0.035), scaled(brown, 0.6))
    sheet = polygon_mask(outline)
    canvas.paint(sheet, brown)
    flutes = np.sin((X * np.cos(torn) + Y * np.sin(torn)) * 85)
    canvas.multiply(1 + rng.uniform(0.03, 0.1) * flutes, sheet)
    for _ in range(2):
        a, b = rng.uniform(-0.9, 0.9, 2)
        crease = np.array([(a, -0.9), (b, 0.9)]) if rng.random() < 0.5 else np.array(
            [(-0.95, a), (0.95, b)])
        canvas.paint(np.minimum(line_mask([crease], 0.025), sheet), scaled(brown, 0.55), 0.8)
        canvas.paint(np.minimum(line_mask([crease + 0.02], 0.014), sheet), scaled(brown, 1.3), 0.7)
    hole = polygon_mask(blob(rng, *rng.uniform(-0.4, 0.4, 2), 0.22, 0.14, 0.5))
    canvas.paint(np.minimum(hole, sheet), scaled(brown, 1.2))
    canvas.multiply(0.85 + 0.3 * (np.sin((X + 0.3 * Y) * 60) > 0), np.minimum(hole, sheet))
    canvas.multiply(canvas.noise(5, 0.8, 1.12))


def paper(canvas):
    """A white sheet with writing, a small pile of sheets or a crumpled ball."""
    choice(canvas.rng, (_written_sheet, _crumpled_paper, _written_sheet, _paper_pile))(canvas)


def _written_sheet(canvas):
    rng = canvas.rng
    white = varied(rng, (240, 240, 236), 12)
    half, tall = rng.uniform(0.5, 0.7), rng.uniform(0.7, 0.9)
    sheet = polygon_mask(box(-half, -tall, half, tall))
    canvas.paint(sheet, white)
    rule = choice(rng, [(150, 180, 220), (190, 190, 190), (220, 170, 170)])
    pitch = rng.uniform(0.1, 0.16)
    rows = np.arange(-tall + 0.18, tall - 0.05, pitch)
    if rng.random() < 0.6:
        canvas.paint(line_mask([[(-half, r), (half, r)] for r in rows], 0.008), rule, 0.8)
        if rng.random() < 0.5:
            canvas.line([(-half + 0.14, -tall), (-half + 0.14, tall)], (225, 120, 120), 0.01)
    ink = varied(rng, choice(rng, [(30, 50, 140), (35, 35, 40), (140, 40, 40)]))
    for row in rows[:int(rng.integers(0, len(rows)))]:
        end = half * rng.uniform(0.0, 0.9)
        x = np.arange(-half + 0.18, end, 0.025)
        if len(x) > 2:
            y = row - 0.03 + rng.normal(0, 0.016, len(x))
            canvas.line(np.stack([x, y], 1), ink, 0.01)
    for _ in range(int(rng.integers(0, 4))):
        crease = rng.uniform(-0.9, 0.9, (2, 2))
        canvas.paint(np.minimum(line_mask([crease], 0.012), sheet), (150, 150, 150), 0.6)
    corner = rng.uniform(0.12, 0.3)
    canvas.erase(polygon_mask([(half + 0.02, tall + 0.02), (half - corner, tall + 0.02),
                               (half + 0.02, tall - corner)]))
    canvas.fill([(half - corner, tall), (half, tall - corner), (half - corner, tall - corner)],
                scaled(white, 0.8))
    canvas.multiply(canvas.noise(4, 0.84, 1.08))
    if rng.random() < 0.5:
        canvas.wobble(0.06, 4)


def _paper_pile(canvas):
    rng = canvas.rng
    for _ in range(int(rng.integers(3, 7))):
        white = varied(rng, (238, 238, 234), 14)
        sheet = turned(box(-0.55, -0.75, 0.55, 0.75), rng.uniform(-28, 28))
        sheet = sheet * 0.9 + rng.uniform(-0.08, 0.08, 2)
        canvas.fill(sheet + (0.015, 0.02), scaled(white, 0.55))
        canvas.fill(sheet, white)
        lines = [sheet[0] + (sheet[3] - sheet[0]) * d + np.outer([0.12, rng.uniform(0.4, 0.88)],
                                                              sheet[1] - sheet[0])
                 for d in np.linspace(0.12, 0.85, 9)]
        canvas.paint(line_mask(lines, 0.009), (110, 110, 125), rng.uniform(0.0, 0.8))
    canvas.multiply(canvas.noise(4, 0.82, 1.08))


def _crumpled_paper(canvas):
    rng = canvas.rng
    white = varied(rng, (240, 240, 236), 10)
    wide, tall = rng.uniform(0.62, 0.85), rng.uniform(0.55, 0.8)
    # Every other point of an uneven outline: the corners of a ball of paper are not round.
    outline = polygon_mask(blob(rng, 0, 0, wide, tall, 0.14, 15)[::5])
    # Creases divide the ball into facets: each pixel belongs to the nearest of random centres.
    count = int(rng.integers(16, 30))
    centres = rng.uniform(-0.8, 0.8, (count, 2)).astype(np.float32)
    half_x, half_y = X[0, ::2], Y[::2, 0]
    far = np.hypot(half_x[:, None, None] - centres[:, 0],
                   half_y[None, :, None] - centres[:, 1]).transpose(1, 0, 2)
    nearest = far.argmin(2)
    first, second = np.partition(far, 1, axis=2)[..., :2].transpose(2, 0, 1)
    slope = rng.normal(0, 0.55, (count, 2)).astype(np.float32)
    facing = slope @ np.asarray(canvas.light, np.float32)
    lit = (0.86 + 0.3 * facing[nearest]
           + slope[nearest, 0] * (half_x[None] - centres[nearest, 0])
           + slope[nearest, 1] * (half_y[:, None] - centres[nearest, 1]))
    lit = np.clip(lit, 0.55, 1.06) + 0.12 * np.exp(-(second - first) / 0.025)
    field = cv2.resize(lit.astype(np.float32), (CANVAS_PIXELS, CANVAS_PIXELS))
    canvas.paint(outline, white)
    canvas.multiply(field, outline)
    canvas.bevel(0.8, 0.2)
    if rng.random() < 0.5:
        rows = np.linspace(-0.6, 0.6, 10)
        lines = [smooth([(-0.9, r), (rng.uniform(-0.3, 0), r + rng.normal(0, 0.12)),
                         (0.9, r + rng.normal(0, 0.1))]) for r in rows]
        canvas.paint(np.minimum(line_mask(lines, 0.008), outline), (120, 140, 190), 0.5)
    canvas.wobble(0.06, 9)
