"""What surrounds a drawn object: ground, clutter, shadow, light, lens and sensor.

Pictures here are (size, size, 3) uint8 RGB; a colour is (red, green, blue) from 0 to 255.
Nothing but the pose of the object knows its class: grounds, clutter and light are drawn from
the same distributions for all of them, so that they tell a classifier nothing.
"""
import cv2
import numpy as np

from src_mindspore.data.drawn_canvas import (
    CANVAS_PIXELS,
    Canvas,
    choice,
    hsv,
    paint_colour,
    varied,
)


def draw_scene(draw_object, rng, size):
    """Return a picture of one object in random surroundings.

    Args:
        draw_object: function drawing one object on a Canvas.
        rng: numpy Generator, the only source of chance.
        size: int, side of the picture in pixels.

    Returns:
        (size, size, 3) uint8 RGB.
    """
    picture = _ground(rng, size)
    light = rng.uniform(0, 2 * np.pi)
    towards = np.array([np.cos(light), np.sin(light)]) * rng.uniform(0.4, 1.0)
    for _ in range(int(rng.integers(0, 3))):
        _clutter(rng, picture, towards, rng.uniform(0.03, 0.1), rng.uniform(0, 1, 2))
    _place_object(draw_object, rng, picture, towards)
    if rng.random() < 0.3:
        _clutter(rng, picture, towards, rng.uniform(0.03, 0.1), rng.uniform(0.08, 0.92, 2))
    if rng.random() < 0.1:
        _bar_in_front(rng, picture)
    return _photograph(rng, picture)


def _place_object(draw_object, rng, picture, towards):
    size = len(picture)
    angle = rng.normal(0, 14) if rng.random() < 0.9 else rng.uniform(-180, 180)
    turn = np.radians(angle)
    frame = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    canvas = Canvas(rng, tuple(frame @ towards))
    draw_object(canvas)
    scale = rng.uniform(0.72, 1.0) * size / CANVAS_PIXELS
    squeeze = np.diag([rng.uniform(0.82, 1.0), rng.uniform(0.82, 1.0)])
    flip = np.diag([rng.choice([-1.0, 1.0]), 1.0])
    slant = np.array([[1, rng.normal(0, 0.06)], [0, 1]])
    linear = scale * (frame.T @ squeeze @ slant @ flip)
    middle = size / 2 + rng.uniform(-0.07, 0.07, 2) * size
    shift = middle - linear @ np.full(2, CANVAS_PIXELS / 2)
    placed = cv2.warpAffine(canvas.rgba, np.column_stack([linear, shift]), (size, size),
                            flags=cv2.INTER_LINEAR)
    alpha = placed[..., 3]
    # The shadow falls away from the light; a low sun makes it long and sharp.
    reach = -towards * rng.uniform(0.01, 0.06) * size
    small = cv2.resize(alpha, (size // 2, size // 2), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), rng.uniform(0.008, 0.03) * size / 2)
    move = np.array([[2.0, 0, reach[0]], [0, 2.0, reach[1]]])
    shadow = cv2.warpAffine(small, move, (size, size), flags=cv2.INTER_LINEAR)
    keep = 255 - cv2.convertScaleAbs(shadow, alpha=rng.uniform(0.25, 0.7))
    _multiply(picture, keep)
    _multiply(picture, 255 - alpha)
    cv2.add(picture, np.ascontiguousarray(placed[..., :3]), dst=picture)


def _multiply(picture, mask):
    """Scale `picture` in place by `mask` / 255."""
    cv2.multiply(picture, cv2.merge([mask] * 3), dst=picture, scale=1 / 255)


def _noise(rng, size, cells, low=0.0, high=1.0, across=None):
    grid = rng.random((cells, across or cells), dtype=np.float32) * (high - low) + low
    return cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)


def _ground(rng, size):
    kind = choice(rng, (_wood, _tiles, _grass, _plain, _concrete, _cloth, _pebbles, _soil, _paint))
    ground = kind(rng, size)
    if rng.random() < 0.5:
        ground = np.ascontiguousarray(ground.transpose(1, 0, 2))
    if rng.random() < 0.5:
        ground = cv2.GaussianBlur(ground, (0, 0), rng.uniform(0.5, 2.5))
    return ground


def _tinted(field, colour):
    """Return `field` (n, n) float around 1 as a picture of `colour`."""
    planes = [cv2.convertScaleAbs(field, alpha=float(part)) for part in colour]
    return cv2.merge(planes)


def _surface_colour(rng):
    if rng.random() < 0.5:
        return varied(rng, (rng.uniform(60, 225),) * 3, 24)
    return hsv(rng.uniform(0, 360), rng.uniform(0.1, 0.6), rng.uniform(0.3, 0.9))


def _wood(rng, size):
    colour = varied(rng, choice(rng, [(176, 128, 82), (122, 84, 52), (206, 172, 126),
                                      (92, 70, 56), (190, 184, 172)]), 20)
    warp = _noise(rng, size, 5, 0, 10, across=3) + np.linspace(0, rng.uniform(20, 70), size,
                                                               dtype=np.float32)[:, None]
    field = 1 + 0.08 * np.sin(warp) + _noise(rng, size, max(size // 3, 4), -0.1, 0.1, across=5)
    planks = int(rng.integers(2, 7))
    tone = rng.uniform(0.82, 1.12, planks).astype(np.float32)
    field *= np.repeat(tone, -(-size // planks))[:size, None]
    ground = _tinted(field, colour)
    for edge in range(1, planks):
        row = edge * -(-size // planks)
        cv2.line(ground, (0, row), (size, row), tuple(0.4 * part for part in colour), 1)
    return ground


def _tiles(rng, size):
    count = int(rng.integers(2, 8))
    tones = rng.uniform(0.9, 1.06, (count + 1, count + 1)).astype(np.float32)
    if rng.random() < 0.3:
        tones *= np.where(np.indices(tones.shape).sum(0) % 2, 0.55, 1.05).astype(np.float32)
    pitch = -(-size // count)
    field = np.kron(tones, np.ones((pitch, pitch), np.float32))
    start = rng.integers(0, pitch, 2)
    field = field[start[0]:start[0] + size, start[1]:start[1] + size]
    ground = _tinted(field * _noise(rng, size, 24, 0.93, 1.07), _surface_colour(rng))
    grout = varied(rng, (rng.uniform(60, 220),) * 3)
    for edge in range(0, size + pitch, pitch):
        wide = max(1, size // 90)
        cv2.line(ground, (0, int(edge - start[0])), (size, int(edge - start[0])), grout, wide)
        cv2.line(ground, (int(edge - start[1]), 0), (int(edge - start[1]), size), grout, wide)
    return ground


def _grass(rng, size):
    colour = hsv(rng.uniform(65, 120), rng.uniform(0.35, 0.75), rng.uniform(0.35, 0.65))
    ground = _tinted(_noise(rng, size, 40, 0.55, 1.15), colour)
    feet = rng.uniform(0, size, (130, 2))
    tips = feet + rng.normal(0, 0.03, (130, 2)) * size - (0, 0.06 * size)
    blades = np.stack([feet, tips], 1).astype(np.int32)
    for part in range(5):
        tone = tuple(min(255, c * rng.uniform(0.6, 1.5)) for c in varied(rng, colour, 20))
        cv2.polylines(ground, list(blades[part::5]), False, tone, 1, cv2.LINE_AA)
    return ground


def _plain(rng, size):
    one, two = np.array(_surface_colour(rng)), np.array(_surface_colour(rng))
    angle = rng.uniform(0, 6.28)
    axis = np.linspace(-0.7, 0.7, size, dtype=np.float32)
    ramp = np.clip(0.5 + axis[None] * np.cos(angle) + axis[:, None] * np.sin(angle), 0, 1)
    planes = [cv2.convertScaleAbs(ramp, alpha=float(b - a), beta=float(a)) if b >= a else
              cv2.convertScaleAbs(1 - ramp, alpha=float(a - b), beta=float(b))
              for a, b in zip(one, one * 0.4 + two * 0.6, strict=True)]
    return cv2.merge(planes)


def _concrete(rng, size):
    field = (_noise(rng, size, 6, 0.8, 1.1) * _noise(rng, size, 28, 0.88, 1.08)
             * _noise(rng, size, max(size // 2, 4), 0.85, 1.12))
    ground = _tinted(field, varied(rng, (rng.uniform(95, 200),) * 3, 16))
    for _ in range(int(rng.integers(0, 3))):
        crack = np.cumsum(rng.normal(0, 0.05, (12, 2)) + rng.normal(0, 0.07, 2), 0)
        crack = ((crack + rng.uniform(0, 1, 2)) * size).astype(np.int32)
        cv2.polylines(ground, [crack], False, (60, 58, 56), 1, cv2.LINE_AA)
    return ground


def _cloth(rng, size):
    axis = np.arange(size, dtype=np.float32)
    pitch = rng.uniform(0.6, 1.6)
    field = (1 + 0.08 * np.sin(axis * pitch)[None] + 0.08 * np.sin(axis * pitch)[:, None]
             ) * _noise(rng, size, 5, 0.75, 1.15)
    if rng.random() < 0.4:
        wide = rng.uniform(0.03, 0.12) * size
        checks = (np.sin(axis / wide * 3)[None] > 0) * 0.16 + (np.sin(axis / wide * 3)[:, None] > 0
                                                               ) * 0.16
        field = field * (1 - checks.astype(np.float32))
    return _tinted(field, _surface_colour(rng))


def _pebbles(rng, size):
    ground = _tinted(_noise(rng, size, 30, 0.6, 1.1), varied(rng, (105, 98, 90), 20))
    for _ in range(70):
        x, y, r = rng.uniform(0, size), rng.uniform(0, size), rng.uniform(0.02, 0.06) * size
        tone = rng.uniform(70, 215)
        colour = varied(rng, (tone, tone * 0.96, tone * 0.9), 10)
        axes, angle = (r, r * rng.uniform(0.6, 1)), rng.uniform(0, 180)
        cv2.ellipse(ground, ((x + 1, y + 2), (2 * axes[0], 2 * axes[1]), angle), (45, 42, 40), -1)
        cv2.ellipse(ground, ((x, y), (2 * axes[0], 2 * axes[1]), angle), colour, -1, cv2.LINE_AA)
    return ground


def _soil(rng, size):
    field = _noise(rng, size, 12, 0.7, 1.15) * _noise(rng, size, max(size // 3, 4), 0.6, 1.3)
    return _tinted(field, varied(rng, choice(rng, [(112, 84, 60), (196, 172, 132), (84, 78, 70)]),
                                 18))


def _paint(rng, size):
    """Large soft patches of any colours, as a shop front or a poster out of focus gives."""
    grid = np.array([[paint_colour(rng, 0.1) for _ in range(4)] for _ in range(4)], np.float32)
    return cv2.resize(grid, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def _clutter(rng, picture, towards, reach, at):
    """Draw a scrap of rubbish of about `reach` of the side at `at` (fractions of the side)."""
    size = len(picture)
    centre, radius = at * size, reach * size
    colour = paint_colour(rng, 0.1)
    kind = rng.random()
    if kind < 0.4:
        corners = int(rng.integers(3, 8))
        t = np.sort(rng.uniform(0, 6.28, corners))
        outline = centre + radius * np.stack([np.cos(t), np.sin(t)], 1) * rng.uniform(0.5, 1, 2)
    elif kind < 0.7:
        t = np.linspace(0, 6.28, 26)
        turn = rng.uniform(0, 6.28)
        oval = np.stack([np.cos(t), rng.uniform(0.3, 1) * np.sin(t)], 1) * radius
        outline = centre + oval @ np.array([[np.cos(turn), np.sin(turn)],
                                            [-np.sin(turn), np.cos(turn)]])
    else:
        turn, thin = rng.uniform(0, 6.28), rng.uniform(0.08, 0.3)
        along = np.array([np.cos(turn), np.sin(turn)]) * radius * 1.3
        side = np.array([-along[1], along[0]]) * thin
        outline = centre + np.array([along + side, along - side, -along - side, -along + side])
    dark = tuple(0.45 * part for part in colour)
    bright = tuple(min(255, 1.2 * part + 12) for part in colour)
    for shift, scale, tone in ((-towards * radius * 0.16, 1, dark), (0, 1, colour),
                               (towards * radius * 0.12, 0.72, bright)):
        points = (outline - centre) * scale + centre + shift
        cv2.fillPoly(picture, [np.round(points * 16).astype(np.int32)], tone, cv2.LINE_AA, 4)


def _bar_in_front(rng, picture):
    """Draw something long across the picture, out of focus: a stalk, a strap, a stick."""
    size = len(picture)
    ends = rng.uniform(-0.1, 1.1, (2, 2)) * size
    ends[:, int(rng.integers(2))] = (-0.1 * size, 1.1 * size)
    bow = ends.mean(0) + rng.normal(0, 0.1, 2) * size
    curve = np.stack([ends[0], (ends[0] + bow) / 2, bow, (ends[1] + bow) / 2, ends[1]])
    wide = max(1, round(rng.uniform(0.008, 0.04) * size))
    colour = paint_colour(rng, 0.1)
    cv2.polylines(picture, [curve.astype(np.int32) + wide // 3], False,
                  tuple(0.45 * part for part in colour), wide, cv2.LINE_AA)
    cv2.polylines(picture, [curve.astype(np.int32)], False, colour, wide, cv2.LINE_AA)


def _photograph(rng, picture):
    """Return what a camera makes of the scene: light, colour cast, blur, grain."""
    size = len(picture)
    angle = rng.uniform(0, 6.28)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    fall = rng.uniform(0, 0.25)
    field = 1 + fall * (axis[None] * np.cos(angle) + axis[:, None] * np.sin(angle))
    field *= rng.uniform(0.75, 1.12)
    cast = 1 + rng.uniform(-0.07, 0.07, 3)
    fog = rng.uniform(0, 16)
    lit = cv2.merge([cv2.multiply(picture[..., i], field, scale=float(cast[i]) * (1 - fog / 255),
                                  dtype=cv2.CV_32F) for i in range(3)])
    lit += fog
    lens = rng.random()
    if lens < 0.25:
        lit = cv2.GaussianBlur(lit, (0, 0), rng.uniform(0.002, 0.006) * size)
    elif lens < 0.32:
        length = max(3, round(rng.uniform(0.01, 0.025) * size))
        kernel = np.zeros((length, length), np.float32)
        turn = rng.uniform(0, 3.14)
        reach = np.array([np.cos(turn), np.sin(turn)]) * (length - 1) / 2
        middle = (length - 1) / 2
        cv2.line(kernel, tuple(np.round(middle - reach).astype(int).tolist()),
                 tuple(np.round(middle + reach).astype(int).tolist()), 1)
        lit = cv2.filter2D(lit, -1, kernel / kernel.sum())
    # Two uniform bytes added give a triangular grain, much cheaper than normal variates.
    grain = np.frombuffer(rng.bytes(2 * size * size), np.uint8).reshape(2, size, size)
    sigma = rng.uniform(0.5, 6)
    grey = (grain[0].astype(np.float32) + grain[1] - 255) * (sigma / 104)
    lit += grey[..., None]
    lit[..., 0] += grey.T * 0.5
    lit[..., 2] -= grey.T * 0.5
    return cv2.convertScaleAbs(np.maximum(lit, 0, out=lit))
