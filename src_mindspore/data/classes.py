"""The course's class map: folder, index, English and Chinese name. The one place that knows it."""
import dataclasses

from src_mindspore.errors import LabError

# (folder, English name as `predict` must return it, Chinese name); the index is the position.
COURSE_CLASSES = (
    ("00_00", "Plastic Bottle", "塑料瓶"),
    ("00_01", "Hats", "帽子"),
    ("00_02", "Newspaper", "报纸"),
    ("00_03", "Cans", "易拉罐"),
    ("00_04", "Glassware", "玻璃制品"),
    ("00_05", "Glass Bottle", "玻璃瓶"),
    ("00_06", "Cardboard", "硬纸板"),
    ("00_07", "Basketball", "篮球"),
    ("00_08", "Paper", "纸张"),
    ("00_09", "Metalware", "金属制品"),
    ("01_00", "Disposable Chopsticks", "一次性筷子"),
    ("01_01", "Lighter", "打火机"),
    ("01_02", "Broom", "扫把"),
    ("01_03", "Old Mirror", "旧镜子"),
    ("01_04", "Toothbrush", "牙刷"),
    ("01_05", "Dirty Cloth", "脏污衣服"),
    ("01_06", "Seashell", "贝壳"),
    ("01_07", "Ceramic Bowl", "陶瓷碗"),
    ("02_00", "Paint bucket", "油漆桶"),
    ("02_01", "Battery", "电池"),
    ("02_02", "Fluorescent lamp", "荧光灯"),
    ("02_03", "Tablet capsules", "药片胶囊"),
    ("03_00", "Orange Peel", "橙皮"),
    ("03_01", "Vegetable Leaf", "菜叶"),
    ("03_02", "Eggshell", "蛋壳"),
    ("03_03", "Banana Peel", "香蕉皮"),
)

COURSE_GROUPS = {
    "00": ("recyclable", "可回收物"),
    "01": ("residual", "干垃圾"),
    "02": ("hazardous", "有害垃圾"),
    "03": ("food waste", "湿垃圾"),
}


@dataclasses.dataclass(frozen=True)
class ClassNames:
    """The classes of a model or a data folder; position i is label i everywhere.

    Attributes:
        folders: tuple of str, sorted folder names of train: the identity of each class.
        english, chinese: tuple of str of the same length, for people.
    """

    folders: tuple
    english: tuple
    chinese: tuple

    def __len__(self):
        return len(self.folders)

    def to_dict(self):
        """Return a JSON-able dict."""
        return {key: list(value) for key, value in dataclasses.asdict(self).items()}

    @classmethod
    def from_dict(cls, values):
        """Return the names that `to_dict` described."""
        return cls(*(tuple(values[key]) for key in ("folders", "english", "chinese")))

    def in_language(self, language):
        """Return the display names: 'en' or 'zh'."""
        return self.chinese if language == "zh" else self.english


def name_classes(folders, label_file=None):
    """Find names for class folders: the course map, else label.txt, else the folders themselves.

    Args:
        folders: iterable of str, class folder names.
        label_file: Path of a `label.txt` with lines `name: folder` in UTF-8 or GBK, or None.

    Returns:
        ClassNames in sorted order of folders.

    Raises:
        LabError: label.txt is neither UTF-8 nor GBK.
    """
    folders = tuple(sorted(folders))
    course = {folder: (english, chinese) for folder, english, chinese in COURSE_CLASSES}
    if folders and set(folders) <= set(course):
        return ClassNames(folders, tuple(course[f][0] for f in folders),
                          tuple(course[f][1] for f in folders))
    labels = read_label_file(label_file) if label_file and label_file.is_file() else {}
    names = tuple(labels.get(folder, folder) for folder in folders)
    return ClassNames(folders, names, names)


def read_label_file(path):
    """Read `name: folder` lines: dict from folder to name.

    Raises:
        LabError: the text is neither UTF-8 nor GBK.
    """
    data = path.read_bytes()
    for encoding in ("utf-8-sig", "gbk"):
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise LabError(f"{path} is neither UTF-8 nor GBK text. Expected lines `name: folder`; "
                       "save it as UTF-8, or remove it to use the folder names.")
    pairs = (line.replace("：", ":").rpartition(":") for line in text.splitlines())
    return {folder.strip(): name.strip() for name, _, folder in pairs if name and folder.strip()}
