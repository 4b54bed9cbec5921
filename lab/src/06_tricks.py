# %% [markdown] lang="zh"
# # 百宝箱：比赛报告里的技巧，哪些真的有用？
#
# 翻开任何一份图像分类比赛的总结，都能看到一长串技巧：Mixup、CutMix、焦点损失、均衡采样、RAdam、注意力、支持向量机、投票……每一个背后都有论文。可是论文里的提升，是在**别人的**数据上测得的。这本笔记把它们一个个拆开看懂，再教你一件更值钱的本事：判断一个技巧在**你的**照片上到底有没有用。
#
# **学完之后，你能够**
#
# - 看懂每一种经典增强，画出 Mixup 和 CutMix 的图，并算对它们的软标签；
# - 说出平滑、联合、焦点三种损失有什么不同；
# - 在类别严重不均衡时，看懂准确率和宏平均召回率为什么会说两套话，并用采样或加权去补救；
# - 用折外预测找出弱的类别、可疑的标签，给没有标签的照片定出伪标签的阈值；
# - 换优化器时知道要一起换学习率；
# - 用几行 NumPy 写出“挤压—激励”注意力；
# - 让几个分类头投票、加权、堆叠，并用成对比较说出“有用”“有害”或“没有证据”。
#
# **时间**：边运行边看约十五分钟，四道练习约三十分钟。建议先做完[第一个模型](01_first_model.ipynb)和[学习率](02_learning_rate.ipynb)。

# %% [markdown] lang="en"
# # The bag of tricks: which techniques of the contest reports really help?
#
# Open any report of an image classification contest and there is the list: mixup, CutMix, focal loss, balanced sampling, RAdam, attention, support vector machines, voting. Each has its paper. But what a paper gains, it gained on *its* data. This notebook takes the techniques apart, one by one, and then teaches the more valuable skill: to tell whether one helps on *your* photos.
#
# **Afterwards you can**
#
# - recognise every classic augmentation, draw what mixup and CutMix do, and get their soft labels right;
# - say how the smoothed, the joint and the focal loss differ;
# - see why accuracy and macro recall disagree when classes are unbalanced, and repair it with a sampler or with weights;
# - find weak classes and doubtful labels by out-of-fold predictions, and say from which confidence an unlabelled photo may join train;
# - change the learning rate along with the optimizer;
# - write squeeze-and-excitation in a few lines of NumPy;
# - let several heads vote, with weights or stacked, and say "helps", "hurts" or "no evidence" from a paired comparison.
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
# ## 1 一张照片，许多样子
#
# 经典的增强一次只动一样：翻转、平移（至多边长的 0.05）、裁剪、亮度、对比度、旋转、随机擦除（[arXiv:1708.04896](https://arxiv.org/abs/1708.04896)）。训练时它们叠在一起用，每一遍、每一张都重新抽签；这里一样一样地看。

# %% [markdown] lang="en"
# ## 1 One photo, many views
#
# The classic augmentations change one thing each: flip, shift (by at most 0.05 of the side), crop, brightness, contrast, rotation, random erasing ([arXiv:1708.04896](https://arxiv.org/abs/1708.04896)). In training they act together, drawn anew for each photo and each pass; here they are one by one.

# %%
from src_mindspore.data.augment import AugmentSpec, augment
from src_mindspore.data.decode import load_rgb

records = photos.splits["train"]
photo = load_rgb(photos.root / records[0].path)
off = {**dict.fromkeys(("flip", "brightness", "contrast", "saturation"), 0.0), "crop_scale": (1, 1)}
kinds = ({}, {"flip": 1.0}, {"shift": 0.05}, {"crop_scale": (0.3, 0.3)}, {"brightness": 0.4},
         {"contrast": 0.4}, {"rotation": 15.0}, {"erasing": 1.0})
titles = say(zh="原图 翻转 平移 裁剪 亮度 对比度 旋转 擦除",
             en="original flip shift crop brightness contrast rotation erasing").split()
figure, axes = plt.subplots(1, len(kinds), figsize=(11, 1.9))
for axis, kind, title in zip(axes, kinds, titles, strict=True):
    axis.imshow(augment(photo, backbone.preprocess, AugmentSpec(**{**off, **kind}),
                        np.random.default_rng(12)))
    axis.set_title(title)
    axis.axis("off")

# %% [markdown] lang="zh"
# 命令行里每一样都是一个开关，例如 `--flip 0.5 --shift 0.05 --rotation 15 --erasing 0.25`。选哪些，先问一句：**变了之后，它还是那一类吗？** 左右翻转的电池还是电池，左右翻转的“左转”路牌就不是了。

# %% [markdown] lang="en"
# On the command line each is a flag, for example `--flip 0.5 --shift 0.05 --rotation 15 --erasing 0.25`. Which ones to take? Ask: **is it still of the same class afterwards?** A mirrored battery is a battery; a mirrored "turn left" sign is not.

# %% [markdown] lang="zh"
# ## 2 两张照片叠在一起：Mixup 和 CutMix
#
# Mixup（[arXiv:1710.09412](https://arxiv.org/abs/1710.09412)）把两张照片按比例混合，CutMix（[arXiv:1905.04899](https://arxiv.org/abs/1905.04899)）从一张照片上剪下一块贴到另一张上。标签也照样混合：七成电池、三成报纸，就是 0.7 和 0.3。这样的标签叫**软标签**，每一行加起来必须等于 1。

# %% [markdown] lang="en"
# ## 2 Two photos in one: mixup and CutMix
#
# Mixup ([arXiv:1710.09412](https://arxiv.org/abs/1710.09412)) blends two photos; CutMix ([arXiv:1905.04899](https://arxiv.org/abs/1905.04899)) cuts a piece out of one and puts it on the other. The label is mixed in the same shares: seven tenths battery, three tenths newspaper becomes 0.7 and 0.3. That is a **soft label**; each row has to sum to 1.

# %%
from src_mindspore.data.mix import mix
from src_mindspore.data.preprocess import resize_and_crop

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
# ## 3 软标签的损失
#
# 库里所有的损失都接受软标签。拿一张七成电池、三成报纸的照片，比较三个回答：没把握的、恰好说对比例的、过于自信的。**标签平滑**（[arXiv:1512.00567](https://arxiv.org/abs/1512.00567)）先从标签里拿出一点概率分给所有类；**联合损失**是交叉熵和平滑后的交叉熵的加权和；**焦点损失**（[arXiv:1708.02002](https://arxiv.org/abs/1708.02002)）让已经有把握的部分少算一些。

# %% [markdown] lang="en"
# ## 3 What a loss says about a soft label
#
# All losses of the library take soft labels. Take a photo that is seven tenths battery and three tenths newspaper, and three answers about it: an unsure one, one with just these shares, and one that is too sure. **Label smoothing** ([arXiv:1512.00567](https://arxiv.org/abs/1512.00567)) first takes a little probability from the label and spreads it over all classes; the **joint loss** is a weighted sum of cross-entropy and smoothed cross-entropy; in the **focal loss** ([arXiv:1708.02002](https://arxiv.org/abs/1708.02002)) what is already sure counts less.

# %%
import mindspore as ms
from src_mindspore.data.mix import soft_label
from src_mindspore.training.focal_loss import FocalLoss
from src_mindspore.training.joint_loss import JointLoss
from src_mindspore.training.losses import SoftmaxCrossEntropy

label = ms.Tensor(soft_label(0, 1, 0.7, num_classes=3)[None])
answered = np.log([[0.4, 0.3, 0.3], [0.69, 0.3, 0.01], [0.98, 0.015, 0.005]]).astype(np.float32)
losses = {"cross-entropy": SoftmaxCrossEntropy(3), "smoothing 0.3": SoftmaxCrossEntropy(3, 0.3),
          "joint 0.5": JointLoss(3, share=0.5, label_smoothing=0.3), "focal 2": FocalLoss(3, 2.0)}
print(" " * 14, *(f"{np.exp(row).round(3)!s:>20}" for row in answered))
for name, loss in losses.items():
    print(f"{name:14}", *(f"{float(loss(ms.Tensor(row[None]), label)):20.3f}" for row in answered))

# %% [markdown] lang="zh"
# 交叉熵最喜欢恰好的比例；平滑之后，连恰好的回答也嫌太自信，因为它几乎不给第三类机会。联合损失的每个数都恰好在前两行的正中间：交叉熵对标签是线性的，所以联合损失不过是**一半强度的平滑**，写成代码像是新东西，算一下就明白。命令行：`--label_smoothing 0.3`、`--loss joint --joint_share 0.5`、`--loss focal`。

# %% [markdown] lang="en"
# Cross-entropy likes the exact shares best. With smoothing even the exact answer is too sure, because it gives the third class next to nothing. Each number of the joint loss lies exactly in the middle of the two above it: cross-entropy is linear in its labels, so the joint loss is no more than **smoothing of half the strength**. It looks like something new in the code, and a few numbers show what it is. On the command line: `--label_smoothing 0.3`, `--loss joint --joint_share 0.5`, `--loss focal`.

# %% [markdown] lang="zh"
# ## 4 有的类三张，有的类很多张
#
# 真实的数据很少均衡。我们故意弄出一个不均衡的训练集：后一半的类，每类只留三张。验证集不动。

# %% [markdown] lang="en"
# ## 4 Three photos of one class, many of another
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
# 两种补救：**类别权重**让稀少的类在损失里说话更响；**采样**让它们在一轮里多出现几次。均衡采样（balanced）让每一类同样多；加权采样（weighted，[arXiv:1805.00932](https://arxiv.org/abs/1805.00932)）给每张照片的权重是本类张数的 −0.5 次方，介于均衡和不管之间。

# %% [markdown] lang="en"
# Two remedies: **class weights** make the rare classes louder in the loss, a **sampler** shows them more often in an epoch. The balanced one shows every class equally often; the weighted one ([arXiv:1805.00932](https://arxiv.org/abs/1805.00932)) draws a photo of a class of n with a weight of n to the power of −0.5, which lies between that and none.

# %%
from src_mindspore.training.samplers import build_sampler

for kind in ("none", "weighted", "balanced"):
    sampler = build_sampler(kind, labels[kept], len(photos.classes))
    drawn = labels[kept][sampler(np.random.default_rng(1))]
    print(f"{kind:9}", say(zh="一轮里小类占", en="share of the small classes in an epoch:"),
          f"{np.isin(drawn, list(small)).mean():.0%}")

# %% [markdown] lang="zh"
# 用两把尺子量：top-1 按照片数，宏平均召回率（macro recall）按类平均。

# %% [markdown] lang="en"
# Two yardsticks: top-1 counts photos, macro recall averages over classes.

# %%
truth = caches["val"].labels
ways = {"plain": {}, "inverse": {"class_weights": "inverse"},
        "effective": {"class_weights": "effective"}, "balanced": {"sampler": "balanced"},
        "weighted": {"sampler": "weighted"}, "focal": {"loss": "focal"}}
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
# ## 5 去问没学过的头：折外预测
#
# 下面三个技巧都要知道模型**对没见过的照片**有多大把握。把训练集分成三折，每张照片由没学过它（也没学过它的副本）的头来回答，这就是折外预测（out of fold）。验证集一张也不用。

# %% [markdown] lang="en"
# ## 5 Ask a head that has not learnt it: out of fold
#
# The next three techniques need to know how sure a model is about photos *it has not seen*. Divide train into three folds, and let each photo be answered by a head that learnt neither from it nor from a copy of it. Val is not touched.

# %%
from scipy.special import softmax
from src_mindspore.data.duplicates import group_ids
from src_mindspore.evaluation.crossval import CrossvalData, out_of_fold_logits
from src_mindspore.training.calibration import fit_temperature

# zh: 缓存里只有一遍没有增强的特征，所以学的和考的是同一份。
# en: The cache holds one pass without augmentation, so the same features are learnt and asked.
copies = group_ids(photos.root, records, progress=False)
data = CrossvalData(caches["train"], caches["train"], copies, config.memory_limit_mb)
logits, fold_of = out_of_fold_logits(data, backbone, photos.classes, lab.config(**recipe), folds=3)
out_of_fold = softmax(logits / fit_temperature(logits, labels), axis=1)
print(f"{(out_of_fold.argmax(1) == labels).mean():.1%}")

# %% [markdown] lang="zh"
# **上采样**：召回率低于平均的类，多读几遍，每遍裁剪得不一样；最弱的类多读 4 遍，其余按差多少来分。`--upsample 4` 就是这样算的。

# %% [markdown] lang="en"
# **Upsampling**: classes whose recall is below the mean are read a few more times, each time cropped differently; the weakest gets 4 further passes, others in proportion to what they lack. That is what `--upsample 4` does.

# %%
from src_mindspore.training.upsample import recall_of, weak_passes

names = photos.classes.in_language(lab.language)
recall = recall_of(out_of_fold, labels, len(names))
passes = weak_passes(recall, 4)
for c in np.argsort(recall, kind="stable")[:6]:
    print(f"{recall[c]:6.1%}  +{passes[c]}  {names[c]}")

# %% [markdown] lang="zh"
# **清洗数据**：标签和折外概率对不上的照片，值得看一眼（[arXiv:1911.00068](https://arxiv.org/abs/1911.00068)）。这里把三个标签写错，看看能不能找到，排在第几。（为了快，头学的仍是正确的标签；在[网络看见了什么](04_what_the_network_sees.ipynb)第 6 节，错标签也参加训练，还能看到照片。）

# %% [markdown] lang="en"
# **Data cleaning**: photos whose label disagrees with the out-of-fold probabilities are worth a look ([arXiv:1911.00068](https://arxiv.org/abs/1911.00068)). Here three labels are written wrongly; are they found, and at which place? (To be quick, the heads learnt from the right ones. In section 6 of [What the network sees](04_what_the_network_sees.ipynb) they learn from the wrong ones too, and you see the photos.)

# %%
from src_mindspore.data.cleaning import find_suspects

given, wrong = labels.copy(), [20, 200, 400]
given[wrong] = (given[wrong] + 5) % len(names)
suspects = [s.number for s in find_suspects(given, out_of_fold)]
places = [place for place, number in enumerate(suspects, 1) if number in wrong]
print(say(zh=f"{len(labels)} 张里有 {len(suspects)} 张可疑；写错的三张找到 {len(places)} 张，排在第 {places} 位",
          en=f"{len(suspects)} suspects among {len(labels)}; {len(places)} of the three wrong ones found, at the places {places}"))

# %% [markdown] lang="zh"
# `python -m src_mindspore.data.cleaning` 画出可疑的照片，写出一张表；你在表里填保留、删除或改标，训练时用 `--decisions` 读它。**决定权在人。**
#
# **伪标签**（[arXiv:2001.06001](https://arxiv.org/abs/2001.06001)）：没有标签的照片，模型有把握的就当作有标签，加进训练集。多大把握才算数？每一类、每一档（要求 99 %、97 %、95 % 的回答是对的）各有一个阈值，由折外预测定出。我们把第 0 折当作没有标签的照片，一档一档地放宽。

# %% [markdown] lang="en"
# `python -m src_mindspore.data.cleaning` draws the suspects and writes a table in which you fill in keep, drop or relabel; training reads it with `--decisions`. **A person decides.**
#
# **Pseudo-labels** ([arXiv:2001.06001](https://arxiv.org/abs/2001.06001)): photos without labels, where the model is sure of them, join train with the class it names. How sure is sure? Each class has a threshold for each level (99 %, 97 %, 95 % of the answers have to be right), derived from out-of-fold predictions. Let fold 0 be the photos without labels, and open one level after the other.

# %%
from src_mindspore.training.pseudo_labels import LEVELS
from src_mindspore.training.thresholds import accept, class_room, class_thresholds

asked = fold_of == 0
thresholds = class_thresholds(out_of_fold[~asked], labels[~asked], LEVELS)
room = class_room(np.bincount(labels[~asked]), share=0.5)
for opened, level in enumerate(LEVELS, 1):
    numbers, guessed, _ = accept(out_of_fold[asked], thresholds[:opened], room)
    right_ones = int((guessed == labels[asked][numbers]).sum())
    print(say(zh=f"放宽到 {level:.0%}：{asked.sum()} 张里采纳 {len(numbers)} 张，其中 {right_ones} 张是对的",
              en=f"down to {level:.0%}: {len(numbers)} of {asked.sum()} taken, {right_ones} of them rightly"))

# %% [markdown] lang="zh"
# 越宽采纳得越多，错的也越容易混进来。`python -m src_mindspore.training.pseudo_labels --unlabelled 文件夹` 一轮一轮地做，验证集不再变好就退回上一轮，每轮采纳了哪些照片都留有图片。

# %% [markdown] lang="en"
# The wider the door, the more come in, wrong ones among them. `python -m src_mindspore.training.pseudo_labels --unlabelled FOLDER` does it round by round, takes a round back when val does not gain, and keeps pictures of what each round took.

# %% [markdown] lang="zh"
# ## 6 换优化器，也要换学习率
#
# RAdam（[arXiv:1908.03265](https://arxiv.org/abs/1908.03265)）在头几步还不相信自己的步长估计；Lookahead（[arXiv:1907.08610](https://arxiv.org/abs/1907.08610)）每走几步就退回一半，可以套在任何优化器外面（`--lookahead 6`）；Ranger 把两者合在一起。下面的图在训练时**原地更新**。

# %% [markdown] lang="en"
# ## 6 Another optimizer wants another learning rate
#
# RAdam ([arXiv:1908.03265](https://arxiv.org/abs/1908.03265)) does not trust its own scale in the first steps; Lookahead ([arXiv:1907.08610](https://arxiv.org/abs/1907.08610)) takes a few steps and goes half of them back, around any optimizer (`--lookahead 6`); Ranger is both. The chart below is **redrawn in place** while they train.

# %%
from src_mindspore.evaluation.plots_recipe import plot_runs

everything = np.arange(len(labels))
histories, picture = {}, lab.live()
for name, lookahead, lr_max in (("momentum", 0, 0.005), ("momentum", 6, 0.005), ("adam", 0, 0.005),
                                ("radam", 0, 0.005), ("ranger", 0, 0.01)):
    config = lab.config(**{**recipe, "optimizer": name, "lookahead": lookahead, "lr_max": lr_max,
                           "epochs": 10})
    spec = head_spec(config, backbone.channels, len(photos.classes), len(everything))
    splits = [split_of(caches[split], spec, config) for split in ("train", "val")]
    trainer = make_trainer(spec, *splits, caches["train"].index, config)
    histories[f"{name}{' + lookahead' if lookahead else ''}, lr {lr_max:g}"] = trainer.history
    for row in trainer.run():
        if row["epoch"] % 5 == 0:
            picture.draw(plot_runs, histories)

# %% [markdown] lang="zh"
# 训练在别处跑、想远远地看着它，就加上 `--tensorboard true`：每轮的数字除了进 `history.csv`，也写进运行文件夹的 TensorBoard 事件文件，`tensorboard --logdir results/runs` 打开它。默认是关的，训练循环里也没有 `if`：关着的时候，循环拿到的是一个什么都不画的 `NoCharts`。下面写一个文件，再读回来。

# %% [markdown] lang="en"
# To watch a training that runs elsewhere, add `--tensorboard true`: the figures of each epoch go into `history.csv` and also into a TensorBoard event file in the run's folder; `tensorboard --logdir results/runs` shows it. It is off by default, and there is no `if` in the loop for it: where it is off, the loop talks to `NoCharts`, which draws nothing. Here a file is written and read back.

# %%
import tempfile
from src_mindspore.training.live_charts import FOLDER, charts_of
from tensorboardX.proto.event_pb2 import Event

with tempfile.TemporaryDirectory() as folder:
    with charts_of(lab.config(tensorboard=True), folder) as charts:
        for row in trainer.history:
            charts.epoch(row, trainer.confusion)
    content = next((Path(folder) / FOLDER).iterdir()).read_bytes()
# zh: 每条记录：8 字节长度、4 字节校验、内容、4 字节校验。
# en: A record: 8 bytes of length, 4 of checksum, the content, 4 of checksum.
while content:
    end = 12 + int.from_bytes(content[:8], "little")
    event, content = Event.FromString(content[12:end]), content[end + 4:]
    for value in event.summary.value:
        if event.step == len(trainer.history):
            shown = f"{value.simple_value:.4g}" if value.HasField("simple_value") else f"{value.image.width} x {value.image.height}"
            print(event.step, f"{value.tag:14} {shown}")

# %% [markdown] lang="zh"
# ## 7 注意力：看全图，再决定听谁的
#
# “挤压—激励”（SE，[arXiv:1709.01507](https://arxiv.org/abs/1709.01507)）先把每个通道平均成一个数（挤压），经过两层小网络，得到每个通道一个 0 到 1 的系数（激励），再乘回去。CBAM（[arXiv:1807.06521](https://arxiv.org/abs/1807.06521)）多看一个最大值，然后再给每个**位置**一个系数。两者都是普通的 Cell，可以插进任何网络；作为分类头要用没有池化的特征：`--head cbam --reduction none --normalise false`。

# %% [markdown] lang="en"
# ## 7 Attention: see the whole, then decide whom to listen to
#
# Squeeze-and-excitation (SE, [arXiv:1709.01507](https://arxiv.org/abs/1709.01507)) averages every channel to one number, sends them through two small layers, and gets a factor from 0 to 1 for every channel, which is multiplied back. CBAM ([arXiv:1807.06521](https://arxiv.org/abs/1807.06521)) also looks at the maxima, and then gives every *position* a factor. Both are plain Cells that go into any network; as heads they need unpooled features: `--head cbam --reduction none --normalise false`.

# %%
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
# CBAM 就是这两步接起来：先给通道系数，再看乘过的图，给位置系数。拆开来走一遍，和整个 Cell 的结果相同。

# %% [markdown] lang="en"
# CBAM is these two steps in a row: first the channels get their factors, then the positions, by what the map shows after that. Taken step by step it answers what the Cell answers as a whole.

# %%
from src_mindspore.attention.cbam import CBAM

cbam = CBAM(backbone.channels)
by_channel = feature_map * cbam.of_channels(feature_map)
positions = cbam.of_positions(by_channel)
print(f"{float((cbam(feature_map) - by_channel * positions).abs().max()):.1e}")
shown = {say(zh="照片", en="photo"): resize_and_crop(photo, backbone.preprocess),
         say(zh="特征图的平均", en="mean of the map"): feature_map.mean(1).asnumpy()[0],
         say(zh="位置的系数", en="factors of the positions"): positions.asnumpy()[0, 0],
         say(zh="经过 CBAM", en="after CBAM"): cbam(feature_map).mean(1).asnumpy()[0]}
figure, axes = plt.subplots(1, 4, figsize=(9, 2.5))
for axis, (title, values) in zip(axes, shown.items(), strict=True):
    axis.imshow(values)
    axis.set_title(title)
    axis.axis("off")

# %% [markdown] lang="zh"
# ## 8 换一个骨干
#
# `--backbone mindcv:名字` 可以用 MindCV 里的任何一个网络（ResNet、ResNeSt、SqueezeNet、EfficientNet、Inception……），权重用你自己的文件（`--pretrained_ckpt`，MindSpore 或 PyTorch 的都行，读 PyTorch 的文件不需要装 torch）。没有权重时特征是随机的，程序会大声说出来；对不上的文件，每一个不合适的参数都会点名。

# %% [markdown] lang="en"
# ## 8 Another backbone
#
# `--backbone mindcv:NAME` takes any architecture of MindCV (ResNet, ResNeSt, SqueezeNet, EfficientNet, Inception, ...), with weights from a file of yours (`--pretrained_ckpt`, of MindSpore or of PyTorch, which need not be installed). Without weights the features are random, and it says so loudly; of a file that does not fit, every parameter at fault is named.

# %%
from src_mindspore.errors import LabError
from src_mindspore.weights.fit_names import fit_names

other_backbone = prepare_backbone(lab.config(backbone="mindcv:squeezenet1_1"))
print(other_backbone.channels, other_backbone.source)
# zh: 假装有一个文件：第一层是给灰度照片的，第二个参数换了名字。
# en: As if there were a file: its first layer is for grey photos, its second parameter has another name.
expected = {p.name: tuple(p.shape) for p in other_backbone.cell.get_parameters()}
tensors = {name: np.zeros(shape, np.float32) for name, shape in expected.items()}
first, second, *_ = expected
tensors[first] = tensors[first][:, :1]
tensors["stranger.bias"] = tensors.pop(second)
try:
    fit_names(tensors, expected, "squeezenet1_1.pth")
except LabError as error:
    print(error)

# %% [markdown] lang="zh"
# ## 9 几个头一起投票
#
# 四个不同的头：线性、RBF，以及线性和 RBF 两种支持向量机。支持向量机给出的不是概率，要先除以一个温度，才能和别人的概率放在一起平均。（温度本应由折外预测得出，为了快，这里直接用验证集来拟合；`python -m src_mindspore.ensemble` 用的是折外预测。）

# %% [markdown] lang="en"
# ## 9 Several heads vote
#
# Four heads of different kinds: linear, RBF, and two support vector machines, a linear one and one with an RBF kernel. What the machines answer are no probabilities; divided by a temperature they can be averaged with those of others. (Temperatures should come from out-of-fold predictions; to be quick they are fitted on val here. `python -m src_mindspore.ensemble` does it right.)

# %%
from src_mindspore.ensemble.voting import hard_vote, soft_vote

heads = {"linear": {}, "rbf": {"head": "rbf", "normalise": False, "lr_max": 0.3},
         "svm_linear": {"head": "svm_linear"}, "svm_rbf": {"head": "svm_rbf", "normalise": False}}
said = {name: learn(everything, **changes) for name, changes in heads.items()}
probabilities = np.array([softmax(x / fit_temperature(x, truth), axis=1) for x in said.values()])
right = {name: x.argmax(1) == truth for name, x in said.items()}
right["soft vote"] = soft_vote(probabilities).argmax(1) == truth
right["hard vote"] = hard_vote(probabilities).argmax(1) == truth
for name, answers_right in right.items():
    print(f"{name:10} {answers_right.sum()} / {len(truth)}")

# %% [markdown] lang="zh"
# 每一票都一样重吗？**加权投票**给每个头一个权重，让软投票的交叉熵最小；**堆叠**（stacking）再训练一个逻辑回归，输入是所有头的对数概率。两者都只能从头们没学过的照片里学：这里用验证集，堆叠再分五折，每一折由没见过它的逻辑回归来回答。

# %% [markdown] lang="en"
# Should every vote count the same? A **weighted vote** gives each head a weight, such that the soft vote has the least cross-entropy; **stacking** trains a logistic regression on the log-probabilities of all heads. Both may learn only from photos the heads have not learnt from: val here, which for stacking is divided into five folds, each answered by a regression that has not seen it.

# %%
from src_mindspore.data.split import dealt_folds
from src_mindspore.ensemble.stacking import cross_fitted_logits
from src_mindspore.ensemble.voting import fit_weights

weights = fit_weights(probabilities, truth)
print(", ".join(f"{name} {weight:.2f}" for name, weight in zip(said, weights, strict=True)))
right["weighted vote"] = soft_vote(probabilities, weights).argmax(1) == truth
folds = dealt_folds(truth, np.arange(len(truth)), 5, seed=1)
right["stacking"] = cross_fitted_logits(probabilities, truth, folds).argmax(1) == truth
for name in ("weighted vote", "stacking"):
    print(f"{name:13} {right[name].sum()} / {len(truth)}")

# %% [markdown] lang="zh"
# 一百多张照片教不会堆叠多少东西：它要学的权重比照片还多。加权投票只学四个数，稳得多（不过它考的正是学过的照片，成绩略微偏高）。命令行：`python -m src_mindspore.ensemble --runs A B --vote weighted`。
#
# 一个模型也可以和自己投票：**测试时增强**（TTA）。同一张照片看几眼，用的正是训练时的裁剪和翻转，颜色不动，再把概率平均。下面让第 6 节最后的头（Ranger）看一张它最没把握的验证照片，每个样子上面是它给真实类别的概率，第一个是照片本身。

# %% [markdown] lang="en"
# A hundred-odd photos teach a stack little: it has more weights to learn than there are photos. A weighted vote learns four numbers, and is steadier (though it is judged on the photos it learnt from, which flatters it a little). On the command line: `python -m src_mindspore.ensemble --runs A B --vote weighted`.
#
# A model can also vote with itself: **test-time augmentation** (TTA). It looks at a photo several times, with the very crops and flips of training but the colours left alone, and the probabilities are averaged. Here the last head of section 6 (Ranger) looks at the val photo it is least sure of; above each view stands the probability it gives to the true class, and the first is the photo itself.

# %%
from src_mindspore.data.preprocess import normalise
from src_mindspore.data.tta import TTASpec
from src_mindspore.features.of_config import augmentation_of

least_sure = softmax(trainer.logits(trainer.val), axis=1).max(1).argmin()
doubtful, tta = photos.splits["val"][least_sure], TTASpec("crops", views=6)
views = tta.views_of(load_rgb(photos.root / doubtful.path), backbone.preprocess,
                     augmentation_of(config).to_dict())
head = trainer.head.set_train(False)
logits = np.stack([head(backbone.cell(ms.Tensor(pixels[None]))).asnumpy()
                   for pixels in normalise(views, backbone.preprocess)])
of_truth = softmax(logits, axis=2)[:, 0, doubtful.label]
together = softmax(tta.combine(logits), axis=1)[0, doubtful.label]

# %%
figure, axes = plt.subplots(1, len(views), figsize=(11, 2.3))
for axis, view, share in zip(axes, views, of_truth, strict=True):
    axis.imshow(view)
    axis.set_title(f"{share:.1%}")
    axis.axis("off")
print(f"{names[doubtful.label]}: {together:.1%}")

# %% [markdown] lang="zh"
# 打印出来的数是六个样子的平均。命令行：`evaluate.py --tta crops --tta_views 6`，或只加一张镜像的 `--tta flip`；几个样子就要几倍的时间。

# %% [markdown] lang="en"
# The number printed is the mean over the six views. On the command line: `evaluate.py --tta crops --tta_views 6`, or with the mirror image alone `--tta flip`. It takes as many times longer as there are views.

# %% [markdown] lang="zh"
# ## 10 有用、有害，还是没有证据？
#
# 两个模型考的是**同一批**照片，所以比较的是成对的差别：每张照片上谁对谁错。把照片有放回地重抽两千次（bootstrap），看差值在什么范围里：整个区间都大于 0，才说“有用”。

# %% [markdown] lang="en"
# ## 10 Helps, hurts, or no evidence?
#
# Both models were asked about *the same* photos, so what counts is the difference photo by photo. Draw the photos again two thousand times, with replacement (the bootstrap), and see where the difference lies: only if the whole interval is above 0, it "helps".

# %%
from src_mindspore.evaluation.paired import paired_difference

for name in right:
    d = paired_difference(right["linear"][None], right[name][None], np.arange(len(truth)))
    print(f"{name:13} {d.mean:+.3f} [{d.low:+.3f}, {d.high:+.3f}] {d.verdict}")

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
