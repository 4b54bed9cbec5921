"""Drawings of the class of seashells, ribbed fans and pointed spirals.

Every function draws one object of its class, upright, on a `Canvas` and returns nothing;
chance comes from `canvas.rng`. See drawn_canvas.py for the units.
"""
import numpy as np

from src_mindspore.data.drawn_canvas import (
    WHITE,
    X,
    Y,
    choice,
    ellipse,
    polygon_mask,
    scaled,
    smooth,
    varied,
)


def seashell(canvas):
    """A ribbed fan shell or a pointed spiral one."""
    rng = canvas.rng
    colour = varied(rng, choice(rng, [(232, 205, 178), (226, 170, 150), (214, 196, 190),
                                      (200, 150, 104), (236, 226, 210)]), 16)
    band = varied(rng, choice(rng, [(176, 112, 84), (150, 92, 70), (190, 130, 120),
                                    (130, 96, 100)]), 18)
    if rng.random() < 0.62:
        _fan_shell(canvas, colour, band)
    else:
        _spiral_shell(canvas, colour, band)


def _fan_shell(canvas, colour, band):
    rng = canvas.rng
    hinge = np.array([0.0, 0.78])
    opening, ribs = rng.uniform(58, 74), int(rng.integers(9, 17))
    angles = np.radians(np.linspace(-opening, opening, ribs * 6 + 1))
    lobes = np.abs(np.sin(np.arange(ribs * 6 + 1) * np.pi / 6))
    reach = (1.45 - 0.35 * (np.abs(angles) / 1.3) ** 2) * (0.94 + 0.06 * lobes)
    rim = hinge + np.stack([np.sin(angles), -np.cos(angles)], 1) * reach[:, None]
    for side in (-1, 1):
        canvas.fill(hinge + [(0, 0.1), (side * 0.3, 0.1), (side * 0.34, -0.14), (0, -0.3)],
                    scaled(colour, 0.8))
    outline = np.concatenate([rim, [hinge + (0.08, 0.1), hinge + (-0.08, 0.1)]])
    shell = polygon_mask(outline)
    canvas.paint(shell, colour)
    far = np.hypot(X - hinge[0], Y - hinge[1])
    wedge = np.arctan2(X - hinge[0], hinge[1] - Y)
    ring = 0.5 + 0.5 * np.sin(far * rng.uniform(9, 20) + rng.uniform(0, 6) + canvas.noise(6))
    canvas.paint(shell, band, (ring * rng.uniform(0.35, 0.8)).astype(np.float32))
    rib = np.cos(wedge * (ribs * np.pi / np.radians(opening)) + np.pi * (ribs % 2 == 0))
    canvas.multiply(0.88 + 0.24 * rib + 0.2 * wedge * canvas.light[0], shell)
    canvas.multiply(0.75 + 0.3 * np.minimum(1, far), shell)
    canvas.bevel(0.7, 0.2)


def _spiral_shell(canvas, colour, band):
    rng = canvas.rng
    turns = int(rng.integers(5, 8))
    widths = np.geomspace(0.1, rng.uniform(0.52, 0.62), turns)
    heights = np.cumsum(widths * 0.62)
    heights = heights / heights[-1] * 1.25 - 0.95
    for place in range(turns - 1, -1, -1):
        wide = widths[place]
        whorl = polygon_mask(ellipse(0, heights[place], wide, wide * 0.62, -14))
        tone = np.asarray(colour, np.float32)
        across = X / wide
        lit = 0.62 + 0.5 * np.clip(across * canvas.light[0] * 1.2 + np.sqrt(
            np.maximum(0, 1 - across * across)) * 0.7, 0, 1)
        edge = np.clip((Y - heights[place]) / (wide * 0.62), -1, 1) + 0.25 * across
        canvas.paint(whorl, tone * (lit * (0.95 - 0.25 * edge ** 2))[..., None])
        stripe = np.exp(-((edge - 0.2) / 0.16) ** 2) + 0.7 * (
            np.sin(across * 9 + place) > 0.55) * (rng.random() < 0.6)
        canvas.paint(whorl, band, np.clip(stripe * 0.7, 0, 0.85).astype(np.float32))
        canvas.line(ellipse(0, heights[place], wide, wide * 0.62, -14, 5, 175), scaled(band, 0.6),
                    0.018)
    mouth = smooth([(0.05, 0.1), (0.42, 0.2), (0.5, 0.55), (0.22, 0.93), (0.06, 0.6)], True)
    canvas.fill(mouth * (1, 1) + (-0.02, 0.02), scaled(colour, 1.12))
    canvas.fill((mouth - (0.26, 0.5)) * 0.72 + (0.25, 0.5), scaled(band, 0.75))
    canvas.paint(polygon_mask(ellipse(-0.25, 0.1, 0.06, 0.16, 20)), WHITE, 0.45)
