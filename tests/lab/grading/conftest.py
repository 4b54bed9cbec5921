"""Hidden photos and the ways to ask a hand-in about them."""
import dataclasses
import functools

import cv2
import numpy as np
import pytest
from hand_ins import CHINESE, FOLDERS, PER_CLASS, SMALL, class_colours, shuffled_folders

from lab.grading.photos import HiddenPhotos
from lab.grading.protection import find_protection
from lab.grading.record import record_of
from lab.grading.submissions import Submission


@pytest.fixture(scope="session")
def hidden(tmp_path_factory):
    """Folder of 26 classes of 5 tiny pictures, and a label.txt in GBK of an order of its own."""
    root = tmp_path_factory.mktemp("grading") / "hidden"
    rng = np.random.default_rng(4)
    for folder, colour in zip(FOLDERS, class_colours(), strict=True):
        (root / folder).mkdir(parents=True)
        for number in range(PER_CLASS):
            image = np.clip(colour + rng.normal(0, 20, (24, 32, 3)), 0, 255).astype(np.uint8)
            cv2.imwrite(str(root / folder / f"{number}.png"), image[:, :, ::-1])
    lines = [f"{CHINESE[folder]}: {folder}" for folder in shuffled_folders()]
    (root / "label.txt").write_bytes("\n".join(lines).encode("gbk"))
    return root


@pytest.fixture(scope="session")
def photos(hidden):
    return HiddenPhotos(hidden, "val", "RGB", progress=False)


@pytest.fixture
def write_hand_in(tmp_path):
    """Function (code, name, **files) -> Submission in a folder."""
    def write(code, name="student", **files):
        folder = tmp_path / "hand-ins" / name
        folder.mkdir(parents=True)
        (folder / "main.py").write_text(code, encoding="utf-8")
        for file, data in files.items():
            (folder / file).write_bytes(data)
        return Submission(name, folder)
    return write


@pytest.fixture(scope="session")
def best_protection():
    return find_protection()


@pytest.fixture(scope="session", params=["all layers", "without namespaces"])
def protection(request, best_protection):
    """Every layer this machine has; and what is left where user namespaces are forbidden."""
    if request.param == "all layers":
        return best_protection
    return dataclasses.replace(best_protection, namespaces=False)


@pytest.fixture
def ask_with(photos, write_hand_in):
    """Function (protection, code, **limits) -> record of a hand-in with that main.py."""
    def ask(protection, code, **limits):
        return record_of(write_hand_in(code), photos, protection,
                         dataclasses.replace(SMALL, **limits))
    return ask


@pytest.fixture
def ask(ask_with, protection):
    """Function (code, **limits) -> record; each test runs with either protection."""
    return functools.partial(ask_with, protection)


@pytest.fixture
def ask_once(ask_with, best_protection):
    """The same for what does not depend on the protection."""
    return functools.partial(ask_with, best_protection)
