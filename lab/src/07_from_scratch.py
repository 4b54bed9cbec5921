# %% [markdown] lang="zh"
# # 从零开始：自己写卷积，搭一个 CNN，再把它训练起来
#
# 前面几本笔记里，骨干网络是别人训练好的，我们只换了最后一层。这一本反过来：卷积自己写，网络自己搭，权重从随机数开始。最后你会看到它学得有多慢，也就明白预训练权重值多少钱。
#
# **学完之后，你能够**
#
# - 把卷积拆成“取小块”和“一次矩阵乘法”，并写出它的梯度；
# - 算出任何一层的输出大小、参数量和乘加次数；
# - 说清为什么 5x5 可以换成两个 3x3，Inception 模块里的 1x1 卷积省了什么；
# - 解释 He 初始化为什么偏偏是 2 / fan_in；
# - 从曲线看出一个从零训练的网络处在哪个阶段。
#
# **时间**：运行约一分钟，阅读二十分钟，四道练习约四十分钟。

# %% [markdown] lang="en"
# # From scratch: write a convolution, build a CNN, and train it
#
# In the notebooks before this one somebody else had trained the backbone, and we replaced its last layer. Here it is the other way round: the convolution is ours, the network is ours, and the weights begin as random numbers. In the end you will see how slowly that learns, and what pretrained weights are worth.
#
# **Afterwards you can**
#
# - take a convolution apart into "cut out patches" and "one matrix product", and write its gradient;
# - work out the output size, the weights and the multiply-adds of any layer;
# - say why a 5x5 may become two 3x3, and what the 1x1 convolutions of an Inception module save;
# - explain why He's initial weights have just the variance 2 / fan_in;
# - read from the curves where a network trained from scratch stands.
#
# **Time**: about a minute to run, twenty to read, forty for the four exercises.

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
# ## 1 卷积是什么
#
# 一个 3x3 的卷积核在图上滑动：每到一处，盖住的 9 个数和核里的 9 个数对应相乘再相加，得到输出的一个数。核里放什么数，就在找什么图案。下面三个核是手写的：竖直边缘、水平边缘、模糊。网络要做的，就是自己学出几百个这样的核。

# %% [markdown] lang="en"
# ## 1 What a convolution is
#
# A kernel of 3x3 numbers slides over the picture: at each place the 9 numbers below it are multiplied with its own 9 and added up, and that is one number of the output. What the kernel holds is the pattern it looks for. The three below are written by hand: upright edges, level edges, blur. A network's task is to find hundreds of them by itself.

# %%
import matplotlib.pyplot as plt
import numpy as np
from src_mindspore.data.decode import load_rgb
from src_mindspore.data.preprocess import resize
from src_mindspore.networks.convolution import conv2d

path = sorted((lab.data / "train").glob("*/*.jpg"))[45]
grey = resize(load_rgb(path), 96, 96, "area").mean(axis=2)[None, None] / 255
edge = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], float)
kernels = np.stack((edge, edge.T, np.full((3, 3), 1 / 9)))[:, None]
maps = conv2d(grey, kernels)

# %%
names = say(zh=("输入", "竖直边缘", "水平边缘", "模糊"), en=("input", "upright edges", "level edges", "blur"))
figure, axes = plt.subplots(1, 4, figsize=(10, 2.7))
for axis, name, picture in zip(axes, names, (grey[0, 0], *maps[0]), strict=True):
    axis.imshow(picture, cmap="gray")
    axis.set_title(name)
    axis.axis("off")

# %% [markdown] lang="zh"
# ## 2 小块变成行，卷积变成一次矩阵乘法
#
# 按定义写，要套六层循环：图片、输出通道、两个位置、两个核内坐标（还有输入通道）。Python 的循环慢得没法用。窍门是把每个位置盖住的小块摊平，并排放成一个矩阵，于是所有位置、所有核一次乘完：
#
# `输出 = 核（O × C·kh·kw） @ 小块（C·kh·kw × 位置数）`
#
# `patches_of` 取小块时一个字节也不复制：它只是换了一种步长去看同一块内存。可是一旦摊平成矩阵，3x3 的核就要把每个像素抄 9 遍。看一看这笔账：

# %% [markdown] lang="en"
# ## 2 Patches become columns, a convolution becomes one matrix product
#
# Written as it is defined, it takes six nested loops and more: picture, output channel, two of position, two inside the kernel, and the input channel. Loops in Python are hopelessly slow. The trick is to flatten the patch below each position and put the patches side by side as a matrix; then all positions and all kernels are done in one product:
#
# `output = kernels (O x C*kh*kw) @ patches (C*kh*kw x positions)`
#
# `patches_of` does not copy a byte: it looks at the same memory with other strides. But to become a matrix, a 3x3 kernel has to write every pixel down 9 times. Look at the bill:

# %%
from src_mindspore.networks.convolution import patches_of

x = np.random.default_rng(0).normal(size=(8, 32, 48, 48)).astype(np.float32)
patches = patches_of(np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), (3, 3), (1, 1))
columns = patches.reshape(8, -1, 48 * 48)
print(say(zh="形状", en="shapes"), x.shape, "->", patches.shape, "->", columns.shape)
print(say(zh=f"输入 {x.nbytes / 1e6:.1f} MB，小块（视图）多占 0，矩阵 {columns.nbytes / 1e6:.1f} MB",
          en=f"input {x.nbytes / 1e6:.1f} MB, patches (a view) 0 more, matrix {columns.nbytes / 1e6:.1f} MB"))

# %% [markdown] lang="zh"
# ## 3 和 MindSpore 比一比：答案相同，速度不同
#
# 先比答案，再比时间。每种设置跑几次取最快的一次。先猜猜：哪一行差得最多？

# %% [markdown] lang="en"
# ## 3 Beside MindSpore: the same answer at another speed
#
# The answers first, then the time; the fastest of a few runs counts. A guess beforehand: in which row are they furthest apart?

# %%
import time
import mindspore as ms
from mindspore import ops

def fastest(work, *inputs, runs=4):
    seconds = []
    for _ in range(runs):
        started = time.perf_counter()
        np.asarray(work(*inputs))
        seconds.append(time.perf_counter() - started)
    return min(seconds)

# %%
rng = np.random.default_rng(1)
print(say(zh="  通道    核  边长     最大差   手写 ms   其中抄写  MindSpore ms   倍数",
          en="channels kernel side difference  ours ms  of it copying  MindSpore ms  ratio"))
for channels, kernel, side in ((3, 3, 96), (32, 3, 48), (64, 1, 48), (64, 3, 24), (32, 7, 24)):
    x = rng.normal(size=(8, channels, side, side)).astype(np.float32)
    w = rng.normal(size=(64, channels, kernel, kernel)).astype(np.float32)
    layer = ops.Conv2D(64, kernel, pad_mode="same")
    tensors = ms.Tensor(x), ms.Tensor(w)
    difference = np.abs(conv2d(x, w) - layer(*tensors).asnumpy()).max()
    padded = np.pad(x, ((0, 0), (0, 0), *[(kernel // 2, kernel // 2)] * 2))
    copying = fastest(np.ascontiguousarray, patches_of(padded, (kernel, kernel), (1, 1)))
    ours, theirs = fastest(conv2d, x, w), fastest(layer, *tensors)
    print(f"{channels:6d} {kernel:4d}x{kernel} {side:5d} {difference:11.1e} {ours * 1e3:8.1f} "
          f"{copying * 1e3:11.1f} {theirs * 1e3:13.1f} {ours / theirs:8.1f}")

# %% [markdown] lang="zh"
# 最大差不到 1e-4：两边加法的次序不同，浮点数的舍入就不同，这不是错误。
#
# 时间上，手写版并不丢人：大头是矩阵乘法，而它交给了 NumPy 背后的 BLAS，那里同样用满向量指令，也用上所有的核。剩下的差距来自乘法之外：
#
# - **抄写小块**：看“其中抄写”一列。3x3 每个像素抄 9 遍，7x7 抄 49 遍，全是内存搬运，一次乘法也没做；1x1 只抄一遍，几乎不费时间。
# - **缓存**：整个矩阵放不进处理器的缓存，抄完再读，又是一趟内存。oneDNN（MindSpore 底下算卷积的库）一小块一小块地算，数据还热着就用完。
# - **线程**：`np.pad` 和抄写只用一个核，而 oneDNN 从头到尾都把活分给各个核。
#
# 机器忙的时候数字会跳，多跑几次，看趋势而不是看某一个数。

# %% [markdown] lang="en"
# The largest difference is below 1e-4: the two add up in another order, and floating point rounds accordingly. That is no mistake.
#
# As for time, ours is nothing to be ashamed of: most of it is the product, done by the BLAS behind NumPy, which fills the vector units and the cores as well as anyone. What is lost is lost around it:
#
# - **Copying patches**: see the column. 3x3 writes each pixel 9 times, 7x7 writes it 49 times; all of that moves memory and multiplies nothing. 1x1 writes it once, which costs next to nothing.
# - **Cache**: the matrix does not fit into the processor's cache, so it is written to memory and read back. oneDNN, which computes MindSpore's convolutions, works tile by tile and is done with the data while they are warm.
# - **Threads**: `np.pad` and the copying use one core; oneDNN shares all of its work among the cores.
#
# On a busy machine the numbers jump; run it again and look at the tendency, not at one figure.

# %% [markdown] lang="zh"
# ## 4 从一层到一个网络
#
# 一层的账有三笔：输出多大、多少个权重、多少次乘加。VGG 的发现是：**两个 3x3 看到的范围等于一个 5x5**，权重只要 18/25，中间还多一次 ReLU。Inception 的发现是：不必猜哪种核合适，四座塔并排都放上，让网络自己挑；每座塔前面先用 1x1 把通道压窄，不然乘加次数会爆炸。

# %% [markdown] lang="en"
# ## 4 From a layer to a network
#
# A layer's account has three entries: how large the output, how many weights, how many multiply-adds. What VGG found: **two 3x3 see as far as one 5x5**, with 18/25 of the weights and a ReLU more. What Inception found: no need to guess which kernel is right; put four towers side by side and let the network choose, and squeeze the channels with a 1x1 in front, or the multiply-adds explode.

# %%
from src_mindspore.networks.blocks import InceptionV1, InceptionV2, VGGStack, parameter_count

blocks = {"VGG 3x3 + 3x3": VGGStack(64, (96, 96)),
          "Inception v1 (5x5)": InceptionV1(128, (64, 96, 96, 64), (64, 64)),
          "Inception v2 (3x3 + 3x3)": InceptionV2(128, (64, 96, 96, 64), (64, 64)),
          say(zh="Inception v2，不压窄", en="Inception v2, not squeezed"):
              InceptionV2(128, (64, 96, 96, 64), (128, 128))}
for name, block in blocks.items():
    print(f"{parameter_count(block):9,d}  {name}")

# %% [markdown] lang="zh"
# 我们的网络有十层带参数：两个卷积、一个三层深的 Inception、再一个三层深的 Inception、两层全连接。输入 100x100，每过一次步长或池化就减半。下图左边是各部分的权重数，右边是乘加次数。请注意两张图几乎是反过来的：**权重在后面，时间花在前面**。

# %% [markdown] lang="en"
# Our network has ten layers with weights: two convolutions, an Inception module three deep, another one three deep, and two Dense layers. The input is 100x100, and each stride or pooling halves it. Left: the weights of each part; right: its multiply-adds. Mind that the two pictures are nearly each other's opposite: **the weights are in the back, the time is spent in the front**.

# %%
from src_mindspore.heads.hidden import HiddenHead
from src_mindspore.networks.cnn import HIDDEN, ScratchCNN

network = ScratchCNN()
head = HiddenHead(192, 7, 26, HIDDEN)
parts = {"stack": network.stack, "inception1": network.inception1,
         "inception2": network.inception2, "dense": head}
weights = [parameter_count(part) / 1e3 for part in parts.values()]
# Positions of the map that each part computes on, from 100x100 with stride 2 and pooling.
places = {"inception1": 25**2, "inception2": 13**2, "dense": 1}
adds = [(100**2 * 27 * 64 + 50**2 * 64 * 9 * 128) / 1e6,
        *(parameter_count(parts[name]) * n / 1e6 for name, n in places.items())]

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 2.8))
titles = say(zh=("权重（千）", "每张图的乘加（百万）"),
             en=("weights (thousands)", "multiply-adds a picture (millions)"))
for axis, values, title in zip(axes, (weights, adds), titles, strict=True):
    bars = axis.barh(list(parts), values, color="#1f6fb4")
    axis.bar_label(bars, fmt="{:,.0f}", padding=3)
    axis.invert_yaxis()
    axis.margins(x=0.15)
    axis.set_title(title)

# %% [markdown] lang="zh"
# ## 5 起点：为什么是 2 / fan_in
#
# 每一层把 `fan_in` 个数加权求和，方差就乘上 `fan_in × 权重方差`；ReLU 又砍掉一半。要让信号穿过十层不变弱也不爆炸，权重方差就得是 `2 / fan_in`。下面让同样的随机输入穿过十层卷积，三种初始化，看每层输出的标准差（纵轴是对数）。

# %% [markdown] lang="en"
# ## 5 Where to begin: why 2 / fan_in
#
# Each layer adds up `fan_in` weighted numbers, so the variance is multiplied by `fan_in` times the variance of a weight; ReLU takes half of it away. For a signal to pass ten layers without fading or exploding, a weight's variance has to be `2 / fan_in`. Below, one random input passes ten convolutions with three kinds of initial weights; shown is the deviation behind each layer, on a logarithmic axis.

# %%
start = rng.normal(size=(4, 16, 16, 16)).astype(np.float32)
figure, axis = plt.subplots(figsize=(7, 3))
for name, deviation in ((say(zh="0.03：太小", en="0.03: too small"), 0.03),
                        ("He: sqrt(2 / 144)", (2 / 144)**0.5),
                        (say(zh="0.3：太大", en="0.3: too large"), 0.3)):
    signal, spread = start, [1.0]
    for _ in range(10):
        w = rng.normal(0, deviation, (16, 16, 3, 3)).astype(np.float32)
        signal = np.maximum(conv2d(signal, w), 0)
        spread.append(float(np.sqrt((signal**2).mean())))
    axis.semilogy(spread, marker="o", markersize=4, label=name)
axis.set_xlabel(say(zh="层", en="layer"))
axis.set_ylabel(say(zh="信号的大小", en="size of the signal"))
axis.legend()

# %% [markdown] lang="zh"
# ## 6 网络看到的照片
#
# 从零训练的网络没有见过世面，同一张照片每次换个样子给它看，等于多了许多照片：短边缩到 260，随机裁 200，翻转，改亮度和对比度，缩到 100x100。最后每张图减去自己的均值、除以自己的标准差：曝光不同的照片由此站到同一条起跑线上。评估时不随机，取正中间。

# %% [markdown] lang="en"
# ## 6 What the network sees
#
# A network from scratch knows nothing of the world, and showing it each photo in another way every time is as good as having many more: short side to 260, a random crop of 200, flipped, brightness and contrast changed, shrunk to 100x100. In the end each picture has its own mean subtracted and is divided by its own deviation: photos of different exposure start from the same line. Evaluation draws nothing at random and takes the middle.

# %%
from src_mindspore.data.prepare import prepare_photos
from src_mindspore.training.network_of_config import prepare_network, read_splits

config = lab.config("cnn_scratch", image_height=32, image_width=32, resize=84, crop=84,
                    crop_pixels=64, epochs=6, batch_size=32, workers=1)
photos = prepare_photos(config, progress=False)
network, backbone, spec = prepare_network(config, len(photos.classes))
sources, splits = read_splits(photos, backbone, config)

# %%
views = sources["train"].views
record = photos.splits["train"][45]
image = load_rgb(photos.root / record.path)
figure, axes = plt.subplots(1, 7, figsize=(11, 2.1))
axes[0].imshow(image)
axes[0].set_title(say(zh="照片", en="photo"))
for number, axis in enumerate(axes[1:]):
    axis.imshow(views.of(image, record.path, number))
    axis.set_title(say(zh=f"第 {number + 1} 轮", en=f"epoch {number + 1}"))
for axis in axes:
    axis.axis("off")

# %% [markdown] lang="zh"
# ## 7 训练
#
# 为了让你等得起，这里把输入缩到 32x32，只训练几轮；命令行上的 `train_network.py --preset cnn_scratch` 才是完整的 100x100。每一步都和训练分类头一样：取一批、算损失、求梯度、走一步，只是这次梯度一直传到第一层。

# %% [markdown] lang="en"
# ## 7 Training
#
# So that you need not wait, the input is 32x32 here, for a few epochs; the full 100x100 is `train_network.py --preset cnn_scratch` on the command line. A step is what it was for a head: take a batch, compute the loss, its gradient, step. Only now the gradient goes all the way to the first layer.

# %%
from src_mindspore.evaluation.plots import plot_history
from src_mindspore.training.network_loop import NetworkTrainer

trainer = NetworkTrainer(network, sources["train"], sources["val"], config, progress=False)
curve = lab.live()
for _ in trainer.run():
    curve.draw(plot_history, trainer.history)
last = trainer.history[-1]
print(say(zh=f"验证集 top-1 {last['val_top1']:.1%}，top-5 {last['val_top5']:.1%}；瞎猜是 {1 / len(photos.classes):.1%}",
          en=f"val top-1 {last['val_top1']:.1%}, top-5 {last['val_top5']:.1%}; guessing gives {1 / len(photos.classes):.1%}"))

# %% [markdown] lang="zh"
# **怎么读这张图**
#
# - 训练损失从 `ln(类别数)` 附近出发。若第一轮就停在那里不动，多半是学习率或初始化错了；这里它在往下走。
# - 训练曲线量的是**加了随机变化、还丢掉一部分通道**的图片，验证量的是干净的，所以验证线可以更高，这不是泄漏。
# - 验证用的是**权重的滑动平均**（EMA）。平均值落后于权重，开头几轮吃亏，后来更稳。
# - 曲线远没有走平：它还没有学完，只是我们没有时间等。几百张图片、不到一百步，对三百万个权重来说太少了。
#
# 对照第一本笔记：同样的图片，冻结的预训练骨干加一层分类头，一分钟就学会了。那个骨干看过一百多万张照片，你借用的是那一百多万张。

# %% [markdown] lang="en"
# **How to read the picture**
#
# - The train loss begins near `ln(classes)`. Were it to stay there, the learning rate or the initial weights would be wrong; here it goes down.
# - The train curves are measured on pictures that are **changed at random, with channels dropped**; val is measured on clean ones. So val may be the higher line, and that is no leak.
# - Val is asked with the **moving average** of the weights (EMA). An average lags behind: a handicap in the first epochs, steadier later.
# - The curves are far from flat: it has not finished learning, we have just no time to wait. Fewer than a hundred steps on a few hundred pictures are little for three million weights.
#
# Beside the first notebook: on the same pictures a frozen pretrained backbone and one layer had learnt it within a minute. That backbone has seen more than a million photos, and those are what you borrow.

# %% [markdown] lang="zh"
# ## 练习
#
# 写完之后保存，在命令行运行 `.venv/bin/python -m lab.check lab/zh/07_from_scratch.ipynb` 看得分和提示。
#
# ### 练习 1：输出多大（1 分）
#
# 一边长 `size`，核 `kernel`，步长 `stride`。写出 'same' 和 'valid' 两种填充下输出的边长。

# %% [markdown] lang="en"
# ## Exercises
#
# Save, and run `.venv/bin/python -m lab.check lab/en/07_from_scratch.ipynb` on the command line for points and hints.
#
# ### Exercise 1: how large is the output? (1 point)
#
# One side is `size` long, the kernel `kernel`, the stride `stride`. Write the side of the output for both paddings, 'same' and 'valid'.

# %% tags=["exercise"] id="output-size" points=1
def output_size(size, kernel, stride, pad_mode):
    # zh: 返回整数。提示：'same' 与核无关；'valid' 数一数核能放在几个位置上。
    # en: Return an integer. HINT: 'same' does not depend on the kernel; for 'valid' count the
    # en: places where the kernel fits.
    ### BEGIN SOLUTION
    if pad_mode == "same":
        return -(-size // stride)
    return (size - kernel) // stride + 1
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
assert output_size(100, 3, 2, "same") is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
assert output_size(7, 3, 2, "same") != 3, say(zh="'same' 要向上取整：7 / 2 得 4。",
                                              en="'same' rounds up: 7 / 2 gives 4.")
assert output_size(7, 3, 2, "same") == 4, say(zh="'same'，边长 7，步长 2：应为 4。", en="'same', side 7, stride 2: 4.")
assert output_size(6, 3, 1, "valid") != 3, say(zh="少数了一个位置：核从 0 到 size - kernel 都放得下。",
                                               en="One place too few: the kernel fits from 0 to size - kernel, both included.")
for _case in ((6, 3, 1), (7, 3, 2), (8, 3, 2), (5, 5, 3), (10, 1, 3)):
    _want = conv2d(np.zeros((1, 1, _case[0], _case[0])), np.zeros((1, 1, _case[1], _case[1])),
                   (_case[2], _case[2]), "valid").shape[2]
    assert output_size(*_case, "valid") == _want, say(
        zh=f"'valid' {_case}：应为 {_want}，得到 {output_size(*_case, 'valid')}。",
        en=f"'valid' {_case}: {_want}, you have {output_size(*_case, 'valid')}.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 2：自己的卷积（3 分）
#
# 'valid' 填充，用 `patches_of` 取小块，再用一次矩阵乘法（或 `np.einsum`）完成。不许写循环。

# %% [markdown] lang="en"
# ### Exercise 2: a convolution of your own (3 points)
#
# 'valid' padding; take the patches with `patches_of`, and do the rest with one matrix product (or `np.einsum`). No loops.

# %% tags=["exercise"] id="own-convolution" points=3
def my_conv2d(x, weight, stride=(1, 1)):
    # zh: x 是 (N, C, H, W)，weight 是 (O, C, kh, kw)，返回 (N, O, H', W')。
    # zh: 提示：patches_of(x, (kh, kw), stride) 的形状是 (N, C, kh, kw, H', W')。
    # en: x is (N, C, H, W), weight is (O, C, kh, kw); return (N, O, H', W').
    # en: HINT: patches_of(x, (kh, kw), stride) has the shape (N, C, kh, kw, H', W').
    ### BEGIN SOLUTION
    patches = patches_of(x, weight.shape[2:], stride)
    return np.einsum("ocij,ncijhw->nohw", weight, patches, optimize=True)
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_rng = np.random.default_rng(5)
_x, _w = _rng.normal(size=(2, 3, 7, 6)), _rng.normal(size=(4, 3, 3, 2))
_mine = my_conv2d(_x, _w)
assert _mine is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
_right = conv2d(_x, _w, (1, 1), "valid")
assert _mine.shape == _right.shape, say(zh=f"形状应为 {_right.shape}，得到 {_mine.shape}。",
                                        en=f"The shape should be {_right.shape}, not {_mine.shape}.")
assert not np.allclose(_mine, conv2d(_x, _w[:, :, ::-1, ::-1], (1, 1), "valid")), say(
    zh="你把核翻转了：深度学习里的“卷积”不翻转。", en="You flipped the kernel; deep learning's convolution does not.")
assert np.allclose(_mine, _right), say(zh="形状对了，数值不对：检查每个维度对应哪个字母。",
                                       en="The shape is right, the values are not: check which axis is which letter.")
assert np.allclose(my_conv2d(_x, _w, (2, 3)), conv2d(_x, _w, (2, 3), "valid")), say(
    zh="步长不是 1 时不对：把 stride 传给 patches_of。", en="Wrong with a stride: hand it to patches_of.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 3：它的梯度（3 分）
#
# 已知损失对输出的梯度 `gradient`（形状同输出），求损失对**权重**的梯度。权重 `w[o, c, i, j]` 在每个位置都和小块里的同一个数相乘，所以把所有位置、所有图片上的 `gradient × 小块` 加起来就是。

# %% [markdown] lang="en"
# ### Exercise 3: its gradient (3 points)
#
# Given the gradient of the loss by the output, `gradient` (shaped like the output), find that by the **weight**. The weight `w[o, c, i, j]` meets the same number of the patch at every position, so add up `gradient` times patch over all positions and all pictures.

# %% tags=["exercise"] id="own-gradient" points=3
def my_weight_gradient(x, gradient, kernel, stride=(1, 1)):
    # zh: 返回 (O, C, kh, kw)。提示：练习 2 里被求和的是 c、i、j，这里求和的是 n、h、w。
    # en: Return (O, C, kh, kw). HINT: exercise 2 summed over c, i, j; here it is n, h, w.
    ### BEGIN SOLUTION
    patches = patches_of(x, kernel, stride)
    return np.einsum("nohw,ncijhw->ocij", gradient, patches, optimize=True)
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
from src_mindspore.networks.convolution import conv2d_gradient as _gradient_of

for _stride in ((1, 1), (2, 1)):
    _shape = conv2d(_x, _w, _stride, "valid").shape
    _g = _rng.normal(size=_shape)
    _mine = my_weight_gradient(_x, _g, (3, 2), _stride)
    assert _mine is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
    _right = _gradient_of(_x, _w, _g, _stride, "valid")[1]
    assert _mine.shape == _right.shape, say(zh=f"形状应为 {_right.shape}，得到 {_mine.shape}。",
                                            en=f"The shape should be {_right.shape}, not {_mine.shape}.")
    assert not np.allclose(_mine * len(_x), _right), say(zh="图片之间应当相加，不是取平均：平均是损失函数的事。",
                                                         en="Add up over pictures instead of averaging: that is the loss's business.")
    assert np.allclose(_mine, _right), say(zh="数值不对：检查求和的是哪几个字母。",
                                           en="The values are wrong: check which letters are summed.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 4：一个 Inception 模块（3 分）
#
# 用 `conv_bn_relu(输入通道, 输出通道, 核)`（返回三个单元的列表）搭出 Inception **v2** 的四座塔。池化塔先来一个 `nn.AvgPool2d(3, 1, pad_mode="same")`，再接 1x1。

# %% [markdown] lang="en"
# ### Exercise 4: an Inception module (3 points)
#
# With `conv_bn_relu(inputs, outputs, kernel)`, which returns a list of three cells, build the four towers of an Inception **v2** module. The pooling tower begins with `nn.AvgPool2d(3, 1, pad_mode="same")`, then a 1x1.

# %% tags=["exercise"] id="inception" points=3
from mindspore import nn
from src_mindspore.networks.blocks import conv_bn_relu

def my_towers(inputs, sizes, squeeze):
    # zh: sizes 是四座塔的输出通道，squeeze 是 3x3 塔和 5x5 塔前面 1x1 的通道数；返回四个列表。
    # zh: 提示：列表可以用 + 接起来；v2 的 5x5 是两个 3x3，通道数从第一个起就是这座塔的。
    # en: sizes are the output channels of the four towers, squeeze those of the 1x1 before the 3x3
    # en: and before the 5x5; return four lists. HINT: lists are joined with +; in v2 the 5x5 is two
    # en: 3x3, with the tower's channels from the first one on.
    ### BEGIN SOLUTION
    one, three, five, pooled = sizes
    return [conv_bn_relu(inputs, one, 1),
            conv_bn_relu(inputs, squeeze[0], 1) + conv_bn_relu(squeeze[0], three, 3),
            conv_bn_relu(inputs, squeeze[1], 1) + conv_bn_relu(squeeze[1], five, 3)
            + conv_bn_relu(five, five, 3),
            [nn.AvgPool2d(3, 1, pad_mode="same"), *conv_bn_relu(inputs, pooled, 1)]]
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_towers = my_towers(6, (2, 3, 4, 5), (7, 8))
assert _towers is not None and len(_towers) == 4, say(zh="应返回四座塔。", en="Expected four towers.")
_library = InceptionV2(6, (2, 3, 4, 5), (7, 8))
_theirs = (_library.tower1, _library.tower3, _library.tower5, _library.tower_pool)
_x = ms.Tensor(np.random.default_rng(0).normal(size=(1, 6, 8, 8)).astype(np.float32))
for _name, _cells, _reference in zip(("1x1", "3x3", "5x5", "pool"), _towers, _theirs, strict=True):
    _mine = nn.SequentialCell(_cells).set_train(False)
    _counts = parameter_count(_mine), parameter_count(_reference)
    assert _counts[0] == _counts[1], say(
        zh=f"塔 {_name} 有 {_counts[0]} 个权重，应为 {_counts[1]}。先 1x1 压窄了吗？5x5 拆成两个 3x3 了吗？",
        en=f"Tower {_name} has {_counts[0]} weights, expected {_counts[1]}. Is there a 1x1 in front? "
           "Is the 5x5 two 3x3?")
    for _p, _q in zip(_mine.get_parameters(), _reference.get_parameters(), strict=True):
        _p.set_data(_q)
    assert np.allclose(_mine(_x).asnumpy(), _reference.set_train(False)(_x).asnumpy(), atol=1e-5), say(
        zh=f"塔 {_name} 的权重数对了，次序不对。", en=f"Tower {_name} has the right weights in another order.")
### END TESTS

# %% [markdown] lang="zh"
# ## 接下来
#
# - 完整地训练一次：`.venv/bin/python train_network.py --preset cnn_scratch`，随时可以中断，再运行同一条命令就接着走。
# - 只微调预训练的骨干：`.venv/bin/python train_network.py`，先训练分类头，再用更小的学习率放开所有层。
# - 想一想：把 `--bn frozen` 用在从零训练上会怎样？（它的统计量从没见过一张照片。）

# %% [markdown] lang="en"
# ## What next
#
# - Train it in full: `.venv/bin/python train_network.py --preset cnn_scratch`; interrupt it when you like, the same command goes on.
# - Fine-tune the pretrained backbone: `.venv/bin/python train_network.py`, the head first, then every layer at a lower rate.
# - A question: what would `--bn frozen` do to a network from scratch? (Its statistics have never seen a photo.)
