"""Every sentence that grading says to people, in English and Chinese."""
import signal

# Why a hand-in ended before its time, or was not started. Filled from `detail`.
ENDED = {
    "en": {
        "no_main": "there is no main.py in it (expected at the top, or in its only folder)",
        "link": "it holds a link ({name}); only plain files and folders are taken",
        "special": "it holds something that is no file or folder ({name})",
        "unreadable": "a file or folder of it may not be read ({name})",
        "deep": "its folders are nested more than {limit} deep",
        "files": "it holds more than {limit} files",
        "large": "it is larger than {limit_mb} MB",
        "bomb": "the zip unpacks to more than {limit_mb} MB",
        "traversal": "the zip would write outside its folder ({name})",
        "encrypted": "the zip is encrypted",
        "zip": "the zip cannot be unpacked ({reason})",
        "import": "main.py could not be imported: {reason}",
        "import_exit": "main.py ends the program while it is imported ({reason})",
        "import_time": "main.py was not imported within {seconds:g} s",
        "image_time": "predict did not answer within {seconds:g} s",
        "total_time": "all photos together took longer than {seconds:g} s",
        "replay_time": "the replays took longer than {seconds:g} s",
        "cpu": "it used more than {seconds} s of processor time",
        "memory": "it used more than {limit_mb} MB of memory",
        "processes": "it started more than {limit} processes",
        "disk": "it wrote more than {limit_mb} MB to files",
        "output": "it printed more than {limit_mb} MB",
        "crashed": "its process was ended by {signal_name}",
        "exited": "its process ended itself (exit code {status})",
        "vanished": "its processes disappeared",
        "protocol": "it disturbed the channel that carries the answers",
    },
    "zh": {
        "no_main": "没有找到 main.py（应放在最上层，或放在唯一的文件夹里）",
        "link": "含有链接（{name}）；只接受普通文件和文件夹",
        "special": "含有既不是文件也不是文件夹的内容（{name}）",
        "unreadable": "有文件或文件夹没有读取权限（{name}）",
        "deep": "文件夹嵌套超过 {limit} 层",
        "files": "文件数超过 {limit} 个",
        "large": "大小超过 {limit_mb} MB",
        "bomb": "压缩包解压后超过 {limit_mb} MB",
        "traversal": "压缩包会写到自己的文件夹之外（{name}）",
        "encrypted": "压缩包已加密",
        "zip": "压缩包无法解压（{reason}）",
        "import": "main.py 导入失败：{reason}",
        "import_exit": "main.py 在导入时就结束了程序（{reason}）",
        "import_time": "main.py 在 {seconds:g} 秒内没有导入完成",
        "image_time": "predict 在 {seconds:g} 秒内没有给出答案",
        "total_time": "全部图片用时超过 {seconds:g} 秒",
        "replay_time": "重放用时超过 {seconds:g} 秒",
        "cpu": "占用处理器时间超过 {seconds} 秒",
        "memory": "占用内存超过 {limit_mb} MB",
        "processes": "启动的进程超过 {limit} 个",
        "disk": "写入文件超过 {limit_mb} MB",
        "output": "打印内容超过 {limit_mb} MB",
        "crashed": "进程被 {signal_name} 终止",
        "exited": "进程自行退出（退出码 {status}）",
        "vanished": "进程消失了",
        "protocol": "干扰了传送答案的通道",
    },
}

PROBLEM = {
    "en": {
        "exception": "predict failed on {photos} of {n} photos, for example {example}",
        "type": "predict returned no text on {photos} of {n} photos, for example {example}",
        "unknown": "predict returned a name that is no class on {photos} of {n} photos, for "
                   "example {example!r}",
    },
    "zh": {
        "exception": "predict 在 {n} 张图片中的 {photos} 张上出错，例如 {example}",
        "type": "predict 在 {n} 张图片中的 {photos} 张上返回的不是字符串，例如 {example}",
        "unknown": "predict 在 {n} 张图片中的 {photos} 张上返回了不存在的类别名，例如 {example!r}",
    },
}

ASKED = {"en": "{reason}, after {asked} of {n} photos; the others count as wrong",
         "zh": "{reason}；已回答 {asked}/{n} 张，其余按错误计"}

# What a change means, and what to do about it.
VIEW = {
    "en": {
        "swapped": ("red and blue exchanged",
                    "predict is handed {channels} images, and your model saw the other order in "
                    "training. Turn the image first: `image = image[:, :, ::-1]`."),
        "cropped": ("Resize(256) and CenterCrop(224) done before",
                    "Your model was trained or evaluated with Resize(256) and CenterCrop(224), and "
                    "predict prepares its image differently. Use the same preprocessing in "
                    "training, evaluation and predict."),
    },
    "zh": {
        "swapped": ("红蓝通道互换",
                    "predict 收到的是 {channels} 图像，而训练时模型看到的是另一种通道顺序。"
                    "请先转换：`image = image[:, :, ::-1]`。"),
        "cropped": ("事先做好 Resize(256) 和 CenterCrop(224)",
                    "模型训练或评估时用的是 Resize(256) 加 CenterCrop(224)，predict "
                    "里的预处理却不同。训练、评估和 predict 应使用同一套预处理。"),
    },
}
_ORDER = {
    "en": "The position of your model's largest output is looked up in a list of another order. "
          "Label i is the i-th class folder in sorted order (00_00, 00_01, ...), in training as "
          "well as in predict.",
    "zh": "模型输出的下标是在另一种顺序的列表里查类别名的。标签 i 对应按名称排序后的第 i "
          "个类别文件夹（00_00、00_01……），训练和 predict 必须一致。",
}
NAMING = {
    "en": {
        "spelling": ("case, spaces, Chinese names, folders or numbers accepted as names",
                     "predict must return the English class name, letter by letter, for example "
                     "'{name}'."),
        "label_file": ("names read in the order of label.txt", _ORDER["en"]),
        "label_file_inverse": ("labels read in the order of label.txt", _ORDER["en"]),
        "label_lines": ("names counted through the lines of label.txt, headings included",
                        _ORDER["en"] + " label.txt has lines that are headings and no classes."),
        "alphabet": ("names read in alphabetical order", _ORDER["en"]),
        "alphabet_inverse": ("labels read in alphabetical order", _ORDER["en"]),
        "reordered": ("class names exchanged among each other as fits best",
                      "Your model tells the classes apart but gives them one another's names. "
                      + _ORDER["en"]),
    },
    "zh": {
        "spelling": ("大小写、空格、中文名、文件夹名或编号都算作类别名",
                     "predict 必须返回英文类别名，一个字母都不能差，例如 '{name}'。"),
        "label_file": ("按 label.txt 的顺序读类别名", _ORDER["zh"]),
        "label_file_inverse": ("按 label.txt 的顺序读标签", _ORDER["zh"]),
        "label_lines": ("按 label.txt 的行号读类别名（连大类标题一起数）",
                        _ORDER["zh"] + "label.txt 里有些行是大类标题，不是类别。"),
        "alphabet": ("按字母顺序读类别名", _ORDER["zh"]),
        "alphabet_inverse": ("按字母顺序读标签", _ORDER["zh"]),
        "reordered": ("类别名之间按最合适的方式互换",
                      "模型能区分各个类别，但把名字互相张冠李戴了。" + _ORDER["zh"]),
    },
}
AND = {"en": " and ", "zh": "，并且"}

PROTECTION = {
    "en": {
        "hidden": "the hidden photos, their truth and other hand-ins cannot be read",
        "writes": "nothing outside the scratch folder can be written or deleted",
        "network": "no network, not even of this machine",
        "processes": "the number of processes and threads is bounded",
        "signals": "no signal reaches a process outside",
        "strays": "no process outlives its hand-in",
        "time": "processor time and wall time are bounded",
        "memory": "memory is bounded",
        "disk": "the size of what is written is bounded",
        "output": "the size of what is printed is bounded",
        "privileges": "no right can be gained",
    },
    "zh": {
        "hidden": "读不到隐藏图片、答案和别人的作业",
        "writes": "临时文件夹之外不能写入或删除",
        "network": "没有网络，本机网络也不行",
        "processes": "进程数和线程数有上限",
        "signals": "不能向外面的进程发信号",
        "strays": "作业结束后不会留下进程",
        "time": "处理器时间和实际用时有上限",
        "memory": "内存有上限",
        "disk": "写入的数据量有上限",
        "output": "打印的数据量有上限",
        "privileges": "不能获得更多权限",
    },
}
LAYER = {
    "en": {
        "namespaces": "namespaces", "landlock": "Landlock", "seccomp": "seccomp filter",
        "rlimits": "resource limits", "watchdog": "watchdog", "tmpfs": "scratch of fixed size",
        "user": "a user of its own", "no_new_privs": "no_new_privs", "": "not enforced here",
    },
    "zh": {
        "namespaces": "命名空间", "landlock": "Landlock", "seccomp": "seccomp 过滤",
        "rlimits": "资源限制", "watchdog": "看门狗", "tmpfs": "固定大小的临时文件夹",
        "user": "独立用户", "no_new_privs": "no_new_privs", "": "本机未能限制",
    },
}

LIKENESS = {
    "en": {
        "all": "the whole hand-in is the same, byte for byte",
        "files": "same files, byte for byte: {files}",
        "weights": "nearly the same weights (largest relative distance {distance:.4f})",
        "mistakes": "the same wrong answer on {same} of the {either} photos that either got wrong",
    },
    "zh": {
        "all": "整份作业逐字节相同",
        "files": "文件逐字节相同：{files}",
        "weights": "权重几乎相同（最大相对距离 {distance:.4f}）",
        "mistakes": "两者答错的 {either} 张图片中，有 {same} 张给出同样的错误答案",
    },
}


def ended_text(ended, language):
    """Return why a hand-in ended, in one line.

    Args:
        ended: dict {code, detail}.
        language: 'en' or 'zh'.
    """
    detail = dict(ended["detail"])
    if ended["code"] == "crashed":
        try:
            detail["signal_name"] = signal.Signals(detail["signal"]).name
        except ValueError:
            detail["signal_name"] = f"signal {detail['signal']}"
    code = "import_exit" if detail.get("kind") == "SystemExit" else ended["code"]
    return ENDED[language][code].format(**detail)


def reason_text(record, score, language):
    """Return in one line what went wrong with a hand-in, '' where nothing did."""
    if record["ended"]:
        reason = ended_text(record["ended"], language)
        return ASKED[language].format(reason=reason, asked=record["asked"], n=score.n) \
            if record["asked"] else reason
    if score.problems:
        worst = score.problems[0]
        return PROBLEM[language][worst["code"]].format(photos=worst["photos"], n=score.n,
                                                       **worst["detail"])
    return ""


def change_text(change, language):
    """Return what was tried, in a few words."""
    parts = [table[language][key][0] for table, key in
             ((VIEW, change.view), (NAMING, change.naming)) if key != "given"]
    return AND[language].join(parts)


def advice_text(change, photos, language):
    """Return what a likely trap means for the student, in a few sentences."""
    parts = [table[language][key][1] for table, key in
             ((VIEW, change.view), (NAMING, change.naming)) if key != "given"]
    return " ".join(parts).format(channels=photos.channels, name=photos.classes.english[0])


def protection_rows(protection, language):
    """Return [(what is enforced, by which layers, enforced?)] for people."""
    layer = LAYER[language]
    return [(PROTECTION[language][key], ", ".join(layer[name] for name in how or ("",)), bool(how))
            for key, how in protection.rows()]


def likeness_text(group, language):
    """Return in one line how hand-ins are alike."""
    detail = dict(group["detail"])
    if group["what"] == "files":
        shown = detail["files"][:3]
        detail["files"] = ", ".join(shown) + (", ..." if len(detail["files"]) > 3 else "")
    return LIKENESS[language][group["what"]].format(**detail)
