# %% [markdown] lang="zh"
# # 十四个陷阱
#
# 微调一个分类器，代码只有几十行，能出错的地方却很多，而且大多**不报错**：程序照常跑完，给出一个看上去合理的数字。下面十四个陷阱都是真的，每一个都让人丢过分，或者白白花掉几天。
#
# 每一节的顺序相同：先是一段**真的坏掉的程序**，运行它，看症状；然后自己诊断；最后在练习里修好它。隐藏的测试不仅分得清修好的和没修的，也认得几种常见的“修错了”。
#
# **学完之后，你能够**
#
# - 从一个数字或一张图，反推是哪一步出了错；
# - 用几行代码做一个对照实验，证实或者推翻自己的诊断；
# - 写出不会掉进这些坑的数据、训练、评估和保存代码。
#
# **时间**：运行约两分钟，诊断和修理约一个半小时。不必一次做完，除了第 0 节，各节互不依赖。

# %% [markdown] lang="en"
# # Fourteen traps
#
# To fine-tune a classifier takes a few dozen lines of code, with many places to go wrong, and most of them raise **no error**: the program runs to its end and prints a figure that looks reasonable. These fourteen traps are real; each has cost somebody points, or days.
#
# Every section has the same order. First a piece of **code that is really broken**: run it and look at the symptom. Then make your diagnosis. Then repair it in the exercise. The hidden tests know a repaired program from a broken one, and also know some of the usual wrong repairs.
#
# **Afterwards you can**
#
# - reason from a figure or a picture back to the step that went wrong;
# - set up a controlled experiment in a few lines that proves your diagnosis or refutes it;
# - write code for data, training, evaluation and saving that stays clear of these traps.
#
# **Time**: about two minutes to run, an hour and a half to diagnose and repair. You need not do it in one go: apart from section 0 the sections do not depend on each other.

# %%
import sys
from pathlib import Path
root = next(p for p in (Path.cwd(), *Path.cwd().parents) if (p / "train_head.py").exists())
sys.path.insert(0, str(root))
from lab.start import say, start_lab

# %% lang="zh"
lab = start_lab("zh")

# %% lang="en"
lab = start_lab("en")

# %% [markdown] lang="zh"
# ## 0 一个健康的模型
#
# 要认出病，先要知道健康是什么样。这里用课程的预处理（短边缩到 256，中间裁 224）提取特征，训练一个线性分类头。后面的实验都拿它作对照。

# %% [markdown] lang="en"
# ## 0 A healthy model
#
# To know a disease you must know health. This extracts features with the course's preprocessing (short side to 256, the central 224) and trains a linear head. It is the control of the experiments below.

# %%
import tempfile
import cv2
import matplotlib.pyplot as plt
import mindspore as ms
import numpy as np
from mindspore import nn
from src_mindspore.data.prepare import prepare_photos
from src_mindspore.features.of_config import extract_splits, prepare_backbone

config = lab.config(head="linear", normalise=True, lr_max=0.005, weight_decay=0.01,
                    label_smoothing=0.0, image_height=224, image_width=224, resize=256,
                    interpolation="bilinear")
photos = prepare_photos(config, progress=False)
backbone = prepare_backbone(config)
caches = extract_splits(photos, backbone, config)

# %%
from src_mindspore.data.decode import load_rgb
from src_mindspore.data.preprocess import normalise, preprocess
from src_mindspore.heads.build import head_spec
from src_mindspore.training.head_of_config import make_trainer, split_of
from src_mindspore.training.losses import SoftmaxCrossEntropy

def trainer_for(config):
    spec = head_spec(config, backbone.channels, len(photos.classes), len(photos.splits["train"]))
    splits = [split_of(caches[name], spec, config) for name in ("train", "val")]
    return make_trainer(spec, *splits, caches["train"].index, config)

healthy = trainer_for(config)
list(healthy.run())
val_labels = caches["val"].labels
print(say(zh=f"验证集 {len(val_labels)} 张，准确率 {healthy.history[-1]['val_top1']:.1%}",
          en=f"val: {len(val_labels)} photos, accuracy {healthy.history[-1]['val_top1']:.1%}"))

# %% [markdown] lang="zh"
# 再准备几个小工具：`inputs_of` 按约定预处理照片；`logits_of` 让整个网络（骨干网络加分类头）回答一批输入；`values_of` 记下网络里所有参数的值；`bars` 画横条，绿色是对照，红色是可疑的。

# %% [markdown] lang="en"
# A few small tools: `inputs_of` preprocesses photos by the contract; `logits_of` lets the whole network (backbone and head) answer a batch of inputs; `values_of` notes the values of all parameters of a network; `bars` draws bars, the control in green and the suspects in red.

# %%
from src_mindspore.features.engines import MindSporeEngine

engine = MindSporeEngine(backbone, "mean+max", config.extract_batch_size)

def features_of(inputs):
    return np.concatenate([engine(inputs[i:i + 16])[:, :1280] for i in range(0, len(inputs), 16)])

def logits_of(inputs):
    prepared = healthy.head.prepare(ms.Tensor(features_of(inputs)))
    return healthy.head.dense(prepared).asnumpy()

def inputs_of(images):
    return np.stack([preprocess(image, backbone.preprocess) for image in images])

def values_of(network):
    return {p.name: p.asnumpy().copy() for p in network.get_parameters()}

# %%
val_photos = [load_rgb(photos.root / r.path) for r in photos.splits["val"]]
at_home = logits_of(inputs_of(val_photos)).argmax(1)
some = np.arange(0, len(val_photos), len(val_photos) // 26)[:26]
few = [val_photos[i] for i in some]

def bars(values, label, show="{:.1%}", control=0):
    figure, axis = plt.subplots(figsize=(8, 0.6 + 0.45 * len(values)))
    colours = ["#1a7a3c" if i == control else "#b3261e" for i in range(len(values))]
    drawn = axis.barh(list(values), list(values.values()), color=colours)
    axis.bar_label(drawn, [show.format(v) for v in values.values()], padding=4)
    axis.set(xlabel=label, xticks=(), xlim=(0, 1.18 * max(values.values())))
    axis.invert_yaxis()
    plt.show()

ACCURACY = say(zh="准确率", en="accuracy")

# %% [markdown] lang="zh"
# ## 1 一交上去就掉分
#
# 在自己的电脑上验证集分数很好，交上去却低了一截。评分程序用 `cv2.imread` 读照片，再交给你的 `predict(image)`。下面照样做一遍。

# %% [markdown] lang="en"
# ## 1 Lower as soon as it is graded
#
# At home the score on val is fine; handed in, it is clearly lower. The grader reads photos with `cv2.imread` and hands them to your `predict(image)`. The cell does the same.

# %%
def predict(image):
    logits = logits_of(preprocess(image, backbone.preprocess)[None])[0]
    return photos.classes.english[int(logits.argmax())]

graded = [cv2.imread(str(photos.root / r.path)) for r in photos.splits["val"]]
at_grader = logits_of(inputs_of(graded)).argmax(1)
changed = int((at_grader != at_home).argmax())
print(photos.classes.english[at_home[changed]], "->", predict(graded[changed]))
bars({say(zh="自己测", en="at home"): (at_home == val_labels).mean(),
      say(zh="评分程序", en="the grader"): (at_grader == val_labels).mean()}, ACCURACY)

# %%
figure, axes = plt.subplots(2, 6, figsize=(10, 3.6))
for column, number in enumerate(range(0, 120, 20)):
    for axis, images in zip(axes[:, column], (val_photos, graded), strict=True):
        axis.imshow(images[number])
        axis.set_axis_off()
axes[0, 0].set_title(say(zh="自己看到的", en="seen at home"), loc="left")
axes[1, 0].set_title(say(zh="predict 收到的", en="handed to predict"), loc="left")
plt.show()

# %% [markdown] lang="zh"
# **诊断**：两行照片差在哪里？形状没变，明暗也差不多。哪两样东西换了位置？改 `predict`，让它对评分程序交来的 `image` 给出正确回答。

# %% [markdown] lang="en"
# **Diagnosis**: how do the two rows differ? Shapes are the same, and brightness nearly so. Which two things have changed places? Repair `predict` so that it answers rightly what the grader hands over.

# %% tags=["exercise"] id="colour-order" points=2
def predict(image):
    # zh: image 是 cv2.imread 的结果：(H, W, 3) uint8；返回英文类名。
    # zh: 提示：preprocess 要的是 RGB。数组的哪一个轴是颜色？
    # en: image is what cv2.imread returns: (H, W, 3) uint8; return the English class name.
    # en: HINT: preprocess wants RGB. Which axis of the array is colour?
    ### BEGIN SOLUTION
    rgb = image[..., ::-1]
    logits = logits_of(preprocess(rgb, backbone.preprocess)[None])[0]
    return photos.classes.english[int(logits.argmax())]
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_seen, _logits_of = [], logits_of
def logits_of(inputs):
    _seen.append(np.asarray(inputs))
    return _logits_of(inputs)
_image = np.random.default_rng(3).integers(0, 256, (300, 260, 3), np.uint8)
_rgb = np.ascontiguousarray(_image[..., ::-1])
try:
    _given = predict(_image)
finally:
    logits_of = _logits_of
assert _given in photos.classes.english, say(
    zh=f"predict 返回了 {_given!r}；应当是英文类名。",
    en=f"predict returned {_given!r}; expected an English class name.")
_expected = logits_of(inputs_of([_rgb]))[0]
assert _seen, say(zh="请用 logits_of 来回答。", en="Use logits_of for the answer.")
assert not np.allclose(_seen[0], inputs_of([_image])), say(
    zh="网络看到的还是 BGR：红和蓝没有换回来。",
    en="The network still sees BGR: red and blue have not changed back.")
assert not np.allclose(_seen[0], inputs_of([_rgb[::-1]])) \
    and not np.allclose(_seen[0], inputs_of([_image[::-1]])), say(
    zh="你把照片上下翻过来了：颜色是最后一个轴。",
    en="You turned the photo upside down: colour is the last axis.")
assert np.allclose(_seen[0], inputs_of([_rgb]), atol=1e-4), say(
    zh="网络看到的和训练时不一样：颜色换回来，其余仍由 preprocess 来做。",
    en="The network does not see what it saw in training: swap the colours back and leave the "
       "rest to preprocess.")
assert _given == photos.classes.english[int(_expected.argmax())], say(
    zh="类名取错了：logits 最大的那一个。", en="The wrong name: take the largest logit.")
### END TESTS

# %% [markdown] lang="zh"
# 红蓝互换以后，照片在人眼里仍然认得出，网络也还能答对大半，所以它看起来像“运气不好”，而不像一个错误。程序画的图丢几分，真实照片要丢十分上下。课程的 2021 版交来 BGR，新版交来 RGB，动手之前先看清自己那一版的说明。

# %% [markdown] lang="en"
# With red and blue swapped a person still knows the things, and so does the network, mostly; it looks like bad luck and not like a mistake. On drawn pictures it costs a few points, on photos ten or more. The course's 2021 text hands over BGR, the current one RGB: read yours before you start.

# %% [markdown] lang="zh"
# ## 2 验证集考得太好
#
# 有人这样写：训练集 `create_dataset(config=config)`，验证集再建一个 `create_dataset(config=config)`。分数很漂亮。看看这份“验证集”里到底是什么。

# %% [markdown] lang="en"
# ## 2 A validation score too good
#
# Somebody wrote `create_dataset(config=config)` for training and made another one, `create_dataset(config=config)`, for validation. The score is lovely. Look at what this "validation set" holds.

# %%
from src_mindspore.dataset import create_dataset

eval_dataset = create_dataset(config=config)
first = next(eval_dataset.create_dict_iterator(num_epochs=1, output_numpy=True))
right = logits_of(first["image"]).argmax(1) == first["label"]
bars({say(zh="真正的验证集", en="the real val"): (at_home == val_labels).mean(),
      "eval_dataset": right.mean()}, ACCURACY)
print(say(zh=f"验证集有 {len(val_photos)} 张；", en=f"val has {len(val_photos)} photos; "),
      "eval_dataset:", eval_dataset.get_dataset_size() * config.batch_size)

# %%
figure, axes = plt.subplots(1, 6, figsize=(10, 2))
mean, std = (np.array(v).reshape(3, 1, 1) for v in (backbone.preprocess.mean, backbone.preprocess.std))
for axis, image, label in zip(axes, first["image"], first["label"], strict=False):
    pixels = (image * std + mean).clip(0, 255).astype(np.uint8)
    axis.imshow(pixels.transpose(1, 2, 0))
    axis.set_title(photos.classes.in_language(lab.language)[label], fontsize=9)
    axis.set_axis_off()
plt.show()

# %% [markdown] lang="zh"
# **诊断**：三条线索。张数不对；照片被裁过、翻过；类别的顺序是乱的。考试的卷子应当是什么样？看看 `help(create_dataset)` 里的默认参数。

# %% [markdown] lang="en"
# **Diagnosis**: three clues. The number is wrong; the photos are cropped and mirrored; the classes come in random order. What should an exam look like? Mind the default arguments in `help(create_dataset)`.

# %% tags=["exercise"] id="val-is-train" points=1
# zh: 把这一行修好。提示：create_dataset 怎么知道你要的是哪一个划分？
# en: Repair the line. HINT: how does create_dataset know which split you want?
### BEGIN SOLUTION
eval_dataset = create_dataset(config=config, training=False)
### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_rows = [r for r in eval_dataset.create_dict_iterator(num_epochs=1, output_numpy=True)]
_labels = np.concatenate([r["label"] for r in _rows])
assert len(_labels) % len(val_labels) == 0 and set(_labels) == set(val_labels), say(
    zh=f"共 {len(_labels)} 张，验证集有 {len(val_labels)} 张。",
    en=f"It has {len(_labels)} photos; val has {len(val_labels)}.")
assert len(_labels) == len(val_labels), say(
    zh="每张照片出现了不止一次；考题不重复，repeat 留给训练。",
    en="Every photo comes more than once; an exam does not repeat its questions.")
assert np.allclose(_rows[0]["image"][:3], inputs_of(val_photos[:3]), atol=1e-4), say(
    zh="照片和评估时的样子不同。", en="The photos do not look as they do in evaluation.")
### END TESTS

# %% [markdown] lang="zh"
# 一个默认参数，换来一个虚高的分数。养成习惯：拿到任何一个“验证集”，先数张数，再看几张。

# %% [markdown] lang="en"
# One default argument, and a score that means nothing. Make it a habit: whatever calls itself a validation set is first counted, then looked at.

# %% [markdown] lang="zh"
# ## 3 改了代码，结果一点没变
#
# 有人先前把 BGR 喂给了网络，现在改好了，重新提取特征，结果却和原来**分毫不差**。再换一个批大小，26 张照片竟得到 32 行特征。

# %% [markdown] lang="en"
# ## 3 The code has changed, the result has not
#
# Somebody had fed BGR to the network, has now repaired it and extracted the features again; the result is the same **to the last digit**. With another batch size, 26 photos give 32 rows.

# %%
def extract_features(batches, folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for i, batch in enumerate(batches):
        if not (folder / f"feature_{i}.npy").exists():
            np.save(folder / f"feature_{i}.npy", features_of(inputs_of(batch)))
    return np.concatenate([np.load(folder / f"feature_{i}.npy") for i in range(len(batches))])

def batches_of(images, size):
    return [images[i:i + size] for i in range(0, len(images), size)]

# %%
truth = features_of(inputs_of(few))
with tempfile.TemporaryDirectory() as folder:
    wrong = extract_features(batches_of([p[..., ::-1] for p in few], 13), folder)
    mended = extract_features(batches_of(few, 13), folder)
    other = extract_features(batches_of(few, 10), folder)
print(say(zh=f"批大小 10：{len(few)} 张照片，{len(other)} 行特征",
          en=f"batch size 10: {len(few)} photos, {len(other)} rows of features"))
bars({say(zh="不用缓存", en="without a cache"): 0.0,
      say(zh="BGR，第一次", en="BGR, first time"): np.abs(wrong - truth).max(),
      say(zh="改成 RGB 以后", en="repaired to RGB"): np.abs(mended - truth).max()},
     say(zh="特征的最大误差", en="largest error of a feature"), "{:.2f}")

# %% [markdown] lang="zh"
# **诊断**：`extract_features` 的哪一行决定“不用再算”？它问了什么，又没有问什么？
#
# 治本的办法是给缓存起一个好名字：凡是影响特征的设置，都要进名字。写 `cache_folder(root, settings)`：设置相同，名字相同；任何一项变了，名字就变。`settings` 是一个字典，里面可以再套字典。

# %% [markdown] lang="en"
# **Diagnosis**: which line of `extract_features` decides that nothing need be computed? What does it ask, and what not?
#
# The cure is a good name for the cache: every setting that decides the features must be in it. Write `cache_folder(root, settings)`: same settings, same name; anything changed, another name. `settings` is a dict, which may hold dicts.

# %% tags=["exercise"] id="stale-cache" points=2
def cache_folder(root, settings):
    # zh: 返回 Path：root 下的一个文件夹。
    # zh: 提示：src_mindspore.files.sha256_of_json；内置的 hash() 为什么不行？
    # en: Return a Path: a folder below root.
    # en: HINT: src_mindspore.files.sha256_of_json; and why does the builtin hash() not do?
    ### BEGIN SOLUTION
    from src_mindspore.files import sha256_of_json

    return Path(root) / sha256_of_json(settings)[:20]
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
import builtins
_a = {"batch_size": 32, "repeat": 1, "seed": 1, "backbone": "v2", "preprocess": {"resize": 256}}
_name = cache_folder("results", _a)
assert _name is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
assert Path(_name).parent == Path("results"), say(
    zh="应当是 root 下面的一个文件夹。", en="Expected a folder right below root.")
assert cache_folder("results", dict(reversed(_a.items()))) == _name, say(
    zh="同样的设置，只是换了顺序，名字就变了：白白重算。",
    en="The same settings in another order get another name: computed again for nothing.")
_hash = builtins.hash
# Python's hash() differs from run to run; here it is the same for all, and no help.
builtins.hash = lambda _: 7
try:
    _name = cache_folder("results", _a)
    for _key, _value in (("batch_size", 16), ("repeat", 8), ("seed", 2), ("backbone", "v3"),
                         ("preprocess", {"resize": 0}), ("colour", "BGR")):
        assert cache_folder("results", {**_a, _key: _value}) != _name, say(
            zh=f"改了 {_key}，名字却没变（或者用了 hash()：它每次启动 Python 都不同）。",
            en=f"{_key} changed and the name did not (or you use hash(), which differs in every "
               "run of Python).")
finally:
    builtins.hash = _hash
### END TESTS

# %% [markdown] lang="zh"
# 本项目的缓存就是这样命名的，所以它不会过期。如果你非要用“存在就跳过”，那么每改一处设置就得手工删一次缓存，而人总会忘的。

# %% [markdown] lang="en"
# This project names its caches that way, so they cannot be stale. With "skip what exists" somebody has to delete the cache by hand after every change, and one day forgets.

# %% [markdown] lang="zh"
# ## 4 三种预处理
#
# 训练时随机裁剪，评估时缩放再裁中间，`predict` 里有人图省事，直接 `cv2.resize` 成 224×224。三段代码，三个人写，各自都“能跑”。下面把照片加宽，像手机横着拍的一样，再来看。

# %% [markdown] lang="en"
# ## 4 Three kinds of preprocessing
#
# Training crops at random, evaluation resizes and crops the centre, and in `predict` somebody took the short way and called `cv2.resize` to 224×224. Three pieces of code by three people, and each of them "works". The cell widens the photos, as a phone held sideways takes them.

# %%
def to_input(image):
    return normalise(cv2.resize(image, (224, 224)), backbone.preprocess)

def widened(image):
    side = image.shape[1] // 3
    return cv2.copyMakeBorder(image, 0, 0, side, side, cv2.BORDER_REFLECT_101)

wide = [widened(image) for image in val_photos[::2]]
evaluated = logits_of(inputs_of(wide)).argmax(1)
asked = logits_of(np.stack([to_input(image) for image in wide])).argmax(1)
bars({say(zh="评估", en="evaluation"): (evaluated == val_labels[::2]).mean(),
      "predict": (asked == val_labels[::2]).mean()}, ACCURACY)

# %%
from src_mindspore.data.preprocess import resize_and_crop
from src_mindspore.features.of_config import train_views

image, path = wide[3], photos.splits["val"][6].path
views = {say(zh="照片", en="photo"): image,
         say(zh="训练", en="training"): train_views(config, backbone.preprocess).of(image, path, 1),
         say(zh="评估", en="evaluation"): resize_and_crop(image, backbone.preprocess),
         "predict": cv2.resize(image, (224, 224))}
figure, axes = plt.subplots(1, 4, figsize=(10, 2.6))
for axis, (title, view) in zip(axes, views.items(), strict=True):
    axis.imshow(view)
    axis.set_title(title)
    axis.set_axis_off()
plt.show()

# %% [markdown] lang="zh"
# **诊断**：最右边的物体怎么了？训练里的随机裁剪是有意为之，可以和评估不同；`predict` 和评估之间却不应有任何差别。

# %% [markdown] lang="en"
# **Diagnosis**: what happened to the thing on the far right? That training crops at random is intended and may differ from evaluation; between `predict` and evaluation there must be no difference at all.

# %% tags=["exercise"] id="one-preprocessing" points=1
def to_input(image):
    # zh: image 是 (H, W, 3) uint8 RGB，大小任意；返回 (3, 224, 224) float32，和评估时一样。
    # zh: 提示：最好的修法不是再写一遍。
    # en: image is (H, W, 3) uint8 RGB of any size; return (3, 224, 224) float32 as in evaluation.
    # en: HINT: the best repair does not write it once more.
    ### BEGIN SOLUTION
    return preprocess(image, backbone.preprocess)
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
for _shape in ((300, 500, 3), (500, 300, 3), (100, 100, 3), (257, 640, 3)):
    _image = np.random.default_rng(1).integers(0, 256, _shape, np.uint8)
    _given = to_input(_image)
    assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
    assert np.shape(_given) == (3, 224, 224), say(
        zh=f"形状是 {np.shape(_given)}，应当是 (3, 224, 224)。",
        en=f"The shape is {np.shape(_given)}, expected (3, 224, 224).")
    _plain = normalise(cv2.resize(_image, (224, 224)), backbone.preprocess)
    assert not np.allclose(_given, _plain, atol=1e-4), say(
        zh="照片还是被压扁了：宽和高的缩放比例不同。",
        en="The photo is still squeezed: width and height are scaled differently.")
    assert np.allclose(_given, preprocess(_image, backbone.preprocess), atol=1e-3), say(
        zh="长宽比对了，但仍和评估不同：先把短边缩到 256，再裁中间的 224，然后归一化。",
        en="The shape of things is right, but it still differs from evaluation: short side to "
           "256, the central 224, then normalise.")
### END TESTS

# %% [markdown] lang="zh"
# 预处理应当只有一份，作为**值**和模型一起保存、一起走。写第二遍，就迟早会有差别。

# %% [markdown] lang="en"
# There should be one preprocessing, kept as a *value* that is stored with the model and travels with it. Written twice, it will differ sooner or later.

# %% [markdown] lang="zh"
# ## 5 损失降不下去
#
# 这是课程给出的起点：10 轮，学习率 0.01 不变，动量 0.8，权重衰减 3.0。特征和健康的模型完全一样。

# %% [markdown] lang="en"
# ## 5 The loss that does not fall
#
# These are the settings the course starts from: 10 epochs, a constant learning rate of 0.01, momentum 0.8, weight decay 3.0. The features are those of the healthy model.

# %%
from src_mindspore.evaluation.plots import plot_history

start = dict(preset="course_default", image_height=224, image_width=224)
stuck = trainer_for(lab.config(**start))
list(stuck.run())
largest = [float(np.abs(t.head.dense.weight.asnumpy()).max()) for t in (healthy, stuck)]
print(say(zh="最大的权重：健康 {:.3f}，卡住 {:.4f}", en="largest weight: healthy {:.3f}, stuck {:.4f}")
      .format(*largest))
lab.show(plot_history, stuck.history)

# %% [markdown] lang="zh"
# **诊断**：26 类瞎猜，损失是 $\ln 26 \approx 3.26$；这里降到 2.8 左右就再也不动，训练集也是一样，所以不是过拟合。看看最大的权重：是什么让它长不大？嫌疑人有四个：轮数太少、学习率不衰减、优化器不好、权重衰减太大。**一次只改一项**，找出真凶。

# %% [markdown] lang="en"
# **Diagnosis**: guessing among 26 classes costs a loss of $\ln 26 \approx 3.26$. Here it falls to about 2.8 and stays, on train as well, so it is not overfitting. Look at the largest weight: what keeps it so small? There are four suspects: too few epochs, a learning rate that does not fall, the optimizer, the weight decay. **Change one at a time** and find the culprit.

# %% tags=["exercise"] id="weight-decay" points=2
# zh: repair 恰好含一个键和它的新值；试几个，再决定。
# zh: 提示：每一步权重先乘以 1 - lr × weight_decay。十轮共几百步，连乘起来是多少？
# en: repair holds exactly one key with its new value; try several before you decide.
# en: HINT: every step first multiplies the weights by 1 - lr × weight_decay. And after hundreds?
### BEGIN SOLUTION
repair = dict(weight_decay=4e-5)
### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
assert isinstance(repair, dict) and len(repair) == 1 and set(repair) <= set(config), say(
    zh="repair 应当恰好有一个键，而且是 config.py 里的键。",
    en="repair must have exactly one key, one of config.py.")
_trainer = trainer_for(lab.config(**start, **repair))
list(_trainer.run())
_before, _after = stuck.history[-1]["train_loss"], _trainer.history[-1]["train_loss"]
assert _after < 0.6 * _before, say(
    zh=f"训练损失从 {_before:.2f} 变成 {_after:.2f}，病根还在。准确率会晃动，要看损失；权重为什么长不大？",
    en=f"The training loss went from {_before:.2f} to {_after:.2f}: the root is still there. "
       "Accuracy wobbles, so watch the loss; what keeps the weights small?")
### END TESTS

# %%
# zh: 做完练习再运行
# en: run it after the exercise
if "repair" in globals():
    ladder = {say(zh="课程起点", en="the start"): {}, "epochs 40": {"epochs": 40},
              "cosine": {"decay_type": "cosine"}, "adam": {"optimizer": "adam"}, "repair": repair}
    losses = {}
    for name, change in ladder.items():
        trainer = trainer_for(lab.config(**start, **change))
        losses[name] = list(trainer.run())[-1]["train_loss"]
    bars(losses, say(zh="最后的训练损失", en="training loss at the end"), "{:.2f}", len(losses) - 1)

# %% [markdown] lang="zh"
# 权重衰减 3.0、学习率 0.01：每一步权重缩小 3 %，一百步以后只剩百分之五。数据把权重往外推，衰减把它往回拉，很快就达成平衡，再多练几轮也停在原地。权重这么小，概率就总是接近平均，只要一点噪声，名次就会变。

# %% [markdown] lang="en"
# With a weight decay of 3.0 and a learning rate of 0.01 every step shrinks the weights by 3 %; after a hundred steps a twentieth is left. The data push outwards, the decay pulls back, they soon balance, and more epochs only stay there. With weights so small all probabilities are nearly the same, and a little noise changes who comes first.

# %% [markdown] lang="zh"
# ## 6 分不出高下的分类头
#
# 这个分类头来自一份流传很广的代码：权重全部初始化为 1，没有偏置，最后还加了 Softmax。损失函数是通常的 softmax 交叉熵。

# %% [markdown] lang="en"
# ## 6 A head that cannot decide
#
# This head comes from code that is copied a lot: all weights start at 1, there is no bias, and a Softmax stands at the end. The loss is the usual softmax cross-entropy.

# %%
def make_head(classes):
    return nn.SequentialCell(nn.Dense(1280, classes, weight_init="ones", has_bias=False),
                             nn.Softmax(axis=1))

broken_head = make_head(26)
rows, labels = ms.Tensor(healthy.train.rows), ms.Tensor(healthy.train.labels)
print(broken_head(rows[:1]).asnumpy().round(4)[0, :6], "...")

# %%
def losses_of(head, steps=60):
    network = nn.WithLossCell(head, SoftmaxCrossEntropy(26))
    optimizer = nn.Momentum(head.trainable_params(), 0.02, 0.9)
    step = nn.TrainOneStepCell(network, optimizer).set_train()
    return [float(step(rows, labels).asnumpy()) for _ in range(steps)]

plt.figure(figsize=(8, 3))
plt.plot(losses_of(broken_head), color="#b3261e")
plt.axhline(np.log(26), color="grey", linestyle=":", label=say(zh="瞎猜：ln 26", en="guessing: ln 26"))
plt.xlabel(say(zh="步", en="step"))
plt.ylabel(say(zh="损失", en="loss"))
plt.ylim(0, 3.6)
plt.legend()
plt.show()

# %% [markdown] lang="zh"
# **诊断**：训练之前，26 个输出完全相等；训练时先是半天不动，后来降了一截又停住了，离零还远得很。请算一算：分类头输出的是 0 到 1 之间的数，损失函数会对它们**再做一次 softmax**。就算它百分之百确定并且答对了，最小的损失是多少？

# %% [markdown] lang="en"
# **Diagnosis**: before training the 26 outputs are equal. In training the loss does not move for a while, then falls a little and stops, far from zero. Work it out: the head answers with numbers between 0 and 1, and the loss applies **softmax to them again**. If the head is one hundred per cent sure, and right, how small can the loss become?

# %% tags=["exercise"] id="squashed-floor" points=1
# zh: 26 类，正确类别输出 1，其余输出 0，再经过 softmax 交叉熵：损失是多少？
# zh: 提示：写出再次 softmax 之后正确类别的概率。
# en: 26 classes; the right one is answered with 1, the others with 0, then softmax cross-entropy.
# en: HINT: write down the right class's probability after the second softmax.
### BEGIN SOLUTION
floor = float(-np.log(np.e / (np.e + 25)))
### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
assert abs(floor) > 1e-6, say(
    zh="0 是只做一次 softmax 时的下限；这里做了两次。",
    en="0 is the floor of one softmax; here there are two.")
assert abs(floor - float(-np.log(np.e / (np.e + 25)))) < 0.005, say(
    zh="正确类别的概率是 e¹ / (e¹ + 25·e⁰)，损失是它的负对数。",
    en="The right class has the probability e¹ / (e¹ + 25·e⁰); the loss is its negative logarithm.")
### END TESTS

# %% [markdown] lang="zh"
# 现在修好 `make_head`。它返回一个 `Cell`：输入 `(N, 1280)`，输出 `(N, classes)`。

# %% [markdown] lang="en"
# Now repair `make_head`. It returns a Cell: (N, 1280) goes in and (N, classes) comes out.

# %% tags=["exercise"] id="head" points=2
def make_head(classes):
    # zh: 提示：三处都要改。损失函数要的是什么？
    # en: HINT: three changes. What does the loss want?
    ### BEGIN SOLUTION
    return nn.Dense(1280, classes)
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_head = make_head(26)
assert _head is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
_out = _head(rows[:8]).asnumpy()
assert _out.shape == (8, 26), say(
    zh=f"输出形状是 {_out.shape}。", en=f"The output has the shape {_out.shape}.")
assert not np.allclose(_out.sum(1), 1, atol=1e-3), say(
    zh="每行加起来等于 1：Softmax 还在。损失函数自己会做，这里要给它 logits。",
    en="Rows sum to 1: the Softmax is still there. The loss does that itself and wants logits.")
assert min(p.asnumpy().std() for p in _head.trainable_params() if p.ndim == 2) > 1e-4, say(
    zh="权重的初始值仍然全都一样：权重一样，所有类别就一样。",
    en="The weights still start all alike: equal weights make equal classes.")
assert [p for p in _head.trainable_params() if p.ndim == 1], say(zh="还缺偏置。", en="The bias is still missing.")
_losses = losses_of(_head)
assert _losses[-1] < 1, say(
    zh=f"训练 60 步之后损失仍有 {_losses[-1]:.2f}。",
    en=f"After 60 steps the loss is still {_losses[-1]:.2f}.")
### END TESTS

# %%
# zh: 做完上面两题再运行
# en: run it after the two exercises
if "floor" in globals() and make_head(26) is not None:
    plt.figure(figsize=(8, 3))
    plt.plot(losses_of(make_head(26)), color="#1a7a3c", label=say(zh="修好的", en="repaired"))
    plt.axhline(floor, color="#b3261e", linestyle="--", label=say(
        zh=f"两次 softmax 的下限 {floor:.2f}", en=f"floor of two softmaxes {floor:.2f}"))
    plt.xlabel(say(zh="步", en="step"))
    plt.ylabel(say(zh="损失", en="loss"))
    plt.legend()
    plt.show()

# %% [markdown] lang="zh"
# 三处里最伤人的是 Softmax：两次压缩之后，损失有一个很高的下限，梯度也小得可怜。全 1 的初始值在单层上还能自己走出来，因为每一类的梯度不同；多一层就走不出来了，同一层的神经元永远一模一样。

# %% [markdown] lang="en"
# The Softmax hurts most: squashed twice, the loss has a high floor and the gradient is tiny. A single layer can leave its all-ones start by itself, since every class has another gradient; with one more layer it cannot, for the neurons of a layer would stay alike for ever.

# %% [markdown] lang="zh"
# ## 7 消失的照片
#
# 同一个模型、同一份验证集，只换了评估时的批大小，准确率就变了。

# %% [markdown] lang="en"
# ## 7 Photos that vanish
#
# The same model and the same val; only the batch size of the evaluation differs, and so does the accuracy.

# %%
def accuracy(right, batch_size):
    batches = [right[i:i + batch_size]
               for i in range(0, len(right) - batch_size + 1, batch_size)]
    return float(np.concatenate(batches).mean()), sum(map(len, batches))

right = at_home == val_labels
sizes = range(1, len(right) + 1)
scores, judged = zip(*[accuracy(right, size) for size in sizes], strict=True)
figure, (top, bottom) = plt.subplots(2, 1, figsize=(8, 4.4), sharex=True)
top.plot(sizes, scores, color="#b3261e")
top.set_ylabel(ACCURACY)
bottom.plot(sizes, judged, color="#444444")
bottom.set(xlabel=say(zh="批大小", en="batch size"), ylabel=say(zh="判了几张", en="photos judged"))
plt.show()

# %%
left_out = np.bincount(val_labels[accuracy(right, 100)[1]:], minlength=len(photos.classes))
names = photos.classes.in_language(lab.language)
print(say(zh="批大小 100 时，没有判的照片：", en="not judged with a batch size of 100:"),
      ", ".join(f"{names[i]} {left_out[i]}" for i in np.flatnonzero(left_out)))

# %% [markdown] lang="zh"
# **诊断**：为什么丢的总是同样几类？为什么训练时这样做无妨，评估时却不行？（MindSpore 里对应的参数是 `drop_remainder=True`。）

# %% [markdown] lang="en"
# **Diagnosis**: why are always the same classes lost? And why does it do no harm in training, but in evaluation it does? (In MindSpore the argument is `drop_remainder=True`.)

# %% tags=["exercise"] id="dropped-batch" points=1
def accuracy(right, batch_size):
    # zh: right 是 (N,) 布尔数组；一批一批地算，返回 (准确率, 判了几张)，与批大小无关。
    # zh: 提示：最后一批可以短一些；各批准确率的平均，是总的准确率吗？
    # en: right is a (N,) bool array; go batch by batch and return (accuracy, photos judged), which
    # en: do not depend on batch_size. HINT: the last batch may be short; is the mean of the
    # en: batches' accuracies the accuracy?
    ### BEGIN SOLUTION
    correct = judged = 0
    for first in range(0, len(right), batch_size):
        batch = right[first:first + batch_size]
        correct += int(batch.sum())
        judged += len(batch)
    return correct / judged, judged
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_right = np.array([True] * 8 + [False] * 2)
assert accuracy(_right, 4) is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
for _size in (1, 3, 4, 7, 10, 64):
    _score, _judged = accuracy(_right, _size)
    assert _judged == 10, say(
        zh=f"批大小 {_size}：判了 {_judged} 张，一共有 10 张。",
        en=f"Batch size {_size}: {_judged} photos judged, there are 10.")
    assert abs(_score - 0.8) < 1e-9, say(
        zh=f"批大小 {_size}：{_score:.3f}，应为 0.8。短的一批不能和整批同样算分：先加总，再相除。",
        en=f"Batch size {_size}: {_score:.3f}, expected 0.8. A short batch must not weigh as much "
           "as a whole one: add up first, divide afterwards.")
### END TESTS

# %% [markdown] lang="zh"
# 验证集按类别排列，所以末尾丢掉的总是最后几类。训练时每轮重新打乱，这一轮丢的下一轮还会再来；评估只有一次。

# %% [markdown] lang="en"
# Val is in the order of its classes, so what falls off the end is always the last of them. Training shuffles anew in every epoch, and what is lost in one comes in the next; an evaluation happens once.

# %% [markdown] lang="zh"
# ## 8 磁盘满了
#
# 训练只改分类头，程序却每一轮都把整个网络存一遍。

# %% [markdown] lang="en"
# ## 8 The disk is full
#
# Training changes the head alone, and yet every epoch saves the whole network.

# %%
from src_mindspore.mobilenetv2 import mobilenet_v2

def save_every_epoch(network, epochs, folder):
    for epoch in range(1, epochs + 1):
        ms.save_checkpoint(network, f"{folder}/epoch_{epoch}.ckpt")

whole = mobilenet_v2(backbone.cell, healthy.head)
with tempfile.TemporaryDirectory() as folder:
    save_every_epoch(whole, 3, folder)
    written = sum(p.stat().st_size for p in Path(folder).iterdir()) / 3 / 1e6
head_size = sum(p.size * 4 for p in healthy.head.dense.get_parameters()) / 1e6
bars({say(zh="50 轮中改变的", en="what changed in 50 epochs"): 50 * head_size,
      say(zh="50 轮写下的", en="what 50 epochs write"): 50 * written}, "MB", "{:.0f} MB")

# %% [markdown] lang="zh"
# **诊断**：写下的东西里，有多少每一轮都一样？又有多少以后真的用得上？改写保存的函数：只存会变的部分，只留最好的一轮。

# %% [markdown] lang="en"
# **Diagnosis**: how much of what is written is the same every time? And how much of it will anyone need? Write the saving anew: only what changes, and only the best epoch.

# %% tags=["exercise"] id="checkpoints" points=2
def save_epoch(head, top1, best, folder):
    # zh: head 是 Cell；best 是调用者保管的字典，开始时是空的，记住至今最好的准确率。
    # zh: 只有严格更好时，才把 head 写到 folder/best.ckpt（并列时留最早的）；返回是否写了。
    # en: head is a Cell; best is a dict that the caller keeps, empty at first: remember the best
    # en: accuracy in it. Write head to folder/best.ckpt only if it is strictly better (of equals
    # en: the earliest stays); return whether you wrote.
    ### BEGIN SOLUTION
    if top1 <= best.get("top1", -1):
        return False
    best["top1"] = top1
    ms.save_checkpoint(head, f"{folder}/best.ckpt")
    return True
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_head, _best, _wrote = nn.Dense(8, 3), {}, []
with tempfile.TemporaryDirectory() as _folder:
    for _epoch, _top1 in enumerate((0.5, 0.8, 0.7, 0.8), 1):
        _head.weight.set_data(ms.Tensor(np.full((3, 8), _epoch, np.float32)))
        _wrote.append(bool(save_epoch(_head, _top1, _best, _folder)))
    _files = list(Path(_folder).rglob("*.*"))
    assert [p.name for p in _files] == ["best.ckpt"], say(
        zh=f"文件夹里有 {sorted(p.name for p in _files)}，应当只有 best.ckpt。",
        en=f"The folder holds {sorted(p.name for p in _files)}, expected best.ckpt alone.")
    assert _files[0].stat().st_size < 2000, say(
        zh="文件太大：只存 head。", en="The file is too large: save head alone.")
    _kept = int(ms.load_checkpoint(str(_files[0]))["weight"].asnumpy()[0, 0])
assert _kept != 4 or _wrote[2], say(
    zh="第 2、4 轮并列，应当留最早的。", en="Epochs 2 and 4 are equal; the earliest stays.")
assert _kept == 2 and _wrote == [True, True, False, False], say(
    zh=f"准确率是 0.5, 0.8, 0.7, 0.8：留下的是第 {_kept} 轮，应为第 2 轮。",
    en=f"For 0.5, 0.8, 0.7, 0.8 epoch {_kept} was kept, expected epoch 2.")
### END TESTS

# %% [markdown] lang="zh"
# ## 9 说是解冻了
#
# “我微调了**整个网络**”，代码里骨干网络和分类头也确实连在一起训练。训练一步，数一数有多少参数动了。

# %% [markdown] lang="en"
# ## 9 Unfrozen, they say
#
# "I fine-tuned the **whole network**", and indeed backbone and head are composed and trained together. Train one step and count the parameters that moved.

# %%
from src_mindspore.mobilenetv2 import MobileNetV2Head

def whole_network():
    return mobilenet_v2(prepare_backbone(config).cell, MobileNetV2Head(1280, num_classes=26))

def moved_by_a_step(network, parameters):
    before = values_of(network)
    optimizer = nn.Momentum(parameters, 0.01, 0.9)
    step = nn.TrainOneStepCell(nn.WithLossCell(network, SoftmaxCrossEntropy(26)), optimizer)
    step.set_train()(small, small_labels)
    after = values_of(network)
    return {name for name in before if not np.array_equal(before[name], after[name])}

# %%
small = ms.Tensor(np.ascontiguousarray(inputs_of(few)[:8, :, ::2, ::2]))
small_labels = ms.Tensor(val_labels[some][:8])
network = whole_network()
moved = moved_by_a_step(network, network.head.trainable_params())
learnt = [name for name in values_of(network) if "moving" not in name]
bars({say(zh="网络里的参数", en="in the network"): len(learnt),
      say(zh="动过的", en="moved"): len(moved & set(learnt))},
     say(zh="参数张量", en="parameter tensors"), "{:.0f}")
print(say(zh="另外动了的 BatchNorm 统计量：", en="statistics of BatchNorm that moved besides:"),
      len(moved - set(learnt)))

# %% [markdown] lang="zh"
# **诊断**：谁决定哪些参数会被更新？这里上了**两道锁**：一道是交给优化器的列表，另一道是每个参数自己的 `requires_grad`（本项目的骨干网络一加载就是冻结的）。只开一道没有用。
#
# 还有一件怪事：一个权重都没动，BatchNorm 的统计量却变了。第 14 节会再遇到它。

# %% [markdown] lang="en"
# **Diagnosis**: who decides which parameters are updated? There are **two locks**: the list handed to the optimizer, and each parameter's own `requires_grad` (this project's backbone is loaded frozen). Opening one of them is not enough.
#
# And a strange thing: no weight of the backbone moved, but the statistics of its BatchNorm did. They come back in section 14.

# %% tags=["exercise"] id="unfreeze" points=2
def parameters_to_train(network):
    # zh: 解冻整个网络，返回交给优化器的参数列表。
    # zh: 提示：BatchNorm 的 moving_mean 和 moving_variance 是统计出来的，不是学出来的。
    # en: Unfreeze the whole network; return the list of parameters for the optimizer.
    # en: HINT: moving_mean and moving_variance of BatchNorm are counted, not learnt.
    ### BEGIN SOLUTION
    for parameter in network.get_parameters():
        parameter.requires_grad = "moving" not in parameter.name
    return network.trainable_params()
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_network = whole_network()
_chosen = parameters_to_train(_network)
assert _chosen is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
_chosen = list(_chosen)
_names = {p.name for p in _chosen}
assert len(_names) > 2, say(
    zh="列表里只有分类头：trainable_params() 只给出 requires_grad 为 True 的参数。",
    en="The list holds the head alone: trainable_params() gives only what has requires_grad.")
assert not [n for n in _names if "moving" in n], say(
    zh="moving_mean、moving_variance 不应交给优化器。",
    en="moving_mean and moving_variance do not belong to the optimizer.")
assert _names == set(learnt), say(
    zh=f"{len(_names)} 个，应为 {len(learnt)} 个：骨干网络和分类头都要。",
    en=f"{len(_names)} tensors, expected {len(learnt)}: those of the backbone and of the head.")
assert all(p.requires_grad for p in _chosen), say(
    zh="列表对了，可是它们的 requires_grad 还是 False。",
    en="The list is right, but their requires_grad is still False.")
_moved = moved_by_a_step(_network, _chosen)
assert len(_moved & set(learnt)) > 0.9 * len(learnt), say(
    zh=f"训练一步之后只有 {len(_moved & set(learnt))} 个动了。",
    en=f"After a step only {len(_moved & set(learnt))} have moved.")
### END TESTS

# %% [markdown] lang="zh"
# “解冻了”不是一句话，而是一个可以检查的事实：训练一步，比较前后。以后每次微调，都值得先花这几秒钟。

# %% [markdown] lang="en"
# "Unfrozen" is not an opinion but a fact that can be checked: train one step and compare. It is worth the few seconds at the start of every fine-tuning.

# %% [markdown] lang="zh"
# ## 10 考题漏进了训练集
#
# 公开的数据有一版，“蛋壳”类的训练文件夹是空的；有人为了补上它，把五张验证照片复制了四遍放进去。看看这一类考得怎么样。

# %% [markdown] lang="en"
# ## 10 The exam was in the textbook
#
# In one edition of the published data the train folder of *Eggshell* is empty. Somebody filled it with four copies of each of the five val photos. See how well this class does.

# %%
from src_mindspore.training.loop import HeadTrainer, Split

egg = photos.classes.english.index("Eggshell")

def recall_of_egg(rows, labels):
    head = head_spec(config, 1280, 26, len(labels)).build("he", config.seed)
    head.prepare.mean.set_data(healthy.head.prepare.mean)
    head.prepare.scale.set_data(healthy.head.prepare.scale)
    trainer = HeadTrainer(head, Split(rows, labels), Split(raw_val, val_labels), config)
    trainer.train_to_the_end()
    answers = trainer.logits(trainer.val).argmax(1)
    return (answers[val_labels == egg] == egg).mean()

# %%
raw_train, raw_val = (caches[name].features(slice(0, 1280)) for name in ("train", "val"))
train_labels = caches["train"].labels
others, eggs = train_labels != egg, val_labels == egg
planted = np.concatenate([raw_train[others], *[raw_val[eggs]] * 4])
planted_labels = np.concatenate([train_labels[others], *[val_labels[eggs]] * 4])
bars({say(zh="正常的训练集", en="train as it is"): recall_of_egg(raw_train, train_labels),
      say(zh="没有蛋壳", en="none"): recall_of_egg(raw_train[others], train_labels[others]),
      say(zh="验证照片的副本", en="copies of val"): recall_of_egg(planted, planted_labels)},
     say(zh="验证集中认出的蛋壳", en="eggshells of val recognised"))

# %% [markdown] lang="zh"
# **诊断**：第三行的满分说明了什么，又什么都没有说明？现在写一个清理训练集的函数。注意：副本的文件名多半和原来不同，甚至可能放在别的类别里。

# %% [markdown] lang="en"
# **Diagnosis**: what does the full score of the third bar show, and what does it not? Now write a function that cleans train. Mind that a copy seldom keeps the file's name, and may even lie in another class.

# %% tags=["exercise"] id="leak" points=2
def without_leaks(train, val, count):
    # zh: train、val 是记录的列表，每条有 path、label、sha256；count 是类别数。
    # zh: 返回（干净的训练列表, 清理后没有照片的类别编号列表）。验证集不动。
    # en: train and val are lists of records with path, label and sha256; count is the number of
    # en: classes. Return (the clean train list, the labels left without a photo). Val stays.
    ### BEGIN SOLUTION
    asked = {record.sha256 for record in val}
    kept = [record for record in train if record.sha256 not in asked]
    present = {record.label for record in kept}
    return kept, [label for label in range(count) if label not in present]
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
from types import SimpleNamespace as _Record
_train = [_Record(path=f"train/{i}.jpg", label=i // 3, sha256=f"t{i}") for i in range(6)]
_val = [_Record(path=f"val/{i}.jpg", label=i, sha256=f"v{i}") for i in range(3)]
_train[0].path = "train/same_name.jpg"
_val[0].path = "val/same_name.jpg"
_copies = [_Record(path="train/copy.jpg", label=2, sha256="v2"),
           _Record(path="train/elsewhere.jpg", label=0, sha256="v1")]
_given = without_leaks([*_train, *_copies], _val, 3)
assert _given is not None and len(_given) == 2, say(
    zh="应当返回两样东西。", en="Expected two things.")
_kept, _empty = _given
assert _copies[0] not in _kept, say(
    zh="改了名字的副本还在：比较内容（sha256），不要比较文件名。",
    en="A renamed copy is still there: compare contents (sha256) and not names.")
assert _copies[1] not in _kept, say(
    zh="放在别的类别里的副本还在。", en="A copy under another class is still there.")
assert len(_kept) == 6, say(
    zh="删掉了不该删的：文件名相同，内容不一定相同。",
    en="Too much is gone: files of the same name need not have the same content.")
assert list(_empty) == [2], say(
    zh=f"没有照片的类别应为 [2]，得到 {list(_empty)}。",
    en=f"Expected [2] as the classes without a photo, got {list(_empty)}.")
### END TESTS

# %% [markdown] lang="zh"
# 逐字节相同的副本用 sha256 就能查出来；缩放过、重新压缩过的要看内容，`prepare_photos` 两种都查。清理之后某一类空了，也要说出来：这一类谁也教不会，只能去找照片。

# %% [markdown] lang="en"
# Copies byte for byte are found by their SHA-256; resized or saved again, they need a look at the picture. `prepare_photos` does both. And if a class is empty afterwards, say so: nobody can teach it, the only cure is photos.

# %% [markdown] lang="zh"
# ## 11 慢吞吞的缓存
#
# 缓存是为了快，可这份缓存每一批占 8 MB，每一步都要重新读，训练反而卡在硬盘上。

# %% [markdown] lang="en"
# ## 11 A cache that crawls
#
# A cache is there for speed. But a batch of this one takes 8 MB, and every step reads one again; training waits for the disk.

# %%
maps = backbone.cell.set_train(False)(ms.Tensor(inputs_of(val_photos[:32]))).asnumpy()
print("maps:", maps.shape, f"{maps.nbytes / 1e6:.1f} MB")
batches = len(caches["train"].labels) // 32 + 1
figure, axes = plt.subplots(1, 2, figsize=(9, 2.6), width_ratios=(1, 2.2))
axes[0].imshow(maps[0, maps[0].mean((1, 2)).argmax()])
axes[0].set_title(say(zh="一个通道，7×7", en="one channel, 7×7"))
axes[0].set_axis_off()
axes[1].plot(range(41), np.arange(41) * batches * maps.nbytes / 1e9, color="#b3261e")
axes[1].set(xlabel=say(zh="轮次", en="epoch"), ylabel=say(zh="读了多少 GB", en="GB read"))
plt.show()

# %% [markdown] lang="zh"
# **诊断**：分类头的第一步是对 7×7 个位置取平均。这一步有要学的参数吗？训练中会变吗？那么它该放在缓存之前，还是之后？

# %% [markdown] lang="en"
# **Diagnosis**: the head's first step is the mean over 7×7 places. Does that step learn anything? Does it change in training? Then should it come before the cache, or after it?

# %% tags=["exercise"] id="unpooled" points=1
def to_cache(maps):
    # zh: maps 是 (N, 1280, 7, 7) float32；返回值得存的、小得多的数组，float32。
    # en: maps is (N, 1280, 7, 7) float32; return the much smaller float32 array worth storing.
    ### BEGIN SOLUTION
    return maps.mean(axis=(2, 3))
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_given = to_cache(maps)
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
_given = np.asarray(_given)
assert _given.size == 32 * 1280, say(
    zh=f"得到 {_given.shape}：每张照片应剩 1280 个数，每个通道一个。",
    en=f"Got {_given.shape}: every photo should keep 1280 numbers, one a channel.")
assert _given.dtype == np.float32, say(
    zh=f"类型是 {_given.dtype}，比 float32 占的地方多（或精度不够）。",
    en=f"The type is {_given.dtype}; expected float32.")
_given = _given.reshape(32, 1280)
assert not np.allclose(_given, maps.max((2, 3)), atol=1e-4), say(
    zh="这是最大值；这个分类头是用平均值训练的。",
    en="That is the maximum; this head was trained on the mean.")
assert np.allclose(_given, maps.mean((2, 3)), atol=1e-5), say(
    zh="数值不对：应当对高和宽两个轴取平均，并保持照片和通道的顺序。",
    en="Other values: take the mean over height and width, photos and channels in order.")
### END TESTS

# %% [markdown] lang="zh"
# 小了 49 倍，结果一个数都不变。原则：**凡是训练中不变的计算，都放到缓存之前。** 小到能放进内存以后，训练时连硬盘也不必读了。

# %% [markdown] lang="en"
# 49 times smaller, and not one figure changes. The rule: **whatever training does not change belongs before the cache.** Small enough for the memory, it need not be read from disk in training at all.

# %% [markdown] lang="zh"
# ## 12 幸运的一轮
#
# 训练 30 轮，挑验证准确率最高的一轮，把这个最高分当作成绩报告出去。验证照片很少时，会发生什么？下面只用 32 张照片来挑，再看挑中的那一轮在**其余**照片上的表现，随机重复 2000 次。

# %% [markdown] lang="en"
# ## 12 The lucky epoch
#
# Thirty epochs, and the highest validation accuracy is reported as the result. What happens where val is small? The cell chooses on 32 photos only and looks at the chosen epoch on **the others**, 2000 times over.

# %%
noisy = trainer_for(lab.config(head="linear", normalise=True, image_height=224, image_width=224,
                               lr_max=0.05, decay_type="constant", epochs=30))
correct, loss = [], []
for _ in noisy.run():
    logits = noisy.logits(noisy.val).astype(np.float64)
    correct.append(logits.argmax(1) == val_labels)
    top = logits.max(1)
    loss.append(np.log(np.exp(logits - top[:, None]).sum(1)) + top
                - logits[np.arange(len(logits)), val_labels])
correct, loss = np.array(correct), np.array(loss)
print("correct:", correct.shape, "loss:", loss.shape)

# %%
rng, optimism = np.random.default_rng(1), []
for _ in range(2000):
    order = rng.permutation(len(val_labels))
    chosen_on, others = order[:32], order[32:]
    best = correct[:, chosen_on].mean(1).argmax()
    optimism.append(correct[best, chosen_on].mean() - correct[best, others].mean())
figure, axis = plt.subplots(figsize=(8, 2.8))
axis.hist(100 * np.array(optimism), bins=30, color="#d95f02")
axis.axvline(0, color="black", linewidth=1)
axis.axvline(100 * np.mean(optimism), color="#b3261e", linestyle="--")
axis.set(xlabel=say(zh="报告的分数比别的照片高多少（百分点）",
                    en="reported score minus score on other photos (points)"))
plt.show()
print(say(zh="平均虚高", en="too high on average:"), f"{100 * np.mean(optimism):.1f}")

# %% [markdown] lang="zh"
# **诊断**：虚线为什么在零的右边？每一轮都没有作弊，只是我们从三十个带噪声的数里挑了最大的。
#
# 修法有两条：用来挑选的照片不再用来报告；并列（照片少时经常并列）要有事先定好的规则。

# %% [markdown] lang="en"
# **Diagnosis**: why is the dashed line right of zero? No epoch cheated; we took the largest of thirty noisy figures.
#
# The repair has two parts: photos that chose do not report; and ties, which are common among few photos, have a rule that was fixed beforehand.

# %% tags=["exercise"] id="lucky-epoch" points=2
def pick_and_report(correct, loss, choosing):
    # zh: correct (E, N) 布尔，loss (E, N)，choosing (N,) 布尔：哪些照片用来挑选。
    # zh: 挑选：准确率最高；并列取平均损失最低；再并列取最早。
    # zh: 返回（第几轮，从 0 数；它在其余照片上的准确率）。
    # en: correct (E, N) bool, loss (E, N), choosing (N,) bool: which photos choose. The highest
    # en: accuracy wins; of equals the lowest mean loss; of equals again the earliest.
    # en: Return (the epoch, from 0; its accuracy on the other photos).
    ### BEGIN SOLUTION
    top1 = correct[:, choosing].mean(axis=1)
    losses = loss[:, choosing].mean(axis=1)
    best = min(range(len(top1)), key=lambda epoch: (-top1[epoch], losses[epoch], epoch))
    return best, float(correct[best, ~choosing].mean())
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_rng = np.random.default_rng(5)
_correct, _choosing = _rng.random((6, 40)) < 0.5, np.arange(40) % 2 == 0
_loss = np.ones((6, 40))
_correct[:, _choosing] = False
for _epoch, _hits in enumerate((10, 15, 15, 15, 12, 3)):
    _correct[_epoch, np.flatnonzero(_choosing)[:_hits]] = True
_loss[2:4, _choosing], _loss[4, _choosing], _loss[1, ~_choosing] = 0.5, 0.1, 0.0
_given = pick_and_report(_correct, _loss, _choosing)
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
_epoch, _score = _given
assert _epoch != 4, say(zh="损失最低的不一定最准：先比准确率。",
                        en="The lowest loss need not be the most accurate: accuracy comes first.")
assert _epoch != 1, say(
    zh="第 1、2、3 轮并列：在用来挑选的照片上比较平均损失。",
    en="Epochs 1, 2 and 3 are equal: compare the mean loss on the choosing photos.")
assert _epoch != 3, say(zh="损失也并列时取最早的。", en="Equal in loss too: the earliest wins.")
assert _epoch == 2, say(zh=f"挑了第 {_epoch} 轮，应为第 2 轮（从 0 数）。",
                        en=f"It chose epoch {_epoch}, expected 2 (from 0).")
assert abs(_score - _correct[2, _choosing].mean()) > 1e-9, say(
    zh="报告的还是用来挑选的照片。", en="The report is still about the choosing photos.")
assert abs(_score - _correct[2, ~_choosing].mean()) < 1e-9, say(
    zh="应当只在其余的照片上计算准确率。", en="The accuracy is to be that of the others alone.")
### END TESTS

# %% [markdown] lang="zh"
# ## 13 只因为名字里有汉字
#
# 在你的电脑上一切正常，换一台机器、换一个中文文件夹就崩溃。MindSpore 的 C++ 数据读取器在某些系统上打不开含汉字的路径；在这台机器上它或许能打开，而下面这一步在**哪里**都不行。

# %% [markdown] lang="en"
# ## 13 Just because of its name
#
# All is well on your machine; on another one, or in a folder with a Chinese name, it crashes. MindSpore's C++ dataset readers cannot open paths beyond ASCII on some systems. They may on this one, but the next step fails on **every** machine.

# %%
def export_model(network, example, path):
    ms.export(network, example, file_name=str(path), file_format="MINDIR")

example = ms.Tensor(np.zeros((1, 1280), np.float32))
with tempfile.TemporaryDirectory() as folder:
    for name in ("head.mindir", "分类头.mindir"):
        try:
            export_model(healthy.head.dense, example, Path(folder) / name)
        except ValueError as error:
            print(type(error).__name__, str(error).replace(folder, "...")[:150])
    print("files:", [p.name for p in Path(folder).iterdir()])

# %% [markdown] lang="zh"
# **诊断**：读一读报错里的那个正则表达式，它允许哪些字符？改名是逃避：文件夹是用户起的，你管不着。文件必须出现在要求的地方。

# %% [markdown] lang="en"
# **Diagnosis**: read the regular expression in the message. Which characters does it allow? Another name is no repair: folders are named by users. The file must appear where it was asked for.

# %% tags=["exercise"] id="any-path" points=1
def export_model(network, example, path):
    # zh: 把 MindIR 写到 path，名字和文件夹里可以有任何字符，不留下别的文件。
    # zh: 提示：tempfile 和 shutil；或者在 src_mindspore 里找找，谁已经做过这件事。
    # en: Write a MindIR to path, whose name and folder may hold any character; leave nothing else.
    # en: HINT: tempfile and shutil; or look who in src_mindspore has done it already.
    ### BEGIN SOLUTION
    from src_mindspore.backbones.export import export_network

    export_network(network, example, path, "MINDIR")
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
import shutil as _shutil
_example = ms.Tensor(np.ones((2, 1280), np.float32))
_expected = healthy.head.dense(_example).asnumpy()
with tempfile.TemporaryDirectory() as _folder:
    for _name in ("head.mindir", "分类头.mindir", "我的 模型/best.mindir"):
        _path = Path(_folder) / _name
        _path.parent.mkdir(exist_ok=True)
        try:
            export_model(healthy.head.dense, _example, _path)
        except ValueError:
            raise AssertionError(say(
                zh=f"{_name}：MindSpore 仍然看到了汉字或空格。先写到一个纯 ASCII 的地方。",
                en=f"{_name}: MindSpore still sees the name. Let it write to a plain place.")) \
                from None
        assert _path.exists(), say(
            zh=f"{_name} 没有出现在要求的地方。", en=f"{_name} is not where it was asked for.")
        _files = [p.name for p in _path.parent.iterdir() if p.is_file()]
        assert set(_files) <= {_path.name, "head.mindir"}, say(
            zh=f"旁边多出了文件：{_files}。", en=f"There are other files beside it: {_files}.")
        with tempfile.TemporaryDirectory() as _plain:
            _shutil.copyfile(_path, f"{_plain}/model.mindir")
            _answer = nn.GraphCell(ms.load(f"{_plain}/model.mindir"))(_example).asnumpy()
        assert np.allclose(_answer, _expected, atol=1e-5), say(
            zh="文件在那里，却不是这个网络的 MindIR。",
            en="The file is there, but it is not the MindIR of this network.")
### END TESTS

# %% [markdown] lang="zh"
# 同一家族还有一个陷阱：课程的 `label.txt` 是 GBK 编码，按 UTF-8 读会报错或者变成乱码。凡是打开文本文件，都写明 `encoding`。

# %% [markdown] lang="en"
# One more of this family: the course's `label.txt` is encoded in GBK; read as UTF-8 it fails or turns to gibberish. Whenever you open a text file, name its `encoding`.

# %% [markdown] lang="zh"
# ## 14 答案取决于邻座是谁
#
# 同一张照片问两次，一次和这些照片一批，一次和另一些，概率竟然不同。训练刚结束，有人接着就评估了，少写了一行。

# %% [markdown] lang="en"
# ## 14 The answer depends on the neighbours
#
# The same photo is asked about twice, once in a batch with these photos, once with those; the features differ. Training had just ended, somebody went straight on to evaluation, and one line is missing.

# %%
def evaluate(network, images):
    return network(ms.Tensor(images)).asnumpy()

just_trained = prepare_backbone(config).cell.set_train()
half = inputs_of(few[:13]), inputs_of(few[13:])
maps_now = evaluate(just_trained, np.concatenate((half[0][:1], half[1][1:])))
again = evaluate(just_trained, half[0])
pooled = [m.mean((2, 3)) for m in (maps_now, again)]
print(say(zh="同一张照片，换了邻座，特征最多差", en="the same photo among others, features differ by"),
      f"{np.abs(pooled[0][0] - pooled[1][0]).max():.2f}")

# %%
answers = healthy.head.dense(healthy.head.prepare(ms.Tensor(pooled[1]))).asnumpy().argmax(1)
asked = val_labels[some][:13]
bars({say(zh="评估模式", en="evaluation mode"): (at_home[some][:13] == asked).mean(),
      say(zh="训练模式", en="training mode"): (answers == asked).mean()}, ACCURACY)
figure, axis = plt.subplots(figsize=(5, 3))
axis.scatter(pooled[0][0], pooled[1][0], s=6, color="#b3261e")
axis.plot([0, 4], [0, 4], color="grey", linewidth=1)
axis.set(xlabel=say(zh="和第一批邻座", en="with these neighbours"),
         ylabel=say(zh="和第二批邻座", en="with those"),
         title=say(zh="同一张照片的 1280 个特征", en="1280 features of one photo"))
plt.show()

# %% [markdown] lang="zh"
# **诊断**：网络里哪一种层在训练时看整批照片，评估时只用存下来的统计量？它在训练模式下还会做一件更糟的事：把**评估照片**的统计量也记进去。
#
# 修好 `evaluate`。评估常常夹在两轮训练之间，所以评估完，要把网络**恢复成原来的模式**。

# %% [markdown] lang="en"
# **Diagnosis**: which kind of layer looks at the whole batch in training, but in evaluation only at stored statistics? In training mode it does something worse besides: it adds the statistics of the **evaluated photos** to its own.
#
# Repair `evaluate`. An evaluation often stands between two epochs, so leave the network **in the mode it came in**.

# %% tags=["exercise"] id="train-mode" points=2
def evaluate(network, images):
    # zh: images 是 (N, 3, H, W) float32；返回 network 的输出（NumPy 数组）。
    # zh: 提示：network.training 是当前的模式；出了异常也要恢复。
    # en: images is (N, 3, H, W) float32; return what the network answers, a NumPy array.
    # en: HINT: network.training is the current mode; restore it after an exception, too.
    ### BEGIN SOLUTION
    was_training = network.training
    network.set_train(False)
    try:
        return network(ms.Tensor(images)).asnumpy()
    finally:
        network.set_train(was_training)
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_network = nn.SequentialCell(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()).set_train()
_images = np.random.default_rng(2).normal(1, 2, (6, 3, 8, 8)).astype(np.float32)
_before = values_of(_network)
_first = evaluate(_network, _images[:3])
assert _first is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
_after = values_of(_network)
assert all(np.array_equal(_before[n], _after[n]) for n in _before), say(
    zh="评估改变了 BatchNorm 的统计量：网络还在训练模式。",
    en="The evaluation changed the statistics of BatchNorm: the network is still training.")
_second = evaluate(_network, np.concatenate((_images[:1], _images[4:])))
assert np.allclose(_first[0], _second[0], atol=1e-5), say(
    zh="同一张照片，邻座不同，回答就不同。",
    en="The same photo is answered differently among other neighbours.")
assert _network.training, say(
    zh="评估之后网络留在了评估模式：接着训练，BatchNorm 就不再更新。",
    en="The network stays in evaluation mode: if training goes on, BatchNorm is not updated.")
_network.set_train(False)
evaluate(_network, _images[:3])
assert not _network.training, say(
    zh="来的时候是评估模式，走的时候却成了训练模式：恢复成原来的，而不是一律设成训练。",
    en="It came in evaluation mode and left in training mode: restore what was, instead of "
       "always setting training.")
### END TESTS

# %% [markdown] lang="zh"
# ## 回头看
#
# 十四个陷阱，只有第 13 个报了错。其余十三个都要靠对照才看得出来：和健康的模型比，和另一种批大小比，和训练前比，和另一批照片比。诊断的功夫，就是**想出一个该相等而不相等的东西**。
#
# 最后三个问题，不计分，但值得和同学讨论：
#
# 1. 哪几个陷阱会让分数**虚高**，哪几个会让它偏低？为什么虚高的更危险？
# 2. 如果只能在自己的代码里加三个自动检查，你加哪三个？
# 3. 第 7、10、12 个陷阱都和“评估”有关。请设计一份评估协议，让它们全都不可能发生。
#
# 保存笔记本，然后检查：
#
# ```
# .venv/bin/python -m lab.check lab/zh/03_fourteen_traps.ipynb
# ```

# %% [markdown] lang="en"
# ## Looking back
#
# Of fourteen traps only the 13th raised an error. The other thirteen show in a comparison: with a healthy model, with another batch size, with the time before training, with other photos. To diagnose is **to find two things that ought to be equal and are not**.
#
# Three last questions, without points but worth a discussion:
#
# 1. Which traps make a score **too high**, and which too low? Why are the former more dangerous?
# 2. If you could add three automatic checks to your own code, which three?
# 3. Traps 7, 10 and 12 all concern evaluation. Design a protocol that makes all of them impossible.
#
# Save the notebook and check it:
#
# ```
# .venv/bin/python -m lab.check lab/en/03_fourteen_traps.ipynb
# ```
