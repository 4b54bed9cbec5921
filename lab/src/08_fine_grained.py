# %% [markdown] lang="zh"
# # 细粒度识别：差别藏在细节里
#
# 鞋子和香蕉皮一眼就能分开，波音 737-300 和 737-400 却要数窗户。类别越像，下面几个问题越要紧：输入要多大、网络要多大；网络看的是不是该看的地方；预训练的骨干网络要放开多少层一起训练。
#
# **学完之后，你能够**
#
# - 用复合缩放（compound scaling）算出 EfficientNet B0 到 B7 的参数量和乘加次数，并解释为什么深度、宽度、分辨率要一起长；
# - 读懂 FGVC-Aircraft 的文件格式，并把版权条裁掉，而且训练、评估、部署用的是同一处裁剪；
# - 用 Grad-CAM 和一个“换条”实验，查出网络是不是在看不该看的东西；
# - 说清“放开最后几层”到底放开了多少参数；
# - 看出错误是“认错了型号”，还是“连哪一家的都认错了”。
#
# **时间**：边运行边看约十分钟，四道练习约三十分钟。图片由程序绘制，不需要下载。

# %% [markdown] lang="en"
# # Fine-grained recognition: the difference is in the details
#
# A shoe is not a banana peel, and one look is enough. To tell a 737-300 from a 737-400 you count windows. The more alike the classes are, the more these questions matter: how large must the input be, and how large the network; does the network look at what it should look at; and how much of a pretrained backbone should be trained along.
#
# **Afterwards you can**
#
# - compute parameters and multiply-adds of EfficientNet B0 to B7 by compound scaling, and say why depth, width and resolution grow together;
# - read the layout of FGVC-Aircraft, and cut off its copyright banner in the one place that training, evaluation and deployment share;
# - find out with Grad-CAM, and with an experiment that exchanges banners, whether a network looks at something it should not;
# - say how many parameters "the last few blocks" really are;
# - tell a mistaken variant from a mistaken manufacturer.
#
# **Time**: ten minutes to run and look, about thirty for the four exercises. The pictures are drawn by a program; nothing is downloaded.

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
# ## 1 六种很像的飞机
#
# 真正的 FGVC-Aircraft 有 100 个型号、一万张照片，每张最下面 20 行是一条版权条，写着摄影师的名字。这里画一个小号的：六个型号，同样的目录结构，同样的 20 行条。先别看答案，自己找找：哪两种之间差别最小？

# %% [markdown] lang="en"
# ## 1 Six aircraft, much alike
#
# The real FGVC-Aircraft has 100 variants and ten thousand photos, each with a copyright banner in its last 20 rows that names the photographer. Here is a small one, drawn: six variants, the same layout, the same 20 rows. Before you read on: which two differ least?

# %%
from src_mindspore.data.drawn_aircraft import draw_set
from src_mindspore.data.folder import read_folder
from src_mindspore.evaluation.gallery import PLAIN, plot_photos

aircraft = draw_set("datasets/drawn-aircraft", train=16, val=6, test=8)
folder = read_folder(aircraft)
names = folder.classes.english
firsts = [[f for f in folder.splits["train"] if f.label == c][n] for c in range(6) for n in (0, 1)]
lab.show(plot_photos, aircraft, [(f.path, ((names[f.label], PLAIN),)) for f in firsts],
         say(zh="每个型号两张", en="two of each variant"))

# %% [markdown] lang="zh"
# R90 和 R95/F 只差一排窗户（F 是货机），A20 和 A40 差在机翼下的发动机个数。这就是“细粒度”：把图缩得太小，窗户就没了。
#
# 目录里没有类别文件夹，谁属于哪一类、在哪一份，写在列表文件里：

# %% [markdown] lang="en"
# R90 and R95/F differ in a row of windows (F is the freighter), A20 and A40 in the number of engines under the wing. That is what "fine-grained" means: shrink the picture too far, and the windows are gone.
#
# There are no class folders here. Lists say which image belongs to which class and split:

# %%
print((aircraft / "images_variant_train.txt").read_text()[:48])
for level in ("variant", "family", "manufacturer"):
    found = read_folder(aircraft, fgvc_level=level)
    print(level, found.classes.english, {s: len(f) for s, f in found.splits.items()})

# %% [markdown] lang="zh"
# ## 2 复合缩放：一个规则，八个网络
#
# 看不清细节，最直接的办法是放大输入。可是只放大输入，网络的“视野”和通道数跟不上；只加深或者只加宽，也很快见顶。EfficientNet（[arXiv:1905.11946](https://arxiv.org/abs/1905.11946)）让三者一起长：深度 $1.2^\phi$，宽度 $1.1^\phi$，分辨率 $1.15^\phi$。$\phi$ 每加 1，计算量大约翻一倍，因为 $1.2 \times 1.1^2 \times 1.15^2 \approx 2$。
#
# 下面的数不是抄来的，是按网络结构一层一层数出来的；灰线是论文公布的值。

# %% [markdown] lang="en"
# ## 2 Compound scaling: one rule, eight networks
#
# If the details are too small, enlarge the input. But with a larger input alone, the network's field of view and its channels fall behind, and depth or width alone soon stop paying. EfficientNet ([arXiv:1905.11946](https://arxiv.org/abs/1905.11946)) lets the three grow together: depth $1.2^\phi$, width $1.1^\phi$, resolution $1.15^\phi$. Every step of $\phi$ about doubles the work, because $1.2 \times 1.1^2 \times 1.15^2 \approx 2$.
#
# The figures below are not copied; they are counted layer by layer. The grey marks are what the paper says.

# %%
from src_mindspore.backbones.compound_scaling import count, table
from src_mindspore.evaluation.plots_scaling import plot_scaling

lab.show(plot_scaling, table())

# %% [markdown] lang="zh"
# 到 B3 为止，公布的网络紧贴公式；B4 到 B7 比公式略大。看看右图的纵轴（对数刻度）：B7 的计算量接近 B0 的一百倍。在双核 CPU 上，B0 一张图要几十毫秒，B7 就要几秒。
#
# 三种办法，各花四倍计算量，看看分别买到什么：

# %% [markdown] lang="en"
# Up to B3 the published networks follow the rule closely; B4 to B7 are somewhat larger. Mind the logarithmic axis on the right: B7 does nearly a hundred times the work of B0. Where B0 takes tens of milliseconds on two CPU cores, B7 takes seconds.
#
# Three ways to spend about four times the work, and what each buys:

# %%
for name, depth, width, side in (("B0", 1, 1, 224), ("side x 2", 1, 1, 448),
                                 ("width x 2", 1, 2, 224), ("depth x 4", 4, 1, 224),
                                 ("phi = 2", 1.44, 1.21, 296)):
    parameters, work, blocks = count(depth, width, side)
    print(f"{name:10s} {parameters / 1e6:5.1f} M  {work / 1e6:5.0f} M multiply-adds  "
          f"{blocks} blocks")

# %% [markdown] lang="zh"
# 放大输入一个参数都不多，加宽四倍的计算换来三倍多的参数。复合缩放把钱分到三处。
#
# ## 3 版权条：裁在哪里
#
# 裁剪只写在一个地方：`PreprocessSpec.crop_bottom`。它随权重、缓存、导出文件一起走，提取特征、评估、`predict` 裁的是同样的 20 行。训练裁了、部署忘了裁，这种错就不会发生。

# %% [markdown] lang="en"
# A larger input costs no parameter; twice the width buys three times as many. Compound scaling spreads the money.
#
# ## 3 The banner: where it is cut off
#
# The crop is written in one place, `PreprocessSpec.crop_bottom`. It travels with the weights, the caches and the exported files, and extraction, evaluation and `predict` all cut the same 20 rows. To cut in training and forget it in deployment is not possible.

# %%
import matplotlib.pyplot as plt
from src_mindspore.data.decode import load_rgb
from src_mindspore.data.preprocess import PreprocessSpec, resize_and_crop

photo = load_rgb(aircraft / firsts[0].path)
figure, axes = plt.subplots(1, 2, figsize=(7, 3.4))
for axis, rows in zip(axes, (0, 20), strict=True):
    spec = PreprocessSpec(160, 160, 0, "area", crop_bottom=rows)
    axis.imshow(resize_and_crop(photo, spec))
    axis.set_title(f"crop_bottom={rows}")
    axis.axis("off")

# %% [markdown] lang="zh"
# 为什么非裁不可？在这个小数据集里，训练集和验证集的每个型号各由**一位**摄影师拍摄，条的颜色就是答案；测试集则谁都可能拍谁。网络如果学会了看条，验证集发现不了。
#
# 我们训练两个模型，一个看得见条，一个看不见，其余完全一样。

# %% [markdown] lang="en"
# Why must it go? In this small set **one** photographer took all of a variant in train and in val, so the colour of the banner is the answer; in test anybody took anything. Should the network learn to read the banner, val will not tell.
#
# Two models: one sees the banner, the other does not, and nothing else differs.

# %%
from src_mindspore.data.prepare import prepare_photos

size = {"dataset_path": str(aircraft), "image_height": 160, "image_width": 160, "repeat": 3,
        "crop_scale_min": 0.9}
photos = prepare_photos(lab.config(**size), progress=False)
print(lab.config(**size).crop_bottom, {s: len(r) for s, r in photos.splits.items()})

# %%
from src_mindspore.features.of_config import extract_splits, prepare_backbone
from src_mindspore.heads.build import head_spec
from src_mindspore.model import load_model, save_model
from src_mindspore.training.head_of_config import make_trainer, split_of

def learn(rows):
    config = lab.config(**size, crop_bottom=rows)
    backbone = prepare_backbone(config)
    caches = extract_splits(photos, backbone, config)
    spec = head_spec(config, backbone.channels, len(names), caches["train"].photos)
    splits = [split_of(caches[split], spec, config) for split in ("train", "val")]
    trainer = make_trainer(spec, *splits, caches["train"].index, config)
    trainer.train_to_the_end()
    path = Path(config.results_path) / f"aircraft-{rows}.ckpt"
    save_model(path, backbone, trainer.head, spec.of(trainer.head), photos.classes, 1.0, {})
    return load_model(path)

# %%
import numpy as np
from src_mindspore.evaluation.metrics import evaluate
from src_mindspore.evaluation.predict import predict

def ask(model, split):
    records = photos.splits[split]
    labels = np.array([record.label for record in records])
    return predict(model, photos.root, [r.path for r in records], labels, progress=False)

models = {rows: learn(rows) for rows in (0, 20)}
answers = {rows: ask(model, "test") for rows, model in models.items()}
for rows, model in models.items():
    for split, said in (("val", evaluate(ask(model, "val"))), ("test", evaluate(answers[rows]))):
        low, high = said["interval"]
        print(f"crop_bottom={rows:2d} {split:4s} {said['correct']}/{said['n']}  "
              f"{low:.0%} - {high:.0%}")

# %% [markdown] lang="zh"
# 只看准确率，两个模型的差别落在区间之内：48 张测试图片说明不了什么。“没有证据”不等于“没有问题”，得换个办法问。
#
# **换条实验**：同一张测试图片，只把最下面 20 行换成另一位摄影师的，飞机一个像素都不动。答案变了的，就是在看条。

# %% [markdown] lang="en"
# By accuracy alone the two models differ within their intervals: 48 test pictures do not say much. "No evidence" is not "no problem", so ask in another way.
#
# **Exchange the banner**: the same test picture with the last 20 rows of another photographer, and not one pixel of the aircraft touched. Where the answer changes, the banner had a say.

# %%
from src_mindspore.data.drawn_aircraft import PHOTOGRAPHERS
from src_mindspore.data.preprocess import preprocess

def moved(model, said):
    """Share of test pictures with an answer that some other banner changes."""
    changed = np.zeros(len(said.paths), bool)
    for colour in PHOTOGRAPHERS:
        batch = []
        for path in said.paths:
            photo = load_rgb(photos.root / path).copy()
            photo[-20:] = colour
            batch.append(preprocess(photo, model.preprocess))
        changed |= model.logits(np.stack(batch)).argmax(1) != said.predicted
    return changed.mean()

for rows, model in models.items():
    print(f"crop_bottom={rows:2d}  {moved(model, answers[rows]):.0%}")

# %% [markdown] lang="zh"
# 裁掉条的模型一张都不变，这是必然的：它根本没见过条。看得见条的模型，会有一部分答案跟着条走，而测试准确率几乎没有提示这一点。
#
# ## 4 Grad-CAM：它在看哪里
#
# Grad-CAM 问：最后一张特征图的哪些位置，把这个类别的得分推高了？红色越亮，贡献越大。程序见 `evaluation/gradcam.py`，任何一次运行的检查点都能用：
#
# `python -m src_mindspore.evaluation.gradcam --ckpt results/latest/best.ckpt 照片.jpg`

# %% [markdown] lang="en"
# The model without the banner never moves, and cannot: it has not seen one. Of the model that sees it, some answers follow the banner, and the accuracy on test hardly hinted at that.
#
# ## 4 Grad-CAM: where does it look?
#
# Grad-CAM asks which places of the last feature map push the score of a class up. The brighter, the more. It is in `evaluation/gradcam.py` and reads the checkpoint of any run:
#
# `python -m src_mindspore.evaluation.gradcam --ckpt results/latest/best.ckpt photo.jpg`

# %%
from src_mindspore.evaluation.explanation import explain, gradcam_of
from src_mindspore.evaluation.explanation_plots import plot_heat_sheet

some = photos.splits["test"][::4]
labels = np.array([record.label for record in some])
heat = {}
for rows, model in models.items():
    cam = gradcam_of(model)
    heat[rows] = list(explain(model, cam, photos.root, [r.path for r in some], labels))
lab.show(plot_heat_sheet, heat[0], photos.classes, title="crop_bottom=0")

# %%
lab.show(plot_heat_sheet, heat[20], photos.classes, title="crop_bottom=20")

# %% [markdown] lang="zh"
# 热图只有 5x5 格，所以是一片一片的：输入 160 像素，骨干网络缩小 32 倍。细节落在几格里，这也是细粒度任务要用大输入的原因。最下面一行格子占了多少热量，一个数就能比：

# %% [markdown] lang="en"
# The map has 5x5 cells, hence the patches: 160 pixels, shrunk 32 times by the backbone. Details fall into a few cells, which is one more reason for a large input. How much of the heat lies in the lowest row of cells is a single number:

# %%
for rows, found in heat.items():
    below = [one.heats[one.predicted][-1].sum() / one.heats[one.predicted].sum() for one in found]
    print(f"crop_bottom={rows:2d}  {np.mean(below):.1%}")

# %% [markdown] lang="zh"
# ## 5 放开多少层
#
# 到这里骨干网络一直是冻结的。细粒度任务常常要把后面几层也放开一起训练：前几层认边缘和纹理，哪里都用得上；后几层认“整体是什么”，最需要改。放开多少，先数一数：

# %% [markdown] lang="en"
# ## 5 How much to unfreeze
#
# So far the backbone was frozen. For fine-grained classes the last blocks are often trained along: the first see edges and textures, which serve everywhere; the last see what the thing is, and there is most to change. How much is that? Count:

# %%
backbone = prepare_backbone(lab.config(**size))
sizes = {}
for parameter in backbone.cell.get_parameters():
    block = int(parameter.name.split(".")[1])
    sizes[block] = sizes.get(block, 0) + parameter.size
total, after = sum(sizes.values()), 0
for block in sorted(sizes, reverse=True)[:8]:
    after += sizes[block]
    print(f"last {max(sizes) - block + 1}: {after / 1e6:.2f} M  {after / total:.0%}")

# %% [markdown] lang="zh"
# 总共十九块，最后四块就占了一大半参数。照片少的时候，放开得越多越容易把训练集背下来，所以通常分两步：先只训练分类头，再用小得多的学习率放开后几块。BatchNorm 的统计量一般保持冻结，小批次算出来的均值太吵。
#
# ## 6 错得有多离谱
#
# 型号认错了，系列可能还是对的。同样的回答，换三个层次来计分：

# %% [markdown] lang="en"
# Of nineteen blocks, the last four hold most of the parameters. With few photos, the more is unfrozen, the sooner train is learnt by heart; so one trains the head first and then the last blocks at a much lower rate. The statistics of BatchNorm mostly stay frozen: means of small batches are noisy.
#
# ## 6 How wrong is wrong?
#
# A mistaken variant may still be the right family. The same answers, scored on three levels:

# %%
levels = {level: dict(line.split(" ", 1) for line in (
    aircraft / f"images_{level}_test.txt").read_text().splitlines())
    for level in ("variant", "family", "manufacturer")}
said = answers[20]
numbers = [Path(path).stem for path in said.paths]
group_of = {level: {levels["variant"][i]: levels[level][i] for i in numbers} for level in levels}
for level, groups in group_of.items():
    named, true = ([groups[names[i]] for i in which] for which in (said.predicted, said.labels))
    print(f"{level:13s} {sum(map(str.__eq__, named, true))}/{len(true)}")

# %% [markdown] lang="zh"
# ## 练习
#
# ### 练习 1：多少倍的计算（2 分）
#
# 深度乘 `d`、宽度乘 `w`、分辨率（边长）乘 `r`，乘加次数大约变成多少倍？

# %% [markdown] lang="en"
# ## Exercises
#
# ### Exercise 1: how many times the work? (2 points)
#
# With `d` times the depth, `w` times the width and `r` times the side of the input, about how many times the multiply-adds?

# %% tags=["exercise"] id="times-the-work" points=2
def times_the_work(d, w, r):
    # zh: 返回一个数。提示：一个卷积的乘加次数 = 输入通道 x 输出通道 x 核面积 x 位置数。
    # en: Return a number. HINT: a convolution takes channels in x channels out x kernel area x
    # en: positions.
    ### BEGIN SOLUTION
    return d * w**2 * r**2
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_given = times_the_work(1, 1, 2)
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
assert _given != 2, say(zh="边长翻倍，位置数是四倍。", en="Twice the side is four times the positions.")
assert _given == 4, say(zh=f"边长翻倍应为 4 倍，得到 {_given}。",
                        en=f"Twice the side makes 4 times, not {_given}.")
assert times_the_work(1, 2, 1) == 4, say(
    zh="宽度同时作用于输入通道和输出通道。", en="Width counts twice: channels in and channels out.")
assert times_the_work(3, 1, 1) == 3, say(zh="深度只是层数。", en="Depth is the number of layers.")
assert abs(times_the_work(1.2, 1.1, 1.15) - 1.92) < 0.01, say(
    zh="三者相乘。", en="The three multiply.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 2：读一个列表文件（2 分）
#
# `text` 是列表文件的内容，一行一张：`0034309 Boeing 707`。返回“编号 → 类别”的字典。注意类别名里可以有空格，文件里可能有空行。

# %% [markdown] lang="en"
# ### Exercise 2: read a list (2 points)
#
# `text` is the content of a list, a line an image: `0034309 Boeing 707`. Return a dict from number to class. Mind that class names may hold spaces, and the file may hold empty lines.

# %% tags=["exercise"] id="read-list" points=2
def read_list(text):
    # zh: 返回字典，编号保留成字符串（前导零不能丢）。提示：str.partition。
    # en: Return a dict; a number stays a str, with its leading zeros. HINT: str.partition.
    ### BEGIN SOLUTION
    pairs = (line.partition(" ") for line in text.splitlines() if line.strip())
    return {number: name.strip() for number, _, name in pairs}
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_given = read_list("0034309 Boeing 707\n\n1025794 F-16A/B\n")
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
assert set(_given) == {"0034309", "1025794"}, say(
    zh=f"键应是两个编号（字符串），得到 {list(_given)}。",
    en=f"The keys are the two numbers as str, not {list(_given)}.")
assert _given["0034309"] == "Boeing 707", say(
    zh=f"类别名里有空格：应为 'Boeing 707'，得到 {_given['0034309']!r}。",
    en=f"A name with a space: 'Boeing 707', not {_given['0034309']!r}.")
assert _given["1025794"] == "F-16A/B", say(zh="换行符要去掉。", en="The end of the line must go.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 3：手算 Grad-CAM（3 分）
#
# `maps` 是 (C, h, w) 的特征图，`gradients` 是某一类得分对它的梯度，形状相同。每个通道的权重是它梯度的平均值；热图是加权求和，再把负数变成 0。

# %% [markdown] lang="en"
# ### Exercise 3: Grad-CAM by hand (3 points)
#
# `maps` is a feature map (C, h, w), `gradients` the gradient of a class's score with respect to it, of the same shape. The weight of a channel is the mean of its gradient; the heat is the weighted sum, with what is negative set to 0.

# %% tags=["exercise"] id="grad-cam" points=3
def grad_cam(maps, gradients):
    # zh: 返回 (h, w) 数组。提示：mean(axis=(1, 2))，np.tensordot 或者广播，np.maximum。
    # en: Return an array (h, w). HINT: mean(axis=(1, 2)), np.tensordot or broadcasting, np.maximum.
    ### BEGIN SOLUTION
    weights = gradients.mean(axis=(1, 2))
    return np.maximum(np.tensordot(weights, maps, axes=1), 0)
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_maps = np.array([[[1.0, 2], [0, 4]], [[3, 0], [1, 1]]])
_gradients = np.array([[[1.0, 1], [1, 1]], [[-2, 0], [0, -2]]])
_given = grad_cam(_maps, _gradients)
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
_given = np.asarray(_given)
assert _given.shape == (2, 2), say(zh=f"形状应为 (2, 2)，得到 {_given.shape}。",
                                   en=f"The shape is (2, 2), not {_given.shape}.")
assert (_given >= 0).all(), say(zh="负的贡献要变成 0。", en="What is negative becomes 0.")
assert not np.allclose(_given, np.maximum((_maps * _gradients).sum(0), 0)), say(
    zh="先在每个通道内对梯度求平均，再相乘。", en="Average the gradient of each channel first.")
assert np.allclose(_given, [[0, 2], [0, 3]]), say(
    zh=f"应为 [[0, 2], [0, 3]]，得到 {_given.tolist()}。",
    en=f"It is [[0, 2], [0, 3]], not {_given.tolist()}.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 4：错误里有多少“没出家门”（3 分）
#
# `predicted` 和 `truth` 是型号名的列表，`family` 是“型号 → 系列”的字典。在认错型号的图片中，有多大比例系列还是对的？一个都没认错时返回 `None`。

# %% [markdown] lang="en"
# ### Exercise 4: which mistakes stay in the family? (3 points)
#
# `predicted` and `truth` are lists of variants, `family` a dict from variant to family. Of the pictures with a mistaken variant, which share still has the right family? Without any mistake return `None`.

# %% tags=["exercise"] id="in-the-family" points=3
def in_the_family(predicted, truth, family):
    # zh: 返回 0 到 1 之间的比例，或 None。分母是认错的张数，不是全部张数。
    # en: Return a share from 0 to 1, or None. It is a share of the mistakes, not of all pictures.
    ### BEGIN SOLUTION
    wrong = [(p, t) for p, t in zip(predicted, truth, strict=True) if p != t]
    if not wrong:
        return None
    return sum(family[p] == family[t] for p, t in wrong) / len(wrong)
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_family = {"a1": "a", "a2": "a", "b1": "b"}
_given = in_the_family(["a1", "a2", "b1", "a1"], ["a1", "a1", "a1", "a1"], _family)
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
assert _given != 0.75, say(zh="认对型号的不算错误，也不进分母。",
                           en="What has the right variant is no mistake and does not count.")
assert _given != 0.25, say(zh="分母是认错的张数。", en="Divide by the number of mistakes.")
assert _given == 0.5, say(zh=f"两个错误里一个系列对，应为 0.5，得到 {_given}。",
                          en=f"One of two mistakes has the right family: 0.5, not {_given}.")
assert in_the_family(["a1"], ["a1"], _family) is None, say(
    zh="没有错误时没有比例可言，返回 None。", en="Without mistakes there is no share: None.")
### END TESTS

# %% [markdown] lang="zh"
# **接下来**：把真正的 FGVC-Aircraft 解压后，用 `python train_head.py --dataset_path .../data` 就能训练，20 行会自动裁掉；`--fgvc_level family` 换成系列。更多见 `docs/fine_grained.md`。

# %% [markdown] lang="en"
# **From here**: unpack the real FGVC-Aircraft, and `python train_head.py --dataset_path .../data` trains on it, with the 20 rows cut off by itself; `--fgvc_level family` asks for families. More in `docs/fine_grained.md`.
