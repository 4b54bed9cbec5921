"""Photos that occur more than once: the same bytes, or the same picture in other bytes.

Two steps. Perceptual hashes propose pairs: all against all, as a matrix product, for the photo and
for its mirror image. Then both photos are decoded, shrunk to 64x64 and correlated, which decides.

The two limits come from looking at pairs of real photos. Copies that were saved again, mirrored,
enlarged or made darker correlate above COPY with the original in 99 of 100 cases, brighter ones
(where white clips) in 97, ones shrunk to under half their size in 91. Photos cropped, zoomed or
turned a little fall below COPY; down to ALIKE practically every pair of object photos still shows
one and the same, and photos of different classes stay below 0.85.
"""
import dataclasses
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

from src_mindspore.data.decode import load_rgb
from src_mindspore.data.threads import map_in_order
from src_mindspore.errors import LabError

COPY = 0.983
ALIKE = 0.90
# Of 64 bits. Mirrored and brightened copies differ in up to 12 (99 of 100); a limit of 14 would
# more than double the pairs to verify.
MAX_DISTANCE = 12
HASH_BITS = 64
# A mirror image has the same DCT with the odd horizontal frequencies negated.
MIRROR = np.tile(np.array([1, -1], np.float32), HASH_BITS // 2)
SIDE = 64
# Clipping of a mildly brightened copy lowers the correlation, but hardly ever below this.
HOPELESS = 0.7
# Levels between which a pixel is not clipped.
DARKEST, BRIGHTEST = 4, 251
# The all-against-all product is taken in blocks, so that memory does not grow with the photos.
HASH_ROWS, HASH_COLUMNS = 256, 16_384
PAIRS_AT_ONCE = 5_000  # bounds the memory for shrunk photos to 120 MB


@dataclasses.dataclass(frozen=True)
class DuplicateGroup:
    """Files that are copies of one another.

    Attributes:
        paths: tuple of str in the order of the records, at least two.
        exact: bool, True where all have the same bytes.
    """

    paths: tuple
    exact: bool


class SimilarPairs(NamedTuple):
    """Pairs of records: left, right (P,) int indices, similarity (P,) float in [ALIKE, 1]."""

    left: np.ndarray
    right: np.ndarray
    similarity: np.ndarray


def find_duplicates(root, records, progress=True):
    """Find the copies among some photos.

    Args:
        root: Path of the data folder.
        records: list of FileRecord; those with a problem are left out.
        progress: bool, show the progress on stderr.

    Returns:
        list of DuplicateGroup in the order of their first file.
    """
    return duplicate_groups(records, similar_pairs(root, records, progress))


def group_ids(root, records, progress=True, group_by=""):
    """Number the photos so that copies and altered copies of one photo share a number.

    Here similarity of ALIKE is enough: a wrong link costs a split nothing, a missed one makes its
    validation too optimistic.

    Args:
        root, records, progress: as in `find_duplicates`.
        group_by: str, a regular expression: photos of one class in whose file names it finds the
            same text share a number too (several views of one object, frames of one film).

    Returns:
        (N,) int32, one number per record, from 0.

    Raises:
        LabError: a file name in which the expression finds nothing.
    """
    pairs = similar_pairs(root, records, progress)
    strong = pairs.similarity >= ALIKE
    left, right = list(pairs.left[strong]), list(pairs.right[strong])
    if group_by:
        first_of = {}
        for number, record in enumerate(records):
            first = first_of.setdefault(_common_name(record, group_by), number)
            left.append(first)
            right.append(number)
    return _connected(len(records), left, right)


def _common_name(record, group_by):
    """Return what a photo has in common with those it belongs to: its class, and a part of its
    file's name."""
    found = re.search(group_by, Path(record.path).name)
    if not found:
        raise LabError(f"group_by is {group_by!r}, which finds nothing in the file name of "
                       f"{record.path}. Expected a regular expression that every name of a photo "
                       "holds, for example '^[^_]+' for what stands before the first _.")
    return record.label, found[0]


def duplicate_groups(records, pairs, least=COPY):
    """Turn pairs into groups: list of DuplicateGroup.

    Args:
        records: list of FileRecord.
        pairs: SimilarPairs of them.
        least: float, similarity from which two photos belong together.
    """
    members = {}
    for record, group in zip(records, link(len(records), pairs, least), strict=True):
        members.setdefault(group, []).append(record)
    return [DuplicateGroup(tuple(r.path for r in group), len({r.sha256 for r in group}) == 1)
            for group in members.values() if len(group) > 1]


def link(count, pairs, least):
    """Return (count,) int32: the connected component of each record, joined by similar pairs."""
    strong = pairs.similarity >= least
    return _connected(count, pairs.left[strong], pairs.right[strong])


def _connected(count, left, right):
    edges = (np.ones(len(left), np.int8), (left, right))
    return connected_components(coo_array(edges, shape=(count, count)), directed=False)[1]


def similar_pairs(root, records, progress=True):
    """Find the pairs of photos that show the same.

    Args:
        root, records, progress: as in `find_duplicates`.

    Returns:
        SimilarPairs. Files with the same bytes are paired with the first of them, which alone is
        compared with others.

    Raises:
        BadImage: a file has become unreadable since the scan.
    """
    first, twins, hashed = {}, [], []
    for index, record in enumerate(records):
        if record.problem:
            continue
        if first.setdefault(record.sha256, index) != index:
            twins.append((first[record.sha256], index))
        elif record.phash:
            hashed.append(index)
    hashed = np.array(hashed, int)
    left, right = _close_hashes([records[index].phash for index in hashed])
    left, right = hashed[left], hashed[right]
    similarity = _verify([root / record.path for record in records], left, right, progress)
    keep = similarity >= ALIKE
    twins = np.array(twins, int).reshape(-1, 2)
    return SimilarPairs(np.concatenate([twins[:, 0], left[keep]]),
                        np.concatenate([twins[:, 1], right[keep]]),
                        np.concatenate([np.ones(len(twins)), similarity[keep]]))


def hash_distance(one, other):
    """Return how many bits differ between two hexadecimal hashes, mirrored or not, 0 to 64."""
    one, other = _signs([one, other])
    return int(HASH_BITS - max(one @ other, one @ (other * MIRROR))) // 2


def similarity_of(one, other):
    """Compare two shrunk photos, the second also mirrored.

    Args:
        one, other: (64, 64, 3) uint8 RGB.

    Returns:
        float in [-1, 1]; 1 for the same picture but for brightness, contrast and clipping.
    """
    one, other = one.astype(np.float32), other.astype(np.float32)
    mirrored = other[:, ::-1]
    centred = one - one.mean()
    if np.vdot(centred, mirrored) > np.vdot(centred, other):
        other = mirrored
    plain = _correlation(one, other)
    if plain < HOPELESS:
        return plain
    return max(plain, _correlation(_brighten(one, other), other),
               _correlation(one, _brighten(other, one)))


def _signs(hashes):
    """Return the bits of hexadecimal hashes as (N, 64) float32 of -1 and 1."""
    data = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(len(hashes), -1)
    return np.unpackbits(data, axis=1).astype(np.float32) * 2 - 1


def _close_hashes(hashes):
    """Return two (P,) int arrays: the pairs of hashes within MAX_DISTANCE, mirrored or not."""
    if not hashes:
        return np.zeros(0, int), np.zeros(0, int)
    signs = _signs(hashes)
    mirrored = signs * MIRROR
    # Bits that agree minus bits that differ: the product of two rows of signs.
    least = HASH_BITS - 2 * MAX_DISTANCE
    lefts, rights = [], []
    for start in range(0, len(signs), HASH_ROWS):
        rows = signs[start:start + HASH_ROWS]
        for first in range(start, len(signs), HASH_COLUMNS):
            columns = slice(first, first + HASH_COLUMNS)
            close = rows @ signs[columns].T >= least
            close |= rows @ mirrored[columns].T >= least
            left, right = np.nonzero(close)
            left, right = left + start, right + first
            lefts.append(left[left < right])
            rights.append(right[left < right])
    return np.concatenate(lefts), np.concatenate(rights)


def _verify(paths, left, right, progress):
    """Return the (P,) float similarity of the photos that two (P,) index arrays name."""
    similarity = np.zeros(len(left))
    with ThreadPoolExecutor() as pool, tqdm(
            total=len(left), desc="compare", unit="pair",
            disable=not (progress and len(left))) as bar:
        for start in range(0, len(left), PAIRS_AT_ONCE):
            block = slice(start, start + PAIRS_AT_ONCE)
            needed = np.union1d(left[block], right[block])
            small = dict(zip(needed, map_in_order(
                pool, lambda index: _shrink(paths[index]), needed), strict=True))
            for pair in range(start, min(start + PAIRS_AT_ONCE, len(left))):
                similarity[pair] = similarity_of(small[left[pair]], small[right[pair]])
                bar.update()
    return similarity


def _shrink(path):
    return cv2.resize(load_rgb(path), (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _correlation(one, other):
    """Normalised correlation of two photos, of the shapes alone and of shapes with colours.

    The smaller of the two counts: two pictures on red are not alike for the red, and a red wall is
    not a blue wall.
    """
    return min(_cosine(one - one.mean((0, 1)), other - other.mean((0, 1))),
               _cosine(one - one.mean(), other - other.mean()))


def _cosine(one, other):
    one, other = one.ravel(), other.ravel()
    return float(one @ other / max(np.sqrt((one @ one) * (other @ other)), 1e-6))


def _brighten(image, target):
    """Change brightness and contrast of `image` to those of `target`, clipping as a camera does."""
    whole = ((image > DARKEST) & (image < BRIGHTEST) & (target > DARKEST) & (target < BRIGHTEST))
    x, y = image[whole], target[whole]
    if x.size < image.size // 20 or x.std() < 1:
        return image
    gain = np.mean((x - x.mean()) * (y - y.mean())) / x.var()
    return np.clip(gain * (image - x.mean()) + y.mean(), 0, 255)
