"""The canvas and the geometry that the drawn objects are made with.

Coordinates are units: x to the right and y down, the canvas spans -1 to 1 both ways.
Points are float arrays (n, 2) in units; colours are (red, green, blue) from 0 to 255; P is
`CANVAS_PIXELS`.
"""
import colorsys

import cv2
import numpy as np

CANVAS_PIXELS = 192
# fillPoly takes fixed-point coordinates: 4 fractional bits are a sixteenth of a pixel.
_SHIFT = 4
_AXIS = ((np.arange(CANVAS_PIXELS, dtype=np.float32) + 0.5) * (2 / CANVAS_PIXELS) - 1)
X = _AXIS[None, :]
Y = _AXIS[:, None]
_ONE = np.ones((CANVAS_PIXELS, CANVAS_PIXELS), np.float32)
WHITE = (255, 255, 255)


class Canvas:
    """An RGBA picture on which one object is drawn upright, before it is posed in a scene.

    The pixels `rgba` (P, P, 4) uint8 are premultiplied by alpha, so that anti-aliased
    edges take no colour from the empty canvas and the object can be rotated and blended.

    Args:
        rng: numpy Generator, the only source of chance.
        light: (x, y) of the direction to the light in the frame of the object, length <= 1.
    """

    def __init__(self, rng, light=(-0.5, -0.5)):
        self.rng = rng
        self.light = light
        self.rgba = np.zeros((CANVAS_PIXELS, CANVAS_PIXELS, 4), np.uint8)

    def fill(self, points, colour):
        """Fill a polygon with one opaque colour."""
        cv2.fillPoly(self.rgba, [_fixed(points)], _opaque(colour), cv2.LINE_AA, _SHIFT)

    def line(self, points, colour, width=0.012, closed=False):
        """Draw a polyline `width` units thick (at least one pixel)."""
        cv2.polylines(self.rgba, [_fixed(points)], closed, _opaque(colour),
                      max(1, round(width * CANVAS_PIXELS / 2)), cv2.LINE_AA, _SHIFT)

    def paint(self, mask, colour, opacity=1.0):
        """Blend a colour over the canvas where `mask` says.

        Args:
            mask: (P, P) uint8 coverage.
            colour: (red, green, blue), or float32 (P, P, 3) from 0 to 255.
            opacity: 0 to 1, or float32 (P, P).
        """
        x, y, w, h = cv2.boundingRect(mask)
        if not w:
            return
        box = np.s_[y:y + h, x:x + w]
        if isinstance(opacity, np.ndarray):
            opacity = opacity[box]
        colour = np.asarray(colour, np.float32)
        colour = colour[box] if colour.ndim == 3 else colour[None, None]
        self._blend(box, mask[box], colour, opacity)

    def _blend(self, box, mask, colour, opacity):
        """`paint` for arrays already cut to the slices `box`."""
        cover = (mask * (opacity / np.float32(255))).astype(np.float32)[..., None]
        part = self.rgba[box].astype(np.float32)
        part *= 1 - cover
        part[..., :3] += np.clip(colour, 0, 255) * cover
        part[..., 3:] += 255 * cover
        part += 0.5
        np.clip(part, 0, 255, out=part)
        self.rgba[box] = part

    def multiply(self, field, mask=None):
        """Multiply the colours by `field`, which broadcasts to (P, P), where `mask` says."""
        field = np.broadcast_to(np.asarray(field, np.float32), (CANVAS_PIXELS, CANVAS_PIXELS))
        x, y, w, h = cv2.boundingRect(self.rgba[..., 3] if mask is None else mask)
        if not w:
            return
        box = np.s_[y:y + h, x:x + w]
        field = field[box]
        if mask is not None:
            field = 1 + (field - 1) * (mask[box] * np.float32(1 / 255))
        part = self.rgba[box]
        product = cv2.multiply(np.ascontiguousarray(part), cv2.merge([field] * 3 + [_ONE[:h, :w]]),
                               dtype=cv2.CV_8U)
        # A premultiplied colour may not exceed its alpha.
        part[..., :3] = cv2.min(product, cv2.merge([product[..., 3]] * 4))[..., :3]

    def alpha(self):
        """Return a copy of what is covered so far, (P, P) uint8."""
        return self.rgba[..., 3].copy()

    def erase(self, mask):
        """Cut a hole of the shape of `mask`."""
        keep = (255 - mask)[..., None]
        self.rgba[:] = cv2.multiply(self.rgba, np.repeat(keep, 4, 2), scale=1 / 255)

    def bevel(self, strength=0.4, blur=0.08, mask=None):
        """Shade what is drawn (or `mask`) as a cushion: bright to the light, dark away from it."""
        small = cv2.resize(self.rgba[..., 3] if mask is None else mask, (64, 64),
                           interpolation=cv2.INTER_AREA)
        height = cv2.GaussianBlur(small.astype(np.float32) / 255, (0, 0), blur * 32)
        slope = (cv2.Sobel(height, -1, 1, 0) * self.light[0]
                 + cv2.Sobel(height, -1, 0, 1) * self.light[1])
        field = cv2.resize(1 - slope * (strength * blur * 16), (CANVAS_PIXELS, CANVAS_PIXELS))
        self.multiply(np.maximum(field, 0.15), mask)

    def lathe(self, heights, radii, colour, shine=0.4, opacity=1.0, tilt=0.12, centre=0.0,
              contrast=1.0):
        """Draw a solid of revolution about a vertical axis, lit as a round body.

        Args:
            heights: increasing y of the profile's points.
            radii: radius at each height.
            colour: (red, green, blue), or float32 (P, P, 3).
            shine: strength of the highlight, 0 to 1.
            opacity: of the middle; thin walls look denser at the edges, as glass does.
            tilt: how far top and bottom are curved by looking from above.
            centre: x of the axis.
            contrast: strength of the shading.

        Returns:
            (P, P) uint8 mask of the body.
        """
        body = polygon_mask(lathe_outline(heights, radii, tilt, centre))
        x, y, w, h = cv2.boundingRect(body)
        inside = np.s_[y:y + h, x:x + w]
        radius = np.interp(_AXIS[y:y + h], heights, radii).astype(np.float32)[:, None]
        across = np.clip((X[:, x:x + w] - centre) / np.maximum(radius, 0.01), -1, 1)
        facing = np.sqrt(1 - across * across)
        lit = np.maximum(0, across * (1.3 * self.light[0]) + facing * 0.85)
        field = 1 + contrast * (0.5 + 0.62 * lit - 1)
        spot = across - 0.75 * self.light[0]
        glint = np.exp(-(spot / 0.16) ** 2) * (200 * shine)
        colour = np.asarray(colour, np.float32)
        colour = colour[inside] if colour.ndim == 3 else colour[None, None]
        if opacity < 1:
            opacity = opacity + (1 - opacity) * 0.75 * np.abs(across) ** 5
        self._blend(inside, body[inside], colour * field[..., None] + glint[..., None], opacity)
        return body

    def noise(self, cells, low=0.0, high=1.0):
        """Return a smooth random field (P, P) float32 with about `cells` bumps a side."""
        grid = self.rng.random((cells, cells), dtype=np.float32) * (high - low) + low
        return cv2.resize(grid, (CANVAS_PIXELS, CANVAS_PIXELS), interpolation=cv2.INTER_CUBIC)

    def grain(self, low, high, mask=None):
        """Multiply the colours by fine random grain between `low` and `high`."""
        half = CANVAS_PIXELS // 2
        grid = self.rng.random((half, half), dtype=np.float32) * (high - low) + low
        self.multiply(cv2.resize(grid, (CANVAS_PIXELS, CANVAS_PIXELS)), mask)

    def wobble(self, amount, cells=5):
        """Displace everything drawn by a smooth random field of up to `amount` units."""
        reach = amount * CANVAS_PIXELS / 2
        pixels = np.arange(CANVAS_PIXELS, dtype=np.float32)
        dx = self.noise(cells, -reach, reach) + pixels[None, :]
        dy = self.noise(cells, -reach, reach) + pixels[:, None]
        self.rgba = cv2.remap(self.rgba, dx, dy, cv2.INTER_LINEAR)


def polygon_mask(points):
    """Return the anti-aliased coverage of a polygon, (P, P) uint8."""
    mask = np.zeros((CANVAS_PIXELS, CANVAS_PIXELS), np.uint8)
    cv2.fillPoly(mask, [_fixed(points)], 255, cv2.LINE_AA, _SHIFT)
    return mask


def line_mask(lines, width):
    """Return the coverage of polylines (a list of point arrays) `width` units thick."""
    mask = np.zeros((CANVAS_PIXELS, CANVAS_PIXELS), np.uint8)
    cv2.polylines(mask, [_fixed(points) for points in lines], False, 255,
                  max(1, round(width * CANVAS_PIXELS / 2)), cv2.LINE_AA, _SHIFT)
    return mask


def _fixed(points):
    scaled = (np.asarray(points, np.float32) + 1) * (CANVAS_PIXELS / 2) - 0.5
    return np.round(scaled * (1 << _SHIFT)).astype(np.int32)


def _opaque(colour):
    red, green, blue = (float(min(max(value, 0), 255)) for value in colour)
    return (red, green, blue, 255.0)


def ellipse(cx, cy, rx, ry, angle=0.0, start=0.0, stop=360.0, count=44):
    """Return points (count, 2) on an ellipse from `start` to `stop`, all angles in degrees."""
    t = np.radians(np.linspace(start, stop, count))
    return turned(np.stack([cx + rx * np.cos(t), cy + ry * np.sin(t)], 1), angle, (cx, cy))


def box(x0, y0, x1, y1, radius=0.0):
    """Return the points of a rectangle, its corners rounded by `radius`."""
    if radius <= 0:
        return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float32)
    centres = ((x1 - radius, y1 - radius, 0), (x0 + radius, y1 - radius, 90),
               (x0 + radius, y0 + radius, 180), (x1 - radius, y0 + radius, 270))
    return np.concatenate([ellipse(x, y, radius, radius, 0, a, a + 90, 7) for x, y, a in centres])


def turned(points, angle, about=(0.0, 0.0)):
    """Return `points` turned clockwise by `angle` degrees about a point."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    about = np.asarray(about)
    return (np.asarray(points) - about) @ np.array([[c, s], [-s, c]]) + about


def smooth(points, closed=False, steps=8):
    """Return a Catmull-Rom curve through `points`, `steps` points for each of its pieces."""
    points = np.asarray(points, np.float64)
    if closed:
        padded = np.concatenate([points[-1:], points, points[:2]])
    else:
        padded = np.concatenate([points[:1], points, points[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    a, b, c, d = (padded[i:len(padded) - 3 + i][:, None] for i in range(4))
    curve = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


def strip(points, widths):
    """Return the outline of a band along `points` with a half-width at each of them."""
    points = np.asarray(points, np.float64)
    along = np.gradient(points, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-6)
    side = np.stack([-along[:, 1], along[:, 0]], 1) * np.broadcast_to(
        np.asarray(widths), (len(points),))[:, None]
    return np.concatenate([points + side, (points - side)[::-1]])


def blob(rng, cx, cy, rx, ry, rough=0.2, corners=9):
    """Return a smooth irregular closed outline about (cx, cy)."""
    t = np.arange(corners) * (2 * np.pi / corners) + rng.uniform(0, 6.28)
    r = 1 + rng.uniform(-rough, rough, corners)
    return smooth(np.stack([cx + rx * r * np.cos(t), cy + ry * r * np.sin(t)], 1), True, 6)


def lathe_outline(heights, radii, tilt, centre=0.0):
    """Return the outline of a solid of revolution whose ends are seen as curved."""
    heights, radii = np.asarray(heights), np.asarray(radii)
    left = np.stack([centre - radii, heights], 1)
    right = np.stack([centre + radii, heights], 1)[::-1]
    foot = ellipse(centre, heights[-1], radii[-1], radii[-1] * tilt, 0, 180, 0, 16)
    top = ellipse(centre, heights[0], radii[0], radii[0] * tilt, 0, 360, 180, 16)
    return np.concatenate([left, foot, right, top])


def hsv(hue, saturation, value):
    """Return (red, green, blue) from 0 to 255 of a hue in degrees and two fractions."""
    return tuple(255 * part for part in colorsys.hsv_to_rgb(hue % 360 / 360, saturation, value))


def paint_colour(rng, low_saturation=0.35):
    """Return a random colour of a printed or painted thing: any hue, now and then a grey."""
    if rng.random() < 0.25:
        return (rng.uniform(20, 245),) * 3
    return hsv(rng.uniform(0, 360), rng.uniform(low_saturation, 1), rng.uniform(0.3, 0.98))


def varied(rng, colour, amount=18):
    """Return `colour` with brightness and each channel changed by up to `amount`."""
    common = rng.uniform(-amount, amount)
    return tuple(min(max(c + common + rng.uniform(-amount, amount) / 2, 0), 255) for c in colour)


def scaled(colour, factor):
    """Return `colour` made brighter or darker."""
    return tuple(min(c * factor, 255) for c in colour)


def choice(rng, options):
    """Return one of a sequence; unlike `Generator.choice` it makes no array of the options."""
    return options[int(rng.integers(len(options)))]
