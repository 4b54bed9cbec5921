# %% [markdown] lang="zh"
# # 百宝箱：比赛报告里的技巧，哪些真的有用？
#
# 翻开任何一份图像分类比赛的总结，都能看到一长串技巧：Mixup、CutMix、焦点损失、均衡采样、RAdam、注意力、支持向量机、投票……每一个背后都有论文。可是论文里的提升，是在**别人的**数据上测得的。这本笔记把它们一个个拆开看懂，再教你一件更值钱的本事：判断一个技巧在**你的**照片上到底有没有用。
#
# **学完之后，你能够**
#
# - 画出 Mixup 和 CutMix 的图，并算对它们的软标签；
# - 在类别严重不均衡时，看懂准确率和宏平均召回率为什么会说两套话，并用采样或加权去补救；
# - 换优化器时知道要一起换学习率；
# - 用几行 NumPy 写出“挤压—激励”注意力；
# - 让几个分类头投票，并用成对比较说出“有用”“有害”或“没有证据”。
#
# **时间**：边运行边看约十五分钟，四道练习约三十分钟。建议先做完[第一个模型](01_first_model.ipynb)和[学习率](02_learning_rate.ipynb)。

# %% [markdown] lang="en"
# # The bag of tricks: which techniques of the contest reports really help?
#
# Open any report of an image classification contest and there is the list: mixup, CutMix, focal loss, balanced sampling, RAdam, attention, support vector machines, voting. Each has its paper. But what a paper gains, it gained on *its* data. This notebook takes the techniques apart, one by one, and then teaches the more valuable skill: to tell whether one helps on *your* photos.
#
# **Afterwards you can**
#
# - draw what mixup and CutMix do, and get their soft labels right;
# - see why accuracy and macro recall disagree when classes are unbalanced, and repair it with a sampler or with weights;
# - change the learning rate along with the optimizer;
# - write squeeze-and-excitation in a few lines of NumPy;
# - let several heads vote, and say "helps", "hurts" or "no evidence" from a paired comparison.
#
# **Time**: fifteen minutes to run and look, about thirty for the four exercises. [First model](01_first_model.ipynb) and [Learning rate](02_learning_rate.ipynb) should come before this one.

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

# %%
import matplotlib.pyplot as plt
import numpy as np
from src_mindspore.data.prepare import prepare_photos
from src_mindspore.features.of_config import extract_splits, prepare_backbone

config = lab.config(repeat=1)
photos = prepare_photos(config, progress=False)
backbone = prepare_backbone(config)
caches = extract_splits(photos, backbone, config)

# %% [markdown] lang="zh"
# ## 1 两张照片叠在一起：Mixup 和 CutMix
#
# Mixup（[arXiv:1710.09412](https://arxiv.org/abs/1710.09412)）把两张照片按比例混合，CutMix（[arXiv:1905.04899](https://arxiv.org/abs/1905.04899)）从一张照片上剪下一块贴到另一张上。标签也照样混合：七成电池、三成报纸，就是 0.7 和 0.3。这样的标签叫**软标签**，每一行加起来必须等于 1。

# %% [markdown] lang="en"
# ## 1 Two photos in one: mixup and CutMix
#
# Mixup ([arXiv:1710.09412](https://arxiv.org/abs/1710.09412)) blends two photos; CutMix ([arXiv:1905.04899](https://arxiv.org/abs/1905.04899)) cuts a piece out of one and puts it on the other. The label is mixed in the same shares: seven tenths battery, three tenths newspaper becomes 0.7 and 0.3. That is a **soft label**; each row has to sum to 1.

# %%
from src_mindspore.data.decode import load_rgb
from src_mindspore.data.mix import mix
from src_mindspore.data.preprocess import resize_and_crop

records = photos.splits["train"]
one, other = (resize_and_crop(load_rgb(photos.root / r.path), backbone.preprocess)
              for r in (records[0], records[len(records) // 2]))
figure, axes = plt.subplots(1, 5, figsize=(11, 2.6))
for axis, (kind, share) in zip(axes, (("mixup", 1.0), ("mixup", 0.7), ("mixup", 0.4),
                                      ("cutmix", 0.7), ("cutmix", 0.4)), strict=True):
    picture, real = mix(kind, one, other, share, np.random.default_rng(4))
    axis.imshow(picture)
    axis.set_title(f"{kind} {share}\n→ {real:.3f} / {1 - real:.3f}", fontsize=10)
    axis.axis("off")

# %% [markdown] lang="zh"
# 看最后两张：想要的比例是 0.7 和 0.4，标签上却是别的数。因为贴片可能伸出画面，伸出去的部分被裁掉了，标签必须按**真正贴上的面积**来算。许多网上的实现在这里算错，练习 1 请你算对。
#
# 骨干网络是冻结的，所以混合发生在提取特征的时候：`--mixup 0.4`、`--cutmix 1`，软标签和特征存放在一起。

# %% [markdown] lang="en"
# Look at the last two: shares of 0.7 and 0.4 were wanted, and the label says something else. The box may stick out of the picture, what is outside is cut off, and the label has to follow **the area that was really pasted**. Many implementations get this wrong; in exercise 1 you get it right.
#
# The backbone is frozen, so mixing happens when features are extracted: `--mixup 0.4`, `--cutmix 1`. The soft labels are kept beside the features.

# %% [markdown] lang="zh"
# ## 2 有的类三张，有的类很多张
#
# 真实的数据很少均衡。我们故意弄出一个不均衡的训练集：后一半的类，每类只留三张。验证集不动。

# %% [markdown] lang="en"
# ## 2 Three photos of one class, many of another
#
# Real data is rarely balanced. Here is a train set made unbalanced on purpose: of the second half of the classes only three photos each are left. Val stays as it is.

# %%
labels = caches["train"].labels
small = set(range(len(photos.classes) // 2, len(photos.classes)))
place = np.array([(labels[:i] == label).sum() for i, label in enumerate(labels)])
kept = np.flatnonzero([label not in small or p < 3 for label, p in zip(labels, place, strict=True)])
print(np.bincount(labels[kept]))

# %%
from src_mindspore.heads.build import head_spec
from src_mindspore.training.head_of_config import make_trainer, split_of
from src_mindspore.training.rows import Split

recipe = {"repeat": 1, "head": "linear", "normalise": True, "batch_size": 32, "epochs": 20,
          "lr_max": 0.005, "label_smoothing": 0.0}

def learn(rows=kept, **changes):
    config = lab.config(**{**recipe, **changes})
    spec = head_spec(config, backbone.channels, len(photos.classes), len(rows))
    train = split_of(caches["train"], spec, config)
    trainer = make_trainer(spec, Split(train.rows[rows], train.labels[rows]),
                           split_of(caches["val"], spec, config),
                           caches["train"].index[rows], config)
    trainer.train_to_the_end()
    return trainer.logits(trainer.val)

# %% [markdown] lang="zh"
# 两种补救：**类别权重**让稀少的类在损失里说话更响；**均衡采样**让每一类在一轮里出现同样多次。用两把尺子量：top-1 按照片数，宏平均召回率（macro recall）按类平均。

# %% [markdown] lang="en"
# Two remedies: **class weights** make the rare classes louder in the loss, a **balanced sampler** shows every class equally often in an epoch. Two yardsticks: top-1 counts photos, macro recall averages over classes.

# %%
truth = caches["val"].labels
ways = {"plain": {}, "inverse": {"class_weights": "inverse"},
        "effective": {"class_weights": "effective"}, "balanced": {"sampler": "balanced"},
        "focal": {"loss": "focal"}}
answers = {name: learn(**changes) for name, changes in ways.items()}
recalls = {name: np.array([(logits.argmax(1) == truth)[truth == c].mean()
                           for c in range(len(photos.classes))])
           for name, logits in answers.items()}
for name, recall in recalls.items():
    large = [c for c in range(len(recall)) if c not in small]
    print(f"{name:10} top-1 {(answers[name].argmax(1) == truth).mean():.1%}  macro {recall.mean():.1%}"
          f"  large {recall[large].mean():.1%}  small {recall[list(small)].mean():.1%}")

# %%
figure, axes = plt.subplots(figsize=(9, 2.8))
for shift, name in ((-0.3, "plain"), (0.0, "inverse"), (0.3, "balanced")):
    axes.bar(np.arange(len(photos.classes)) + shift, recalls[name], 0.28, label=name)
axes.axvline(min(small) - 0.5, color="black", linewidth=0.8)
axes.set_xlabel(say(zh="类别（竖线右边每类只有三张训练图片）",
                    en="class (right of the line: three training pictures each)"))
axes.set_ylabel(say(zh="召回率", en="recall"))
axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
plt.show()

# %% [markdown] lang="zh"
# 这里的验证集是均衡的，所以两把尺子读数相同；在真正不均衡的数据上，只看 top-1 就会漏掉那些小类。补救也有代价：稀少的类得到多少，常见的类就可能让出多少。`python -m bench.ablation` 会把两把尺子并排列出。

# %% [markdown] lang="en"
# This val split is balanced, so both yardsticks read the same; on data that is really unbalanced, top-1 alone overlooks the small classes. And remedies cost something: what the rare classes gain, the common ones may give. `python -m bench.ablation` prints both side by side.

# %% [markdown] lang="zh"
# ## 3 换优化器，也要换学习率
#
# RAdam（[arXiv:1908.03265](https://arxiv.org/abs/1908.03265)）在头几步还不相信自己的步长估计；Lookahead（[arXiv:1907.08610](https://arxiv.org/abs/1907.08610)）每走几步就退回一半；Ranger 把两者合在一起。下面的图在训练时**原地更新**。

# %% [markdown] lang="en"
# ## 3 Another optimizer wants another learning rate
#
# RAdam ([arXiv:1908.03265](https://arxiv.org/abs/1908.03265)) does not trust its own scale in the first steps; Lookahead ([arXiv:1907.08610](https://arxiv.org/abs/1907.08610)) takes a few steps and goes half of them back; Ranger is both. The chart below is **redrawn in place** while they train.

# %%
from src_mindspore.evaluation.plots_recipe import plot_runs

everything = np.arange(len(labels))
histories, picture = {}, lab.live()
for name, lr_max in (("momentum", 0.005), ("adam", 0.005), ("radam", 0.005), ("ranger", 0.01)):
    config = lab.config(**{**recipe, "optimizer": name, "lr_max": lr_max, "epochs": 10})
    spec = head_spec(config, backbone.channels, len(photos.classes), len(everything))
    splits = [split_of(caches[split], spec, config) for split in ("train", "val")]
    trainer = make_trainer(spec, *splits, caches["train"].index, config)
    histories[f"{name}, lr {lr_max:g}"] = list(trainer.run())
    picture.draw(plot_runs, histories)

# %% [markdown] lang="zh"
# ## 4 注意力：看全图，再决定听谁的
#
# “挤压—激励”（SE，[arXiv:1709.01507](https://arxiv.org/abs/1709.01507)）先把每个通道平均成一个数（挤压），经过两层小网络，得到每个通道一个 0 到 1 的系数（激励），再乘回去。CBAM（[arXiv:1807.06521](https://arxiv.org/abs/1807.06521)）多看一个最大值，然后再给每个**位置**一个系数。两者都是普通的 Cell，可以插进任何网络；作为分类头要用没有池化的特征：`--head cbam --reduction none --normalise false`。

# %% [markdown] lang="en"
# ## 4 Attention: see the whole, then decide whom to listen to
#
# Squeeze-and-excitation (SE, [arXiv:1709.01507](https://arxiv.org/abs/1709.01507)) averages every channel to one number, sends them through two small layers, and gets a factor from 0 to 1 for every channel, which is multiplied back. CBAM ([arXiv:1807.06521](https://arxiv.org/abs/1807.06521)) also looks at the maxima, and then gives every *position* a factor. Both are plain Cells that go into any network; as heads they need unpooled features: `--head cbam --reduction none --normalise false`.

# %%
import mindspore as ms
from src_mindspore.attention.cbam import SpatialAttention
from src_mindspore.attention.squeeze_excite import SqueezeExcite
from src_mindspore.data.preprocess import preprocess

pixels = ms.Tensor(preprocess(load_rgb(photos.root / records[0].path), backbone.preprocess)[None])
feature_map = backbone.cell(pixels)
attended = SqueezeExcite(backbone.channels)(feature_map)
factors = (attended.sum((2, 3)) / (feature_map.sum((2, 3)) + 1e-9)).asnumpy()[0]
where = SpatialAttention()(feature_map).asnumpy()[0, 0]
print(feature_map.shape, attended.shape, where.shape)
print(f"{factors[factors > 0].min():.3f} ... {factors.max():.3f}, {where.min():.3f} ... {where.max():.3f}")

# %% [markdown] lang="zh"
# 还没有训练，所以通道的系数都在 0.5 附近：注意力从“谁都听一半”开始学。位置的系数散得开一些，因为那个 7×7 卷积的随机权重直接看到特征有大有小。练习 3 请你自己写一遍。

# %% [markdown] lang="en"
# Nothing is trained yet, so the factors of the channels are near 0.5: attention begins by half listening to everybody. Those of the positions spread further, because the random 7x7 convolution sees directly where features are large. In exercise 3 you write it yourself.

# %% [markdown] lang="zh"
# ## 5 几个头一起投票
#
# 三个不同的头：线性、RBF 和支持向量机。支持向量机给出的不是概率，要先除以一个温度，才能和别人的概率放在一起平均。（温度本应由折外预测得出，为了快，这里直接用验证集来拟合；`python -m src_mindspore.ensemble` 用的是折外预测。）

# %% [markdown] lang="en"
# ## 5 Several heads vote
#
# Three heads of different kinds: linear, RBF, and a support vector machine. What the machine answers are no probabilities; divided by a temperature they can be averaged with those of others. (Temperatures should come from out-of-fold predictions; to be quick they are fitted on val here. `python -m src_mindspore.ensemble` does it right.)

# %%
from scipy.special import softmax
from src_mindspore.ensemble.voting import hard_vote, soft_vote
from src_mindspore.training.calibration import fit_temperature

heads = {"linear": {}, "rbf": {"head": "rbf", "normalise": False, "lr_max": 0.3},
         "svm_rbf": {"head": "svm_rbf", "normalise": False}}
said = {name: learn(everything, **changes) for name, changes in heads.items()}
probabilities = np.array([softmax(x / fit_temperature(x, truth), axis=1) for x in said.values()])
right = {name: x.argmax(1) == truth for name, x in said.items()}
right["soft vote"] = soft_vote(probabilities).argmax(1) == truth
right["hard vote"] = hard_vote(probabilities).argmax(1) == truth
for name, answers_right in right.items():
    print(f"{name:10} {answers_right.sum()} / {len(truth)}")

# %% [markdown] lang="zh"
# ## 6 有用、有害，还是没有证据？
#
# 两个模型考的是**同一批**照片，所以比较的是成对的差别：每张照片上谁对谁错。把照片有放回地重抽两千次（bootstrap），看差值在什么范围里：整个区间都大于 0，才说“有用”。

# %% [markdown] lang="en"
# ## 6 Helps, hurts, or no evidence?
#
# Both models were asked about *the same* photos, so what counts is the difference photo by photo. Draw the photos again two thousand times, with replacement (the bootstrap), and see where the difference lies: only if the whole interval is above 0, it "helps".

# %%
from src_mindspore.evaluation.paired import paired_difference

for name in right:
    d = paired_difference(right["linear"][None], right[name][None], np.arange(len(truth)))
    print(f"{name:10} {d.mean:+.3f} [{d.low:+.3f}, {d.high:+.3f}] {d.verdict}")

# %% [markdown] lang="zh"
# 大多数技巧在这么少的照片上都是“没有证据”。这不等于没用，只是这些照片说不清。要说清，就要更多的照片、更多的随机种子，并且在训练集上做交叉验证，不碰验证集：
#
# ```
# .venv/bin/python -m bench.ablation --data 你的文件夹 --work results/ablation
# ```
#
# 另外请记住：试的技巧越多，碰巧“有用”的也越多。二十个里有一个，正是 5 % 的意思。

# %% [markdown] lang="en"
# With so few photos most techniques end in "no evidence". That does not mean they are useless, only that these photos cannot tell. To tell, take more photos and more seeds, and cross-validate on train without touching val:
#
# ```
# .venv/bin/python -m bench.ablation --data YOUR_FOLDER --work results/ablation
# ```
#
# And remember: the more techniques you try, the more of them "help" by luck. One in twenty is just what 5 % means.

# %% [markdown] lang="zh"
# ## 练习
#
# ### 练习 1：CutMix 的标签（2 分）
#
# 在 `height`×`width` 的画面上，贴片的中心在 `(row, column)`，边长为 `box_height` 和 `box_width`（上边是 `row - box_height // 2`，左边同理），伸出画面的部分被裁掉。返回**原图**在标签里的份额。

# %% [markdown] lang="en"
# ## Exercises
#
# ### Exercise 1: the label of CutMix (2 points)
#
# On a picture of `height` x `width`, the middle of the box is at `(row, column)`, its sides are `box_height` and `box_width` (its top is `row - box_height // 2`, its left side likewise), and what sticks out is cut off. Return the share of the **original** picture in the label.

# %% tags=["exercise"] id="cutmix-label" points=2
def share_of_original(height, width, row, column, box_height, box_width):
    # zh: 返回 0 到 1 的小数。提示：先算出上下左右四条边，再用 max 和 min 裁到画面里。
    # en: Return a number from 0 to 1. HINT: find the four edges first, then cut them to the
    # en: picture with max and min.
    ### BEGIN SOLUTION
    top, left = row - box_height // 2, column - box_width // 2
    rows = min(top + box_height, height) - max(top, 0)
    columns = min(left + box_width, width) - max(left, 0)
    return 1 - rows * columns / (height * width)
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_given = share_of_original(100, 100, 50, 50, 40, 50)
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
assert abs(_given - 0.2) > 1e-6, say(zh="这是贴片的份额，要的是原图的。",
                                     en="That is the share of the box; the original's is wanted.")
assert abs(_given - 0.8) < 1e-6, say(zh=f"贴片完全在画面里：应为 0.8，得到 {_given}。",
                                     en=f"With the whole box inside it is 0.8, not {_given}.")
_given = share_of_original(100, 200, 0, 0, 40, 60)
assert abs(_given - (1 - 2400 / 20000)) > 1e-6, say(
    zh="伸出画面的部分没有裁掉。", en="What sticks out was not cut off.")
assert abs(_given - (1 - 600 / 20000)) < 1e-6, say(
    zh=f"角上的贴片只剩四分之一：应为 0.97，得到 {_given}。",
    en=f"In the corner a quarter of the box is left: 0.97, not {_given}.")
assert abs(share_of_original(10, 10, 9, 9, 4, 4) - 0.91) < 1e-6, say(
    zh="右下角也要裁。", en="It has to be cut at the lower right as well.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 2：有效数量（2 分）
#
# 一百张几乎一样的照片，说的并不是一百件事。Cui 等人（[arXiv:1901.05555](https://arxiv.org/abs/1901.05555)）给出 n 张照片的“有效数量”：(1 − βⁿ) / (1 − β)。类别权重与它成反比，再缩放到**平均值为 1**。

# %% [markdown] lang="en"
# ### Exercise 2: the effective number (2 points)
#
# A hundred nearly equal photos do not say a hundred things. Cui et al. ([arXiv:1901.05555](https://arxiv.org/abs/1901.05555)) give n photos an "effective number", (1 − βⁿ) / (1 − β). Class weights are inverse to it, scaled to a **mean of 1**.

# %% tags=["exercise"] id="effective-number" points=2
def effective_weights(counts, beta):
    # zh: counts 是每类的张数。返回一个 NumPy 数组。提示：先求倒数，再除以平均值。
    # en: counts: photos of each class. Return a NumPy array. HINT: invert first, then divide by
    # en: the mean.
    counts = np.asarray(counts, float)
    ### BEGIN SOLUTION
    weights = (1 - beta) / (1 - beta**counts)
    return weights / weights.mean()
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_given = effective_weights([6, 375], 0.999)
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
_given = np.asarray(_given)
assert _given[0] > _given[1], say(zh="稀少的类权重应当更大：要取倒数。",
                                  en="The rare class needs the larger weight: invert.")
assert abs(_given.mean() - 1) < 1e-9, say(zh=f"平均值应为 1，得到 {_given.mean():.4f}。",
                                          en=f"The mean should be 1; it is {_given.mean():.4f}.")
assert abs(_given[0] / _given[1] - (1 - 0.999**375) / (1 - 0.999**6)) < 1e-6, say(
    zh="两类权重之比不对，请核对公式。", en="The ratio of the weights is wrong; check the formula.")
assert np.allclose(effective_weights([5, 50, 500], 0.0), 1), say(
    zh="β = 0 时所有类的权重都应是 1。", en="With a β of 0 all weights are 1.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 3：自己写 SE（3 分）
#
# 用 NumPy 写出 x · sigmoid(W₂ · relu(W₁ · mean(x) + b₁) + b₂)。

# %% [markdown] lang="en"
# ### Exercise 3: write SE yourself (3 points)
#
# In NumPy: x · sigmoid(W₂ · relu(W₁ · mean(x) + b₁) + b₂).

# %% tags=["exercise"] id="squeeze-excite" points=3
def squeeze_excite(x, w1, b1, w2, b2):
    # zh: x 形状 (N, C, H, W)，w1 (h, C)，w2 (C, h)。提示：mean 的 axis 是 (2, 3)；
    # zh: 最后用 [:, :, None, None] 把系数对准通道。
    # en: x has the shape (N, C, H, W), w1 (h, C), w2 (C, h). HINT: mean over axis (2, 3); in the
    # en: end [:, :, None, None] puts the factors to their channels.
    ### BEGIN SOLUTION
    hidden = np.maximum(x.mean(axis=(2, 3)) @ w1.T + b1, 0)
    factors = 1 / (1 + np.exp(-(hidden @ w2.T + b2)))
    return x * factors[:, :, None, None]
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_cell = SqueezeExcite(32, ratio=8, seed=3)
_x = np.random.default_rng(0).normal(size=(2, 32, 5, 4)).astype(np.float32)
_parts = [p.asnumpy() for p in (_cell.squeeze.weight, _cell.squeeze.bias, _cell.excite.weight,
                                _cell.excite.bias)]
_given = squeeze_excite(_x, *_parts)
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
assert np.shape(_given) == _x.shape, say(
    zh=f"形状应和 x 一样 {_x.shape}，得到 {np.shape(_given)}。",
    en=f"The shape should be that of x, {_x.shape}, not {np.shape(_given)}.")
_expected = _cell(ms.Tensor(_x)).asnumpy()
assert np.abs(_given - _expected).max() < 1e-4, say(
    zh="与库里的 SqueezeExcite 结果不同：检查 relu、sigmoid 和求平均的轴。",
    en="It differs from SqueezeExcite of the library: check relu, sigmoid and the axes of the mean.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 4：软投票和硬投票（2 分）
#
# 写出硬投票：每个成员只投自己概率最高的类，票多者胜；票数相同时，平均概率高者胜。输入 `(成员, 照片, 类)` 的概率，返回每张照片的类别编号。

# %% [markdown] lang="en"
# ### Exercise 4: soft and hard votes (2 points)
#
# Write the hard vote: each member votes for its most probable class, most votes win; of equal votes the higher mean probability wins. Given probabilities `(members, photos, classes)`, return the class of every photo.

# %% tags=["exercise"] id="hard-vote" points=2
def vote(probabilities):
    # zh: 返回 (照片,) 的整数数组。提示：np.eye(类数)[最大者] 把一票变成一行 0 和 1；
    # zh: 再加上一点点平均概率来分出平票。
    # en: Return (photos,) integers. HINT: np.eye(classes)[winner] turns a vote into a row of 0 and
    # en: 1; a little of the mean probability decides ties.
    ### BEGIN SOLUTION
    votes = np.eye(probabilities.shape[2])[probabilities.argmax(axis=2)].sum(axis=0)
    return (votes + 1e-3 * probabilities.mean(axis=0)).argmax(axis=1)
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_p = np.array([[[0.4, 0.6, 0.0]], [[0.4, 0.6, 0.0]], [[0.9, 0.1, 0.0]]])
_given = vote(_p)
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
assert int(_given[0]) != 0, say(zh="这是软投票的结果（平均概率）；硬投票是 2 比 1。",
                                en="That is the soft vote (mean probability); hard, it is 2 to 1.")
assert int(_given[0]) == 1, say(zh="两票对一票，应当选类别 1。", en="Two votes to one: class 1.")
_p = np.array([[[0.3, 0.3, 0.4]], [[0.05, 0.9, 0.05]]])
assert int(vote(_p)[0]) == 1, say(zh="一比一平，类别 1 的平均概率更高。",
                                  en="One to one, and class 1 has the higher mean probability.")
_p = np.random.default_rng(0).dirichlet(np.ones(5), (3, 40))
assert np.array_equal(vote(_p), hard_vote(_p).argmax(1)), say(
    zh="与库里的 hard_vote 不同。", en="It differs from hard_vote of the library.")
### END TESTS
