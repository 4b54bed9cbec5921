"""Drawings of the four food-waste classes: orange peel, vegetable leaf, eggshell, banana peel.

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
    hsv,
    line_mask,
    polygon_mask,
    scaled,
    smooth,
    strip,
    turned,
    varied,
)


def orange_peel(canvas):
    """A spiral of peel, a star of opened segments or loose pieces, dimpled outside, pale inside."""
    rng = canvas.rng
    skin = hsv(rng.normal(27, 4), rng.uniform(0.78, 0.98), rng.uniform(0.78, 0.98))
    pith = varied(rng, (246, 226, 184), 12)
    choice(rng, (_peel_spiral, _peel_star, _peel_pieces))(canvas, skin, pith)
    canvas.grain(0.8, 1.15)


def _peel_spiral(canvas, skin, pith):
    rng = canvas.rng
    turns = rng.uniform(1.4, 2.2)
    t = np.linspace(0, 2 * np.pi * turns, 70)
    reach = np.linspace(0.78, 0.2, 70)
    flat = rng.uniform(0.6, 0.95)
    points = np.stack([reach * np.cos(t), reach * np.sin(t) * flat
                       + np.linspace(-0.1, 0.12, 70)], 1)
    widths = np.interp(np.arange(70), [0, 8, 40, 64, 69], [0.02, 0.13, 0.16, 0.12, 0.05])
    widths = widths * rng.uniform(0.85, 1.15)
    rim = strip(points, widths + 0.018)
    canvas.fill(rim + (0.02, 0.035), scaled(skin, 0.45))
    # From the inner end outwards, in overlapping pieces, so that outer turns lie on inner ones.
    for first in range(64, -1, -4):
        part, wide = points[first:first + 7], widths[first:first + 7]
        inside = np.sin(t[first] + 0.4) < -0.45
        tone = scaled(pith if inside else skin, 0.9 + 0.14 * np.cos(t[first] - 2.0))
        for side in (1, -1):
            edge = part + side * wide[:, None] * _normal(part)
            canvas.line(edge, scaled(skin if inside else pith, 0.9), 0.045)
        canvas.fill(strip(part, wide), tone)
    canvas.wobble(0.05, 5)


def _peel_star(canvas, skin, pith):
    rng = canvas.rng
    petals = int(rng.integers(4, 7))
    order = rng.permutation(petals)
    for place in order:
        angle = place * 360 / petals + rng.uniform(-10, 10)
        long, wide = rng.uniform(0.65, 0.92), rng.uniform(0.2, 0.3)
        outline = smooth([(0, 0), (wide, 0.3 * long), (wide * 0.9, 0.65 * long), (0.05, long),
                          (-wide * 0.9, 0.65 * long), (-wide, 0.3 * long)], True)
        petal = turned(outline, angle)
        outward = rng.random() < 0.45
        canvas.fill(petal + (0.02, 0.03), scaled(skin, 0.5))
        mask = polygon_mask(petal)
        canvas.paint(mask, skin if outward else pith)
        canvas.bevel(0.9, 0.12, mask)
        if outward:
            canvas.line(petal, scaled(pith, 0.95), 0.02, True)
        else:
            canvas.line(petal, skin, 0.045, True)
            curl = smooth([(wide * 0.9, 0.62 * long), (0.05, long), (-wide * 0.9, 0.62 * long),
                           (0, 0.78 * long)], True)
            if rng.random() < 0.6:
                flap = polygon_mask(turned(curl, angle))
                canvas.paint(flap, scaled(skin, 1.02))
                canvas.bevel(0.9, 0.08, flap)
    if rng.random() < 0.5:
        canvas.fill(blob(rng, 0, 0, 0.16, 0.15, 0.2), scaled(skin, 0.95))
        canvas.fill(ellipse(0, 0, 0.035, 0.035), (110, 120, 50))


def _peel_pieces(canvas, skin, pith):
    rng = canvas.rng
    for place in range(int(rng.integers(3, 6))):
        angle = place * 75 + rng.uniform(-20, 20)
        centre = turned([[0.0, 0.42]], angle)[0]
        outline = blob(rng, 0, 0, rng.uniform(0.32, 0.46), rng.uniform(0.2, 0.3), 0.2, 8)
        outline = turned(outline, rng.uniform(0, 180)) + centre
        outward = rng.random() < 0.6
        canvas.fill(outline + (0.025, 0.045), scaled(skin, 0.42))
        canvas.fill(outline + (0.008, 0.018), scaled(pith if outward else skin, 0.95))
        mask = polygon_mask(outline)
        canvas.paint(mask, skin if outward else pith)
        canvas.bevel(1.0, 0.14, mask)
        if not outward:
            canvas.line(outline, skin, 0.028, True)
            fibres = [np.stack([centre, outline[i]]) * 0.8 + centre * 0.2
                      for i in range(0, len(outline), 6)]
            canvas.paint(line_mask(fibres, 0.02), WHITE, 0.4)


def vegetable_leaf(canvas):
    """A lettuce, spinach or cabbage leaf with veins, often bitten or yellowing."""
    rng = canvas.rng
    green = hsv(rng.normal(98, 14), rng.uniform(0.45, 0.85), rng.uniform(0.4, 0.78))
    stem = varied(rng, choice(rng, [(220, 232, 190), (180, 205, 130), (240, 242, 228)]), 10)
    wide, ripple = rng.uniform(0.42, 0.72), rng.uniform(0.02, 0.09)
    base = rng.uniform(0.4, 0.68)
    t = np.linspace(0, 1, 64)
    half = wide * np.sin(np.pi * t ** rng.uniform(0.75, 1.2)) ** rng.uniform(0.5, 0.8)
    y = -0.92 + (base + 0.92) * t
    sides = [half + ripple * np.sin(t * rng.uniform(25, 60) + rng.uniform(0, 6)) * (half > 0.1)
             for _ in range(2)]
    outline = np.concatenate([np.stack([sides[0], y], 1), np.stack([-sides[1], y], 1)[::-1]])
    blade = polygon_mask(outline)
    canvas.paint(blade, green)
    canvas.multiply(canvas.noise(7, 0.72, 1.25), blade)
    thick = rng.uniform(0.03, 0.11)
    bend = rng.uniform(-0.1, 0.1)
    rib = smooth([(bend, 0.97), (0, base - 0.1), (0, -0.2), (0, -0.85)])
    widths = np.interp(np.arange(len(rib)), [0, len(rib) * 0.4, len(rib) - 1],
                       [thick * 1.5, thick, 0.008])
    veins, fine = [], []
    for start in np.linspace(base - 0.2, -0.7, int(rng.integers(5, 9))):
        for side in (-1, 1):
            end = (side * wide * rng.uniform(0.75, 0.95), start - rng.uniform(0.22, 0.4))
            bow = ((end[0]) * 0.5, start - 0.08)
            veins.append(smooth([(0, start), bow, end], steps=5))
            for part in (0.4, 0.7):
                root = (end[0] * part, start + (end[1] - start) * part * 0.8)
                fine.append([root, (root[0] + side * 0.13, root[1] + 0.02)])
                fine.append([root, (root[0] + side * 0.03, root[1] - 0.14)])
    canvas.paint(np.minimum(line_mask([v + 0.016 for v in veins], 0.02), blade),
                 scaled(green, 0.6), 0.7)
    canvas.paint(np.minimum(line_mask(veins, 0.024), blade), stem, 0.75)
    canvas.paint(np.minimum(line_mask(fine, 0.011), blade), stem, 0.55)
    canvas.bevel(0.7, 0.12)
    canvas.fill(strip(rib, widths), stem)
    canvas.line(rib + (widths[:, None] * (0.7, 0)), scaled(stem, 0.65), 0.016)
    if rng.random() < 0.5:
        edge = np.clip(canvas.noise(5) * 2.4 - 1.3, 0, 0.85)
        canvas.paint(blade, varied(rng, choice(rng, [(206, 190, 70), (140, 110, 60)])), edge)
    for _ in range(int(rng.integers(0, 4))):
        side = choice(rng, (-1, 1))
        canvas.erase(polygon_mask(blob(rng, side * wide * rng.uniform(0.4, 1.0),
                                       rng.uniform(-0.7, base - 0.2), rng.uniform(0.05, 0.15),
                                       rng.uniform(0.05, 0.12), 0.3)))
    if rng.random() < 0.7:
        canvas.wobble(rng.uniform(0.04, 0.12), 4)


def eggshell(canvas):
    """Broken halves of a white or brown egg with jagged rims, and fragments."""
    rng = canvas.rng
    shell = varied(rng, choice(rng, [(240, 234, 224), (222, 178, 138), (206, 150, 108),
                                     (232, 208, 180), (196, 208, 204)]), 12)
    halves = 1 if rng.random() < 0.3 else 2
    for place in range(halves):
        size = 0.74 if halves == 1 else rng.uniform(0.44, 0.52)
        centre = (0.0, 0.1) if halves == 1 else ((-0.46, 0.46)[place], rng.uniform(-0.2, 0.25))
        _half_shell(canvas, shell, centre, size, rng.uniform(-50, 50))
    for _ in range(int(rng.integers(1, 6))):
        x, y = rng.uniform(-0.8, 0.8), choice(rng, (-1, 1)) * rng.uniform(0.6, 0.85)
        corners = int(rng.integers(4, 7))
        t = np.sort(rng.uniform(0, 6.28, corners))
        reach = rng.uniform(0.07, 0.15)
        piece = np.stack([x + reach * np.cos(t), y + reach * np.sin(t)], 1)
        canvas.fill(piece + (0.015, 0.025), scaled(shell, 0.45))
        canvas.fill(piece, scaled(shell, rng.uniform(0.85, 1.05)))
    if rng.random() < 0.3:
        speckles = np.clip((canvas.noise(60) - 0.82) * 6, 0, 0.7)
        canvas.paint(canvas.alpha(), (120, 84, 60), speckles)


def _half_shell(canvas, shell, centre, size, angle):
    """Draw half an egg, cup-shaped: the rim is a jagged ellipse, the round end hangs below it."""
    rng = canvas.rng
    cx, cy = centre
    flat, deep = rng.uniform(0.3, 0.5), rng.uniform(0.75, 1.15)
    count = 26
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    jag = 1 + rng.uniform(-0.1, 0.1, count) * np.where(np.arange(count) % 2, 1, -1)
    rim = np.stack([cx + size * np.cos(t), cy + size * flat * np.sin(t) * jag
                    - size * 0.1 * np.abs(rng.normal(0, 0.6, count))], 1)
    cup = np.concatenate([rim[:count // 2 + 1][::-1],
                          ellipse(cx, cy, size, size * deep, 0, 0, 180, 30)])
    cup = turned(cup, angle, centre)
    rim = turned(rim, angle, centre)
    canvas.fill(cup + (0.02, 0.035), scaled(shell, 0.4))
    canvas.fill(rim, scaled(shell, 1.1))
    hollow = polygon_mask(rim)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    along = ((X - cx) * c + (Y - cy) * s) / size
    down = (-(X - cx) * s + (Y - cy) * c) / size
    inside = np.asarray(varied(rng, (246, 240, 230), 8), np.float32)
    depth = np.clip(0.98 - 0.42 * np.exp(-(along / 0.6) ** 2 - ((down + 0.15) / 0.28) ** 2), 0, 1)
    canvas.paint(hollow, inside * depth[..., None])
    wall = polygon_mask(cup)
    lit = (along * (canvas.light[0] * c + canvas.light[1] * s)
           + (down - 0.4) * (canvas.light[1] * c - canvas.light[0] * s))
    canvas.paint(wall, np.asarray(shell, np.float32) * (
        0.98 + 0.3 * lit - 0.35 * np.clip(along * along + 0.3 * down * down, 0, 1))[..., None])
    front = rim[:count // 2 + 1]
    canvas.line(front, scaled(shell, 1.25), 0.022)
    if rng.random() < 0.6:
        crack = [front[int(rng.integers(4, 9))]]
        for _ in range(4):
            step = turned([[rng.uniform(-0.1, 0.1), 0.13 * size / 0.5]], angle)[0]
            crack.append(crack[-1] + step)
        canvas.paint(np.minimum(line_mask([np.array(crack)], 0.012), wall), (90, 70, 55), 0.8)


def banana_peel(canvas):
    """A peel lying open: yellow strips from a dark stalk, curled, pale inside, spotted brown."""
    rng = canvas.rng
    skin = hsv(rng.normal(49, 4), rng.uniform(0.65, 0.92), rng.uniform(0.75, 0.97))
    pith = varied(rng, (246, 234, 190), 10)
    strips = int(rng.integers(3, 6))
    fan = rng.uniform(170, 300)
    middle = np.array([0.0, -0.25 if fan < 230 else -0.08])
    angles = np.linspace(-fan / 2, fan / 2, strips) + rng.uniform(-9, 9, strips)
    for angle in angles[rng.permutation(strips)]:
        curl = rng.uniform(0.1, 0.4) * (1 if angle > 0 else -1) * choice(rng, (1, 1, -1))
        long = rng.uniform(0.75, 0.98) if abs(angle) < 100 else rng.uniform(0.6, 0.8)
        axis = smooth([(0, 0), (curl * 0.15, 0.33 * long), (curl * 0.55, 0.7 * long),
                       (curl * 1.1, long)])
        axis = turned(axis, angle) + middle
        axis = np.clip(axis, -0.97, 0.97)
        wide = rng.uniform(0.12, 0.18)
        widths = np.interp(np.linspace(0, 1, len(axis)), [0, 0.25, 0.7, 0.95, 1],
                           [wide * 0.7, wide, wide * 0.8, wide * 0.3, 0.015])
        outline = strip(axis, widths)
        canvas.fill(outline + (0.025, 0.04), scaled(skin, 0.4))
        mask = polygon_mask(outline)
        outward = rng.random() < 0.6
        canvas.paint(mask, skin if outward else pith)
        canvas.bevel(0.9, 0.08, mask)
        if outward:
            for side in (-0.45, 0.4):
                ridge = axis + (widths * side)[:, None] * _normal(axis)
                canvas.paint(line_mask([ridge], 0.014), scaled(skin, 0.66), 0.7)
        else:
            canvas.line(outline[:len(axis)], skin, 0.04)
            canvas.line(outline[len(axis):], scaled(skin, 0.85), 0.04)
            canvas.paint(line_mask([axis], 0.02), scaled(pith, 0.8), 0.7)
        canvas.fill(ellipse(*axis[-1], 0.035, 0.035, count=12), (84, 62, 34))
    crown = polygon_mask(blob(rng, *middle, 0.17, 0.16, 0.12))
    canvas.paint(crown, skin)
    canvas.bevel(0.9, 0.08, crown)
    stalk = smooth([middle + (0, 0.02), middle + (rng.uniform(-0.08, 0.08), -0.25),
                    middle + (rng.uniform(-0.2, 0.2), -rng.uniform(0.42, 0.55))])
    widths = np.interp(np.arange(len(stalk)), [0, 6, len(stalk) - 1], [0.13, 0.06, 0.05])
    canvas.fill(strip(stalk, widths), scaled(skin, 0.92))
    canvas.fill(strip(stalk[-4:], widths[-4:] + 0.012), (88, 70, 40))
    age = rng.uniform(0, 1)
    brown = np.clip((canvas.noise(20) + 0.4 * canvas.noise(6) - 1.05 + 0.35 * age) * 5, 0, 0.85)
    canvas.paint(canvas.alpha(), (92, 62, 28), brown)
    if rng.random() < 0.5:
        canvas.wobble(0.06, 5)


def _normal(points):
    along = np.gradient(points, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    return np.stack([-along[:, 1], along[:, 0]], 1)


FOOD = (orange_peel, vegetable_leaf, eggshell, banana_peel)
