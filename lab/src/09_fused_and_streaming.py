# %% [markdown] lang="zh"
# # 三个骨干并成一个模型，再送进照片流
#
# 一个垃圾分类比赛的冠军方案是这样的：三个 EfficientNet 并排看同一张照片，特征拼在一起，用 SVD 压缩，用注意力加权，再分类；最后整个模型作为**一个网络**放进照片流里，每张照片限时 500 毫秒。这本笔记用三个小骨干把它完整地搭一遍，并且逐个拆开来问：哪个零件真的有用？
#
# **学完之后，你能够**
#
# - 把几个骨干的特征按“照片 × 遍数”对齐、拼接，说清新增一个骨干要重算什么；
# - 读懂奇异值的曲线，自己算出 SVD 投影的缩放；
# - 写出注意力模块，说清 softmax 和 sigmoid 的区别；
# - 用配对检验回答“加上注意力真的更好吗”；
# - 证明导出的一个网络和“先提特征、再分类”两步走的答案相同；
# - 处理一串照片：坏图只是一行错误，不是一次崩溃；量出延迟的中位数和 p99。
#
# **时间**：运行约两分钟，阅读约十五分钟，四道练习约二十五分钟。建议先做完前两本。

# %% [markdown] lang="en"
# # Three backbones, one model, and a stream of photos
#
# A garbage-classification contest was won like this: three EfficientNets look at the same photo side by side, their features are joined, compressed by SVD, weighed by attention, classified; and the whole is served as **one network** inside a stream, with 500 milliseconds for each photo. This notebook builds all of it with three small backbones, and takes it apart again: which part really helps?
#
# **Afterwards you can**
#
# - join the features of several backbones by photo and pass, and say what a further backbone costs;
# - read a curve of singular values, and compute the scale of an SVD projection yourself;
# - write the attention module, and say how softmax and sigmoid differ;
# - answer "does attention help?" with a paired test;
# - prove that the one exported network says what features and head say in two phases;
# - work through a stream of photos, where a broken one is a row and no crash, and measure median and p99 latency.
#
# **Time**: two minutes to run, fifteen to read, about twenty-five for the four exercises. Do the first two notebooks before this one.

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
# ## 1 三双眼睛
#
# `backbones` 列出并排的骨干，`@96` 是各自的输入边长。这里故意用很小的边长，好让你少等；正式训练用各自原本的尺寸（去掉 `@96`）。每个成员**单独**缓存自己的特征，所以再加一个骨干，只需要算新的那一个。`repeat=1, include_clean=True`：每张照片只看一遍，不做增广。

# %% [markdown] lang="en"
# ## 1 Three pairs of eyes
#
# `backbones` lists what stands side by side; `@96` is the side of each one's input. It is tiny on purpose, so that you need not wait; for real, leave it out and each takes its own size. Every member caches its features **on its own**, so a further backbone computes only itself. `repeat=1, include_clean=True`: each photo is seen once, as it is.

# %%
from src_mindspore.data.prepare import prepare_photos
from src_mindspore.features.of_config import extract_splits, prepare_backbone

MEMBERS = "mobilenet_v2@96,efficientnet_lite0@96,efficientnet_lite1@96"
seen = {"backbones": MEMBERS, "repeat": 1, "include_clean": True}
config = lab.config("fused", **seen)
photos = prepare_photos(config, progress=False)
backbone = prepare_backbone(config)
caches = extract_splits(photos, backbone, config)

# %%
joined = caches["train"]
for name, cache in joined.caches.items():
    print(f"{name:24s}", cache.features().shape, cache.key)
print(f"{say(zh='拼接后', en='joined'):24s}", joined.features().shape)

# %% [markdown] lang="zh"
# 一行是一张照片的一遍。每个骨干给出 1280 个平均值和 1280 个最大值；拼接后先放三家的平均值（3840 个），再放三家的最大值。行是按照片的 SHA-256 和遍数对齐的：照片不同、少一遍、类别顺序不同，都会被拒绝，并说明是哪一张。

# %% [markdown] lang="en"
# A row is one pass of one photo. Every backbone gives 1280 means and 1280 maxima; joined, the means of all three come first (3840 values), then their maxima. Rows are matched by the photo's SHA-256 and the pass: members that saw other photos, lack a pass or know another order of classes are refused, by name.

# %% [markdown] lang="zh"
# ## 2 SVD：3840 个数里有多少话是重复的
#
# 三个骨干都在 ImageNet 上训练过，说的话难免重复。把训练特征排成矩阵 $X$（每行一张照片），$X = U S V^\top$。$V$ 的前几列是最强的方向。下面画出奇异值累计占的能量。

# %% [markdown] lang="en"
# ## 2 SVD: how much of 3840 numbers is said twice?
#
# All three backbones learnt from ImageNet, so they repeat one another. Let $X$ be the training features, a photo a row, and $X = U S V^\top$: the first columns of $V$ are the strongest directions. Below, the energy that the first singular values hold together.

# %%
import matplotlib.pyplot as plt
import numpy as np

X = joined.features(slice(0, backbone.channels))
energy = np.linalg.svd(X, compute_uv=False)**2
kept = np.cumsum(energy) / energy.sum()
plt.figure(figsize=(7, 3))
plt.semilogx(np.arange(1, len(kept) + 1), kept)
plt.xlabel(say(zh="保留的方向数", en="directions kept"))
plt.ylabel(say(zh="保留的能量", en="energy kept"))
plt.grid(alpha=0.3)
print({k: f"{kept[k - 1]:.2%}" for k in (1, 16, 64, 256)})

# %% [markdown] lang="zh"
# 第一个方向就占了大部分能量，别被它骗了：特征都是正数，没有减去均值，所以第一个方向几乎就是“平均照片”，对分类没什么用。分辨类别靠的是后面那些小得多的方向，这也是为什么要保留几百个。
#
# $V$ **只在训练集上**求。投影 $XV$ 还要除以一个数，让一行的长度大约是 1，这样学习率不必随骨干而变。

# %% [markdown] lang="en"
# The first direction alone holds most of the energy. Do not be fooled: features are positive and not centred, so it is little more than the average photo and tells no class from another. What tells them apart are the much smaller directions behind it; that is why hundreds are kept.
#
# $V$ is fitted **on train alone**. The projection $XV$ is then divided by one number that gives a row a length of about 1, so that a learning rate does not depend on the backbones.

# %%
from src_mindspore.heads.svd import right_singular_vectors

V, scale = right_singular_vectors(X, 64)
Z = X @ V / scale
print(V.shape, f"{scale:.3f}", say(zh="行长度的均方根", en="root mean square length of a row"),
      f"{np.sqrt((Z**2).sum(axis=1).mean()):.4f}")

# %% [markdown] lang="zh"
# ### 练习 1：缩放（2 分）
#
# 缩放是 $\lVert XV \rVert_F / \sqrt{n}$，$n$ 是行数。不许调用 `right_singular_vectors`。

# %% [markdown] lang="en"
# ### Exercise 1: the scale (2 points)
#
# The scale is $\lVert XV \rVert_F / \sqrt{n}$ with $n$ rows. Without calling `right_singular_vectors`.

# %% tags=["exercise"] id="svd-scale" points=2
def svd_scale(X, k):
    # zh: 返回一个数：投影到最强的 k 个方向之后，行长度的均方根。
    # zh: 提示：np.linalg.svd(X, full_matrices=False) 的第三个返回值是 V 的转置。
    # en: Return one number: the root mean square length of rows projected on k directions.
    # en: HINT: the third value of np.linalg.svd(X, full_matrices=False) is V transposed.
    ### BEGIN SOLUTION
    _, _, Vt = np.linalg.svd(X, full_matrices=False)
    return np.linalg.norm(X @ Vt[:k].T) / np.sqrt(len(X))
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_X = np.random.default_rng(0).uniform(size=(50, 20)).astype(np.float32)
_given, _right = svd_scale(_X, 5), right_singular_vectors(_X, 5)[1]
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
assert not np.isclose(_given, _right * np.sqrt(50), rtol=1e-3), say(
    zh="还没有除以行数的平方根。", en="The square root of the number of rows is missing.")
assert not np.isclose(_given, right_singular_vectors(_X, 20)[1], rtol=1e-4), say(
    zh="用了全部方向，只要最强的 k 个。", en="These are all directions; take the k strongest.")
assert np.isclose(_given, _right, rtol=1e-3), say(
    zh=f"应当是 {_right:.4f}，得到 {_given:.4f}。", en=f"Expected {_right:.4f}, got {_given:.4f}.")
### END TESTS

# %% [markdown] lang="zh"
# ## 3 注意力：这张照片，该信哪些特征
#
# 注意力模块只有一层 Dense：从特征算出同样多的分数，变成权重，再乘回特征上。softmax 让所有权重的和固定，此消彼长；sigmoid 让每个特征各算各的。
#
# 我们多做一件事：把权重放大，使“人人平等”时恰好等于 1（softmax 乘以特征个数，sigmoid 乘以 2），并从平等开始。于是训练的起点就是没有注意力的分类头，比较才公平。

# %% [markdown] lang="en"
# ## 3 Attention: which features to trust, for this photo
#
# The attention module is one Dense layer: from the features it computes as many scores, turns them into weights and multiplies these onto the features. With softmax all weights share a fixed sum, what one gains another loses; with sigmoid each feature is judged alone.
#
# One thing is added here: the weights are scaled so that equal ones are exactly 1 (softmax times the number of features, sigmoid times 2), and training begins with equal ones. So it starts from the head without attention, and the comparison is fair.

# %% [markdown] lang="zh"
# ### 练习 2：写出注意力（3 分）

# %% [markdown] lang="en"
# ### Exercise 2: write the attention (3 points)

# %% tags=["exercise"] id="attention" points=3
def attend(x, W, b, kind):
    # zh: x 是 (N, F)；分数是 x @ W.T + b；返回加权之后的特征 (N, F)。kind 是 "softmax" 或 "sigmoid"。
    # zh: 提示：softmax 沿着特征（axis=1），先减去每行最大值；别忘了放大。
    # en: x is (N, F); the scores are x @ W.T + b; return the weighed features, (N, F).
    # en: kind is "softmax" or "sigmoid".
    # en: HINT: softmax runs over the features (axis=1), each row's maximum subtracted first; scale.
    ### BEGIN SOLUTION
    score = x @ W.T + b
    if kind == "sigmoid":
        return x * 2 / (1 + np.exp(-score))
    share = np.exp(score - score.max(axis=1, keepdims=True))
    return x * x.shape[1] * share / share.sum(axis=1, keepdims=True)
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
import mindspore as _ms
from src_mindspore.heads.attention import FeatureAttention as _Attention

_rng = np.random.default_rng(3)
_x, _W, _b = (_rng.normal(size=s).astype(np.float32) for s in ((7, 5), (5, 5), 5))
for _kind, _factor in (("softmax", 5), ("sigmoid", 2)):
    _cell = _Attention(5, _kind)
    _cell.score.weight.set_data(_ms.Tensor(_W))
    _cell.score.bias.set_data(_ms.Tensor(_b))
    _right, _given = _cell(_ms.Tensor(_x)).asnumpy(), attend(_x, _W, _b, _kind)
    assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
    assert not np.allclose(_given * _factor, _right, atol=1e-3), say(
        zh=f"{_kind}：权重没有放大，平等时应当是 1。",
        en=f"{_kind}: the weights are not scaled; equal ones must be 1.")
    assert np.allclose(_given, _right, atol=1e-3), say(
        zh=f"{_kind}：与 MindSpore 的答案不同。", en=f"{_kind}: not what MindSpore answers.")
### END TESTS

# %% [markdown] lang="zh"
# ## 4 拆开来比：哪个零件有用
#
# 同一份特征，同样的训练，每次只换一个零件。为了公平，用交叉验证：训练集分成三份，轮流拿两份学、一份问，副本永远在同一份里。`right_in_folds` 逐张返回答对没有，所以可以做配对检验。

# %% [markdown] lang="en"
# ## 4 Taken apart: which part helps?
#
# The same features, the same training, one part changed at a time. To be fair, by cross-validation: train is divided into three, two to learn from and one to be asked about in turn, copies always together. `right_in_folds` says photo by photo whether the answer was right, so that a paired test is possible.

# %%
from src_mindspore.data.duplicates import group_ids
from src_mindspore.evaluation.paired import mcnemar, right_in_folds

groups = group_ids(photos.root, photos.splits["train"], progress=False)
recipe = {**seen, "epochs": 20, "svd_components": 128, "decay_type": "constant"}

def judge(cache, channels, **changes):
    config = lab.config("fused", **{**recipe, **changes})
    return right_in_folds(cache, groups, channels, photos.classes, config, folds=3)

# %%
plain = {"head": "linear", "attention": "none", "normalise": True}
rights = {name: judge(joined.caches[name], member.channels, **plain)
          for name, member in backbone.members.items()}
together = say(zh="三个拼接", en="joined")
rights[together] = judge(joined, backbone.channels, **plain)
rights["+ SVD"] = judge(joined, backbone.channels, attention="none")
with_attention = say(zh="+ SVD + 注意力", en="+ SVD + attention")
rights[with_attention] = judge(joined, backbone.channels, attention="softmax")

# %%
from src_mindspore.evaluation.plots_recipe import plot_rungs

lab.show(plot_rungs, rights)

# %%
for name, right in rights.items():
    if name != together:
        test = mcnemar(right, rights[together])
        print(f"{name:24s} {test.only_first:3d} : {test.only_second:3d}  p = {test.p_value:.3f}")

# %% [markdown] lang="zh"
# 冒号左边是只有它答对的照片数，右边是只有“三个拼接”答对的。读这张表要小心两件事。第一，p 大不等于“一样好”，只是这么多照片看不出差别。第二，这里的图片很可能是画出来的，输入又只有 96 像素：**方法可以照搬，数字不能**。要在自己的照片上做完整的比较，命令是 `python -m bench.fused_ablation`；它测什么、目前知道什么，见 `docs/fused.md`。

# %% [markdown] lang="en"
# Left of the colon: photos that this one alone was right about; right of it: those that only the joined features were. Two warnings. A large p does not mean "equally good"; it means that so many photos show no difference. And the pictures here are probably drawn, and read at 96 pixels: **take the method with you, not the numbers**. `python -m bench.fused_ablation` makes the whole comparison on your photos; what it measures and what is known so far stands in `docs/fused.md`.

# %% [markdown] lang="zh"
# ### 练习 3：该不该加（2 分）
#
# 写一条规则：新零件答对得更多，**并且** p 小于 0.05，才值得加。

# %% [markdown] lang="en"
# ### Exercise 3: keep it or not (2 points)
#
# Write the rule: a part is worth keeping when it is right more often **and** p is below 0.05.

# %% tags=["exercise"] id="worth-it" points=2
def worth_it(new, old):
    # zh: new、old 是同样照片上的两个布尔数组（答对没有）；返回 True 或 False。提示：用 mcnemar。
    # en: new and old are boolean arrays about the same photos; return True or False. HINT: mcnemar.
    ### BEGIN SOLUTION
    test = mcnemar(new, old)
    return test.only_first > test.only_second and test.p_value < 0.05
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_old = np.arange(100) < 60
_more, _few, _less = (np.arange(100) < n for n in (75, 63, 40))
assert worth_it(_more, _old) is not None, say(zh="函数没有返回值。", en="It returns nothing.")
assert worth_it(_more, _old), say(zh="15 : 0，p 很小，应当值得。", en="15 : 0 is worth it.")
assert not worth_it(_few, _old), say(zh="3 : 0 可能只是碰巧（p = 0.25）。",
                                     en="3 : 0 may be luck (p = 0.25).")
assert not worth_it(_less, _old), say(zh="p 小也可能是更差：看看方向。",
                                      en="A small p can mean worse: look which way.")
### END TESTS

# %% [markdown] lang="zh"
# ## 5 一条命令，一个网络
#
# 把上面的零件交给主程序。三个骨干尺寸可以不同、预处理也不同，导出的却是**一个**网络、**一个**输入：每个成员按自己的预处理得到输入，拉平，首尾相接。程序在结束前会用全部验证照片核对：MindIR 和 ONNX 与“两步走”的答案相同。

# %% [markdown] lang="en"
# ## 5 One command, one network
#
# Now the main program gets these parts. The three may have other sizes and other arithmetic, yet what is exported is **one** network with **one** input: each member's input, made by its own preprocessing, flattened, put end to end. Before it ends, the run checks on all of val that MindIR and ONNX answer what the two phases answered.

# %%
import train_head

train_head.main(["--preset", "fused", "--dataset_path", str(lab.data), "--backbones", MEMBERS,
                 "--repeat", "1", "--include_clean", "true", "--svd_components", "128",
                 "--epochs", "20", "--language", lab.language])

# %%
from src_mindspore.data.decode import load_rgb
from src_mindspore.data.preprocess import preprocess
from src_mindspore.model import load_model

run = Path("results/latest").resolve()
model = load_model(run / "best.ckpt")
records = photos.splits["val"]
image = load_rgb(photos.root / records[0].path)
print(preprocess(image, model.preprocess).shape, "=", model.preprocess.layout)

# %% [markdown] lang="zh"
# ### 练习 4：拆包（2 分）
#
# 从拼好的输入里取回第 `number` 个成员的那一份，恢复成 (3, 高, 宽)。

# %% [markdown] lang="en"
# ### Exercise 4: unpack (2 points)
#
# From the packed input take back what member `number` is given, as (3, height, width).

# %% tags=["exercise"] id="unpack" points=2
def unpack(packed, shapes, number):
    # zh: packed 是一维数组；shapes 是每个成员的 (3, 高, 宽)；number 从 0 数起。提示：np.prod。
    # en: packed is one-dimensional; shapes are the members' (3, height, width); number counts
    # en: from 0. HINT: np.prod.
    ### BEGIN SOLUTION
    ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])
    return packed[ends[number]:ends[number + 1]].reshape(shapes[number])
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_shapes = [(3, 4, 5), (3, 2, 2), (3, 3, 1)]
_parts = [np.random.default_rng(i).normal(size=s) for i, s in enumerate(_shapes)]
_packed = np.concatenate([p.ravel() for p in _parts])
for _number, _part in enumerate(_parts):
    _given = unpack(_packed, _shapes, _number)
    assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
    assert _given.shape == _part.shape, say(zh=f"形状应当是 {_part.shape}，得到 {_given.shape}。",
                                            en=f"Expected {_part.shape}, got {_given.shape}.")
    assert np.array_equal(_given, _part), say(zh=f"第 {_number} 个成员的数取错了位置。",
                                              en=f"Member {_number}: taken from another place.")
### END TESTS

# %% [markdown] lang="zh"
# ## 6 照片流
#
# 流是一串没有尽头的照片：来一张，答一行。真正的部署用 Apache Flink（`make stream-demo`），它负责排队、并行、出错后恰好一次地重来；而对**每一张**照片做的事，就是下面这个函数，在 Flink 里和在列表上是同一个。我们混进去一个只有半截的文件：坏照片应当是带着错误的一行，而不是一次崩溃。

# %% [markdown] lang="en"
# ## 6 A stream of photos
#
# A stream is a row of photos without an end: one comes, one line is answered. For real it runs on Apache Flink (`make stream-demo`), which queues, runs in parallel and starts again exactly once after a failure; what is done with **each** photo is the function below, the same in Flink and over a list. One file is cut in half on purpose: a bad photo must be a row with an error, not a crash.

# %%
import time
from src_mindspore.data.decode import BadImage
from src_mindspore.deploy.streaming.rows import make_row
from src_mindspore.deploy.streaming.served import Served, freeze_model

served = Served(freeze_model(run / "best.ckpt", "onnxruntime", "results/stream-lab"))

def answer(name, data):
    started = time.perf_counter()
    try:
        said = {"top5": served.answer(data)}
    except BadImage as error:
        said = {"error": str(error)}
    return make_row(name, name, said, 1000 * (time.perf_counter() - started), model.sha256)

# %%
stream = [(r.path, (photos.root / r.path).read_bytes()) for r in records]
stream.insert(7, ("half.jpg", stream[0][1][:2000]))
rows = [answer(name, data) for name, data in stream]
for row in rows[5:9]:
    print(row["path"], row["name"], row["probability"], f"{row['milliseconds']:.0f} ms",
          row["error"])

# %%
from src_mindspore.evaluation.predict import predict

good = [row for row in rows if not row["error"]]
labels = np.array([r.label for r in records])
checked = predict(model, photos.root, [r.path for r in records], labels, progress=False)
print(len(rows), say(zh="行，其中出错", en="rows, errors:"), len(rows) - len(good))
print(say(zh="与逐批评估答案相同的照片：", en="photos with the same answer as in evaluation:"),
      sum(row["label"] == p for row, p in zip(good, checked.predicted, strict=True)))

# %%
times = np.array([row["milliseconds"] for row in good])
p50, p99 = np.percentile(times, (50, 99))
plt.figure(figsize=(7, 3))
plt.hist(times, 40)
for value, name, style in ((p50, "p50", "--"), (p99, "p99", ":")):
    plt.axvline(value, color="black", linestyle=style, label=f"{name} {value:.0f} ms")
plt.legend(loc="upper right")
plt.xlabel(say(zh="一张照片的毫秒数", en="milliseconds for a photo"))
plt.ylabel(say(zh="照片数", en="photos"))
print(say(zh="超过 500 毫秒的：", en="over 500 ms:"), int((times > 500).sum()))

# %% [markdown] lang="zh"
# 看延迟要看 p99，不要看平均：用户记住的是最慢的那几次。机器忙的时候，尾巴会变长，而中位数几乎不动。
#
# **最后想一想，不计分：** 流跑着的时候，有人重新训练，覆盖了模型文件。接下来的行应当用新模型还是旧模型？为什么每一行都记下模型的哈希？

# %% [markdown] lang="en"
# Look at p99, not at the mean: users remember the slowest answers. On a busy machine the tail grows while the median hardly moves.
#
# **A last thought, without points:** while the stream runs, somebody trains again and overwrites the model file. Should the next rows come from the new model or the old one? And why does every row carry the model's hash?
