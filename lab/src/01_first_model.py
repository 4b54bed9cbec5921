# %% [markdown] lang="zh"
# # 第一个模型：从一文件夹照片到一个可以提交的模型
#
# 从一个照片文件夹出发，走完整条路：看数据、提特征、训练、挑毛病、导出、拿自己的照片来问。这里没有演示用的简化版，每个单元格调用的函数，就是主程序 `train_head.py` 调用的函数。
#
# **学完之后，你能够**
#
# - 在训练之前先从数据里看出哪里会出问题；
# - 说清楚冻结的骨干网络在算什么，为什么算一次就可以存起来；
# - 几秒钟训练出一个分类头，看懂曲线，并按规则（而不是凭感觉）选出一轮；
# - 读懂混淆矩阵，正视模型错得最离谱的照片；
# - 导出模型，证明导出的还是同一个模型，然后拿自己的照片问它。
#
# **时间**：边运行边看约十分钟，最后的五道练习约二十分钟。普通的双核 CPU 就够。
#
# 从上到下，按 Shift+Enter 逐格运行。如果老师发了垃圾分类照片，请放到 `datasets/garbage_26x100`；没有照片也不要紧，程序会自己画出同样的 26 类图片。下面说的道理对两者都成立，只是数字不同。

# %% [markdown] lang="en"
# # First model: from a folder of photos to a model you can hand in
#
# You start with a folder of photos and walk the whole street: look at the data, compute features, train, look for faults, export, ask the model about a photo of your own. Nothing here is a simplified version: the cells call the same functions as `train_head.py`, the project's main program.
#
# **Afterwards you can**
#
# - see in the data, before any training, what will go wrong;
# - say what a frozen backbone computes, and why its answers can be stored;
# - train a head in seconds, read its curves, and choose an epoch by a rule and not by feeling;
# - read a confusion matrix, and face the mistakes your model is surest of;
# - export the model, prove that the export is the same model, and ask it about your own photo.
#
# **Time**: ten minutes to run and look, about twenty for the five exercises at the end. A plain 2-core CPU is enough.
#
# Run the cells from top to bottom with Shift+Enter. If your teacher gave you the garbage photos, put them into `datasets/garbage_26x100`. Without photos the lab draws pictures of the same 26 classes itself; what is explained below holds for both, only the figures differ.

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
# ## 1 先看数据，再谈学习
#
# 所有设置都在一个叫 `config` 的对象里，每一项的含义写在 `config.py`。`prepare_photos` 找到照片，逐张严格读一遍（坏图会点名），再检查验证集的照片有没有混进训练集。
#
# 然后，在看任何数字之前，先看照片。

# %% [markdown] lang="en"
# ## 1 Look before you learn
#
# All settings live in one object, `config`; `config.py` says what each of them does. `prepare_photos` finds the photos, reads each one strictly (broken files are named), and checks that no validation photo also stands in train.
#
# Then, before any number, the photos.

# %%
from src_mindspore.data.prepare import prepare_photos
from src_mindspore.evaluation.overview import plot_overview

config = lab.config(head="linear", normalise=True, lr_max=0.005, weight_decay=0.01,
                    label_smoothing=0.0)
photos = prepare_photos(config, progress=False)
lab.show(plot_overview, photos.splits["train"], photos.classes, photos.root)

# %% [markdown] lang="zh"
# 一行是一类。请你先回答三个问题，再往下走：
#
# 1. **每一张你自己都认得吗？** 人认不出的照片，不能指望网络认出来，它甚至可能是标错了。
# 2. **除了物体，还有什么在变？** 背景、光线、角度变得越多越好。最怕的是某样东西跟着类别一起变：如果所有电池都放在木桌上，网络学会的就是木桌。
# 3. **哪两类最容易混？** 报纸和纸张？玻璃瓶和玻璃制品？写下你的猜测，第 5 节会用混淆矩阵来对答案。
#
# 接下来数一数，每类各有多少张。

# %% [markdown] lang="en"
# A row is a class. Answer three questions before you go on:
#
# 1. **Would you know every one of them?** A photo that a person cannot name will not be named by a network either; it may even carry the wrong label.
# 2. **What varies besides the object?** Background, light and angle should vary as much as possible. The dangerous thing is what varies *with* the class: if every battery lies on a wooden table, the network learns wood.
# 3. **Which two classes will be mixed up?** Newspaper and paper? Glass bottle and glassware? Write your guess down; section 5 has the answer.
#
# Next: how many photos does each class have?

# %%
import numpy as np
from src_mindspore.evaluation.plots import plot_class_balance

counts = {split: np.bincount([r.label for r in records], minlength=len(photos.classes)).tolist()
          for split, records in photos.splits.items()}
lab.show(plot_class_balance, counts, photos.classes)

# %% [markdown] lang="zh"
# 两种颜色是两个**划分**。网络只从训练集学；验证集是留着考试用的，一张都不能学。如果某一类的训练照片是别人的十倍，网络只要偏向它就能占便宜；如果某一类几乎没有照片，谁也教不会。
#
# 数量之外还有看不见的毛病：同一张照片出现两次、镜像或压缩后又混了进来、标签互相矛盾。这些交给审计去找。

# %% [markdown] lang="en"
# The two colours are two **splits**. The network learns from train alone; val is the exam, and not one of its photos may be learnt from. If one class had ten times the photos of the others, a network would profit from leaning towards it; a class with hardly any photo cannot be taught by anyone.
#
# Besides numbers there are faults nobody sees: a photo that is there twice, a mirrored or re-saved copy, two labels that contradict each other. The audit looks for them.

# %%
from src_mindspore.data.audit import audit
from src_mindspore.data.folder import read_folder
from src_mindspore.data.scan import scan

folder = read_folder(photos.root)
report = audit(folder, scan(folder, progress=False), progress=False)
print(report.summary())

# %% [markdown] lang="zh"
# 程序画的图片很干净，所以结果是 nothing unusual was found（没有发现异常）；真实照片很少这么省心。用课程照片运行时，这里会列出几十组重复照片，其中有几张横跨训练集和验证集：考题提前发给了学生。`prepare_photos` 已经把它们从训练集里拿掉了。

# %% [markdown] lang="en"
# Drawn pictures are clean, so nothing unusual is found; real photos are rarely so kind. On the course's photos this cell lists dozens of copies, some of which stand in train *and* in val: exam questions handed out beforehand. `prepare_photos` has already left them out of train.

# %% [markdown] lang="zh"
# ## 2 骨干网络在看什么，“冻结”是什么意思
#
# 一张 256×256 的照片是 196,608 个数。直接从这些数里读不出类别：瓶子往右挪十个像素，几乎所有的数都变了，瓶子还是那个瓶子。
#
# **骨干网络**把像素变成少得多、但有意义的数。我们用的 MobileNetV2 已经在 ImageNet 的一百多万张照片上学过看东西：边缘、纹理、形状、部件。这些本事对垃圾照片同样管用，所以我们把它**冻结**：它的参数一个都不再改，只在它上面训练一个小小的**分类头**。

# %% [markdown] lang="en"
# ## 2 What the backbone sees, and what freezing means
#
# A photo of 256×256 pixels is 196,608 numbers. No class can be read off them directly: move the bottle ten pixels to the right and nearly every number changes, while the bottle remains a bottle.
#
# A **backbone** turns pixels into far fewer numbers that mean something. Ours, MobileNetV2, has learnt to see on more than a million photos of ImageNet: edges, textures, shapes, parts. All that is just as useful for garbage, so we **freeze** it: not one of its numbers will change, and only a small **head** on top of it is trained.

# %%
import mindspore as ms
from src_mindspore.data.decode import decode, load_rgb
from src_mindspore.data.preprocess import preprocess, resize_and_crop
from src_mindspore.features.of_config import prepare_backbone

backbone = prepare_backbone(config)
record = next(r for r in photos.splits["train"] if r.label == 7)
image = load_rgb(photos.root / record.path)
pixels = preprocess(image, backbone.preprocess)
feature_map = backbone.cell(ms.Tensor(pixels[None])).asnumpy()[0]
features = feature_map.mean(axis=(1, 2))
print(pixels.shape, "->", feature_map.shape, "->", features.shape)

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(1, 5, figsize=(11, 2.7))
axes[0].imshow(resize_and_crop(image, backbone.preprocess))
axes[0].set_title(photos.classes.in_language(lab.language)[record.label])
for axis, channel in zip(axes[1:4], features.argsort()[:-4:-1], strict=True):
    axis.imshow(feature_map[channel])
    axis.set_title(say(zh=f"通道 {channel}", en=f"channel {channel}"))
axes[4].imshow(features.reshape(32, 40))
axes[4].set_title(say(zh="1280 个特征", en="the 1280 features"))
for axis in axes:
    axis.set_axis_off()

# %% [markdown] lang="zh"
# 从左到右：照片；1280 个通道里反应最强的三个；全部 1280 个特征（排成 32×40 只是为了好看）。
#
# 每个通道都是一张 8×8 的小图，越亮表示“我要找的东西就在这里”。对 64 个位置取平均，一个通道就剩下一个数：**在哪里**被丢掉了，**有什么**留了下来。所以物体挪了位置，特征几乎不变，这正是分类需要的。
#
# 冻结还带来一个更实在的好处：骨干网络不变，同一张照片的特征就永远不变，**算一次，存下来，以后每一轮训练都直接读**。在 CPU 上，这就是几秒钟和几小时的差别。

# %% [markdown] lang="en"
# From left to right: the photo; the three of the 1280 channels that answer loudest; all 1280 features (as 32×40 only because it looks tidier).
#
# A channel is a small map of 8×8 places, bright where it found what it looks for. The mean over the 64 places leaves one number a channel: *where* is dropped, *what* stays. A thing that moves keeps nearly the same features, which is just what a classifier needs.
#
# Freezing has a second, very practical effect. If the backbone never changes, the features of a photo never change either: **compute them once, store them, read them in every epoch**. On a CPU that is the difference between seconds and hours.

# %% [markdown] lang="zh"
# ## 3 提取特征
#
# 训练照片不只读一遍。每一遍（pass）都换一个样子：裁一裁、翻一翻、颜色动一点点，这叫**数据增强**。网络看到的每张照片都略有不同，就不容易死记硬背。第 0 遍不动，和考试时看到的一样。

# %% [markdown] lang="en"
# ## 3 Extract the features
#
# A training photo is not read only once. Every pass shows it a little differently: cropped, mirrored, its colours shifted by a touch. This is **augmentation**; it makes learning by heart harder. Pass 0 is left as it is, the way the photo will look in the exam.

# %%
from src_mindspore.features.of_config import extract_splits, train_views

views = train_views(lab.config(repeat=6), backbone.preprocess)
figure, axes = plt.subplots(1, 6, figsize=(11, 2.2))
for number, axis in enumerate(axes):
    axis.imshow(views.of(image, record.path, number))
    axis.set_title(say(zh=f"第 {number} 遍", en=f"pass {number}"))
    axis.set_axis_off()

# %% [markdown] lang="zh"
# 完整的推荐设置读六遍；笔记本里读两遍，省些时间，道理一样。验证集只读一遍，不增强：考试不改题。
#
# 下面这一格是整本笔记里最慢的，进度条会告诉你还要多久。中途停下也没关系，再运行时会接着算。

# %% [markdown] lang="en"
# The recommended preset reads six passes; this notebook reads two to save you time. Val is read once and never augmented: nobody repaints the questions of an exam.
#
# The next cell is the slowest of the notebook; the progress bar tells how long it takes. You may interrupt it: run it again and it goes on where it stopped.

# %%
caches = extract_splits(photos, backbone, config)
print(caches["train"].labels.shape, caches["val"].labels.shape)

# %% [markdown] lang="zh"
# 把上面这一格再运行一次：瞬间完成，因为特征已经在 `results/features` 里了。缓存文件夹的名字是一串哈希，由决定特征的一切算出：照片本身、权重、预处理、增强、遍数。改动任何一样，名字就不同，于是重新计算；所以它永远不会过期。

# %% [markdown] lang="en"
# Run the cell above once more: it is done at once, because the features now lie in `results/features`. The name of a cache is a hash of everything that decides it: the photos themselves, the weights, the preprocessing, the augmentation, the number of passes. Change any of them and the name changes, so the features are computed anew; a cache cannot be stale.

# %% [markdown] lang="zh"
# ## 4 训练分类头
#
# 这里的分类头是一个全连接层：每个类别有 1280 个权重，给 1280 个特征打分，再加一个偏置。26 个类别就得到 26 个分数，叫做 **logits**，谁最大就猜谁。训练就是调整这些权重，让正确类别的分数胜出；**损失**衡量离这个目标还有多远。
#
# 请先猜一猜：照片有几百上千张，训练 30 轮，要多久？

# %% [markdown] lang="en"
# ## 4 Train the head
#
# The head is one Dense layer: for every class 1280 weights, one for each feature, and a bias. For 26 classes it answers with 26 scores, the **logits**; the largest wins. To train is to turn these weights until the score of the right class comes out on top; the **loss** says how far there is still to go.
#
# Guess first: hundreds or thousands of photos, 30 epochs. How long will it take?

# %%
from src_mindspore.evaluation.plots import plot_history
from src_mindspore.heads.build import head_spec
from src_mindspore.training.head_of_config import make_trainer, split_of
from src_mindspore.training.run import Run

run = Run(config, {split: cache.folder.name for split, cache in caches.items()})
spec = head_spec(config, backbone.channels, len(photos.classes), len(photos.splits["train"]))
splits = [split_of(caches[name], spec, config) for name in ("train", "val")]
trainer = make_trainer(spec, *splits, caches["train"].index, config)
curve = lab.live()
for row in trainer.run():
    run.save_epoch(trainer)
    if row["epoch"] % 3 == 0:
        curve.draw(plot_history, trainer.history)

# %% [markdown] lang="zh"
# 训练本身只占几秒，画图比它还慢。三行循环就是全部：`trainer.run()` 每轮把缓存的特征打乱过一遍，`save_epoch` 存档，`draw` 重画曲线。
#
# **怎么读这张图**
#
# - **上：损失。** 蓝线（训练集）一路降到接近零，橙线（验证集）降到某处就停住。两条线之间的距离，就是“背下来的”和“真正学会的”之差。
# - **中：准确率。** 训练集到 100 %，这不是成绩，只说明权重多到足以背下所有训练照片。成绩只看橙线。
# - **橙线的小台阶**不必细究：验证集只有一百多张，一个台阶就是一张照片。
# - **下：学习率**，每一步迈多大。先大后小，走到最后只做微调。

# %% [markdown] lang="en"
# Training itself took seconds; drawing was slower than learning. The loop of three lines is all there is: `trainer.run()` goes through the shuffled features once an epoch, `save_epoch` keeps the result, `draw` draws the curves again.
#
# **How to read the picture**
#
# - **Top: the loss.** The blue line (train) falls towards zero, the orange one (val) falls and then stays. The gap between them is the difference between known by heart and understood.
# - **Middle: the accuracy.** 100 % on train is no achievement; it only says that there are enough weights to memorise every training photo. The orange line is the result.
# - **The small steps of the orange line** mean nothing: val has little more than a hundred photos, so one step is one photo.
# - **Bottom: the learning rate**, the size of each step. Large at first, then smaller and smaller, until only details are adjusted.

# %% [markdown] lang="zh"
# 那么用哪一轮？最后一轮？最高的那一轮？如果几轮一样高呢？规则要在看结果**之前**定好，否则就是在给自己挑好看的数字。本项目的规则是：验证准确率最高；并列时取验证损失最低；再并列取最早。
#
# 下面这一格选出一轮，存成 `best.ckpt`，再导出成三个文件，并且**逐张照片核对**：导出的文件和刚才训练的网络，答案是否一致。

# %% [markdown] lang="en"
# Which epoch do we keep? The last? The highest? And if several are equally high? The rule must be fixed *before* you look, or you are picking pretty numbers. Ours: the highest validation accuracy; among equals the lowest validation loss; among equals again the earliest.
#
# The next cell chooses, writes `best.ckpt`, exports it to three files, and **compares them photo by photo** with the network that was just trained.

# %%
from src_mindspore.training.export_run import choose_and_export

chosen = choose_and_export(run, trainer, spec, backbone, photos, caches, config)
n, correct = chosen.result["n"], chosen.result["correct"]
low, high = chosen.result["interval"]
print(say(zh=f"\n验证集 {n} 张，判对 {correct} 张，准确率 {correct / n:.1%}，95 % 置信区间 {low:.1%} 到 {high:.1%}",
          en=f"\nval: {correct} of {n} right, {correct / n:.1%}, 95 % interval {low:.1%} to {high:.1%}"))

# %% [markdown] lang="zh"
# 注意最后一行的**置信区间**。换一批同样多的照片再考一次，分数会有几个点的出入，这和模型好坏无关，纯粹是抽签。谁只报一个准确率而不报照片张数，等于什么都没说。

# %% [markdown] lang="en"
# Mind the **interval** in the last line. Another exam of as many photos would give a score some points away, for no better reason than the luck of the draw. Whoever reports an accuracy without the number of photos has not said anything yet.

# %% [markdown] lang="zh"
# ## 5 它在哪里出错
#
# 一个准确率说不出模型错在哪里。**混淆矩阵**可以：一行是一个真实类别，一列是一个预测类别。蓝色对角线是对的，橙色格子是错的。拿出你在第 1 节写下的猜测，对一对。

# %% [markdown] lang="en"
# ## 5 Where it errs
#
# One accuracy does not say where a model is wrong. The **confusion matrix** does: a row is a true class, a column a predicted one. The blue diagonal is right, orange is wrong. Take the guess you wrote down in section 1 and compare.

# %%
from src_mindspore.evaluation.plots import plot_confusion

lab.show(plot_confusion, chosen.result)

# %% [markdown] lang="zh"
# 数字只能告诉你错了几张，照片才能告诉你为什么。下面是错得最“理直气壮”的几张：模型给错误答案的概率从高到低排列。

# %% [markdown] lang="en"
# Counts say how many, only the photos say why. Here are the mistakes the model was surest of, the highest probability on a wrong class first.

# %%
from src_mindspore.evaluation.gallery import plot_mistakes

lab.show(plot_mistakes, chosen.predictions, most=8)

# %% [markdown] lang="zh"
# 一张一张问自己：是**照片**的问题（太暗、挡住了、两样东西都在）？是**标签**的问题（你会同意模型吗）？还是**模型**的问题（你一眼就认得）？三种病，三种药：补拍，改标签，或者回去改训练。先诊断，再吃药；很多人一出错就去调学习率，而病根在照片里。

# %% [markdown] lang="en"
# Ask of each: is it the **photo** (too dark, hidden, two things at once)? Is it the **label** (would you side with the model)? Or is it the **model** (you knew at first sight)? Three diseases, three medicines: more photos, a corrected label, or other training. Diagnose before you treat; many people turn the learning rate when the fault lies in a photo.

# %% [markdown] lang="zh"
# ## 6 问导出的模型
#
# `best.mindir` 是要带走的文件：没有训练代码，别的机器也能运行。旁边的 `best.json` 是它的“说明书”：类别的顺序、预处理的每个细节、文件的校验码。**模型离开了说明书就没有意义**，所以 `load_mindir` 两个一起读，对不上就拒绝。

# %% [markdown] lang="en"
# ## 6 Ask the exported model
#
# `best.mindir` is the file that travels: it runs on other machines without any training code. `best.json` beside it holds what must travel with it: the order of the classes, every detail of the preprocessing, the file's checksum. **A model without them means nothing**, so `load_mindir` reads both, and refuses if they do not belong together.

# %%
from scipy.special import softmax
from src_mindspore.model import load_mindir

model = load_mindir(run.folder / "best.mindir")

def show_answer(image):
    logits = model.logits(preprocess(image, model.preprocess)[None])[0]
    probabilities = softmax(logits / model.temperature)
    top = probabilities.argsort()[:-6:-1]
    _, (photo, bars) = plt.subplots(1, 2, figsize=(8, 2.8), width_ratios=(1, 1.4))
    photo.imshow(image)
    photo.set_axis_off()
    drawn = bars.barh([model.classes.in_language(lab.language)[i] for i in top], probabilities[top])
    bars.bar_label(drawn, [f"{p:.1%}" for p in probabilities[top]], padding=3)
    bars.set(xlim=(0, 1.15), xticks=())
    bars.invert_yaxis()
    plt.show()

# %%
show_answer(load_rgb(photos.root / photos.splits["val"][0].path))

# %% [markdown] lang="zh"
# 右边是概率最大的五个类别。logits 经过 softmax 变成加起来等于 1 的概率；除以 `temperature`（温度）是为了让概率说话算数：说 80 % 的时候，真的大约有八成是对的。

# %% [markdown] lang="en"
# On the right: the five likeliest classes. Softmax turns logits into probabilities that sum to 1. Dividing by `temperature` first makes them mean what they say: of the answers given with 80 %, about eight in ten are right.

# %% [markdown] lang="zh"
# ## 7 换上你自己的照片
#
# 用手机拍一件垃圾，从下面的按钮上传；或者把文件路径写进 `my_photo`。什么都不填，就用一张横过来的验证照片：网络很少见过躺着的东西，看看它还认不认得。

# %% [markdown] lang="en"
# ## 7 Now a photo of your own
#
# Take a photo of some piece of garbage and upload it with the button, or write the file's path into `my_photo`. If you leave it empty, a validation photo turned by 90 degrees is asked about: the network has seen few things lying on their side. Does it still know?

# %%
my_photo = ""

if my_photo:
    show_answer(load_rgb(my_photo))
else:
    show_answer(np.rot90(load_rgb(photos.root / photos.splits["val"][0].path)))

# %%
from src_mindspore.errors import LabError

def uploaded(change):
    with output:
        output.clear_output()
        try:
            show_answer(decode(bytes(change["new"][0]["content"])))
        except LabError as error:
            print(error)

if lab.has_widgets:
    from IPython.display import display
    from ipywidgets import FileUpload, Output
    output = Output()
    button = FileUpload(accept="image/*", description=say(zh="选择照片", en="choose a photo"))
    button.observe(uploaded, "value")
    display(button, output)

# %% [markdown] lang="zh"
# 也试试一张**不属于任何一类**的照片，比如你自己的脸。模型照样会选一个类别，因为它没有“不知道”这个选项。所以交给别人用的时候，要说明它只认得这些类别。

# %% [markdown] lang="en"
# Try a photo that belongs to **none of the classes** too, your own face for example. The model will choose a class all the same, because "I don't know" is not among its answers. So whoever you hand it to must be told which classes it knows.

# %% [markdown] lang="zh"
# ## 8 收尾
#
# 最后一格把图、表和报告写进这次运行的文件夹。`results/latest/report.html` 是一个独立的文件，可以直接发给别人。
#
# 你在这里一格一格做的事，一条命令就能做完：`.venv/bin/python train_head.py`。默认设置读六遍，并用一个更强的分类头；它是怎样一步步选出来的，见 README 里的“阶梯”。

# %% [markdown] lang="en"
# ## 8 The end of the street
#
# The last cell writes pictures, tables and a report into the folder of this run. `results/latest/report.html` is one file that you can send to anybody.
#
# What you did cell by cell is also a single command: `.venv/bin/python train_head.py`. Its recommended preset reads six passes and uses a stronger head; how it was chosen, rung by rung, stands in the README.

# %%
from src_mindspore.evaluation.run_report import report_run

report_run(run, chosen, trainer, spec, backbone, photos, caches, config, {})

# %% [markdown] lang="zh"
# ## 练习
#
# 每题都要先想，再写，代码只有几行。把 `...` 换成你的答案。全部做完后保存笔记本，在终端里运行
#
# ```
# .venv/bin/python -m lab.check lab/zh/01_first_model.ipynb
# ```
#
# 它会给出每题的得分，答错时给提示，但不会给答案。

# %% [markdown] lang="en"
# ## Exercises
#
# Each needs a thought first and a few lines of code after. Put your answer in the place of `...`. When you are done, save the notebook and run in a terminal
#
# ```
# .venv/bin/python -m lab.check lab/en/01_first_model.ipynb
# ```
#
# It prints the points of every exercise and a hint where something is wrong, but never the answer.

# %% [markdown] lang="zh"
# ### 练习 1：我们到底训练了多少（1 分）
#
# “微调一个网络”听起来很大。整个网络（骨干网络加全连接层 `trainer.head.dense`）里，被训练改动的数占多大比例？

# %% [markdown] lang="en"
# ### Exercise 1: how much did we train? (1 point)
#
# "Fine-tuning a network" sounds like a lot. Of all the numbers in the network (the backbone, and the Dense layer `trainer.head.dense`), which share did training change?

# %% tags=["exercise"] id="trained-share" points=1
# zh: 提示：任何 Cell 都有 get_parameters()，每个参数有 size（含多少个数）。
# zh: share 是 0 到 1 之间的数。
# en: HINT: every Cell has get_parameters(), every parameter a size (how many numbers it holds).
# en: share is a number from 0 to 1.
### BEGIN SOLUTION
trained = sum(p.size for p in trainer.head.dense.get_parameters())
frozen = sum(p.size for p in backbone.cell.get_parameters())
share = trained / (trained + frozen)
### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
assert isinstance(share, float), say(
    zh="share 应当是一个 0 到 1 之间的小数。", en="share must be a decimal number from 0 to 1.")
assert share < 0.5, say(
    zh="超过一半？骨干网络有两百多万个数，它们一个都没有变。分子应当只数全连接层。",
    en="More than half? The backbone has over two million numbers, and none of them changed. "
       "Count the Dense layer alone above the line.")
_trained = sum(p.size for p in trainer.head.dense.get_parameters())
_all = _trained + sum(p.size for p in backbone.cell.get_parameters())
assert abs(share - _trained / (_all - _trained)) > 1e-6, say(
    zh="你除以了骨干网络的大小。“整个网络”也包括分类头自己。",
    en="You divided by the size of the backbone. The whole network includes the head itself.")
assert abs(share / (_trained / _all) - 1) < 0.03, say(
    zh="分子：全连接层的权重和偏置。分母：骨干网络的全部参数加上分子。",
    en="Above the line: the weights and biases of the Dense layer. Below: every parameter of the "
       "backbone, plus those.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 2：不看照片能得多少分（2 分）
#
# 90 % 的准确率高吗？要看和谁比。最省事的“模型”连照片都不看，永远回答训练集里最多的那一类。它在验证集上能得多少分？任何模型都应当先赢过它。

# %% [markdown] lang="en"
# ### Exercise 2: how good is a model that does not look? (2 points)
#
# Is an accuracy of 90 % high? That depends on what it is compared with. The laziest model of all never looks at the photo and always answers with the class that is most frequent in train. How good is it on val? Every model has to beat this one first.

# %% tags=["exercise"] id="lazy-baseline" points=2
def lazy_accuracy(train_labels, val_labels):
    # zh: 两个参数都是整数标签的 NumPy 数组；返回 0 到 1 之间的准确率。
    # zh: 提示：懒模型在“训练”时能看见什么，看不见什么？np.bincount 很有用。
    # en: Both arguments are NumPy arrays of integer labels; return the accuracy, from 0 to 1.
    # en: HINT: what does the lazy model see while it "trains", and what not? np.bincount helps.
    ### BEGIN SOLUTION
    favourite = np.bincount(train_labels).argmax()
    return float((val_labels == favourite).mean())
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_train, _val = np.array([2, 2, 2, 0, 1]), np.array([0, 0, 0, 2, 1, 1])
_given = lazy_accuracy(_train, _val)
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
assert abs(_given - 1 / 2) > 1e-9, say(
    zh="你的懒模型偷看了验证集：它选了验证集里最多的类，而考前它只见过训练集。",
    en="Your lazy model peeped: it chose the most frequent class of val, but before the exam it "
       "has seen train alone.")
assert abs(_given - 3 / 5) > 1e-9, say(
    zh="这是训练集上的准确率，题目问的是验证集。",
    en="That is the accuracy on train; the question is about val.")
assert abs(_given - 1 / 6) < 1e-9, say(
    zh="例如训练标签 [2,2,2,0,1]、验证标签 [0,0,0,2,1,1]：它永远回答 2，六张里对一张。",
    en="For train [2,2,2,0,1] and val [0,0,0,2,1,1] it always answers 2 and is right once in six.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 3：该准备多少张考题（3 分）
#
# 你想把准确率说到“正负两个点”以内，验证集至少要多少张照片？假设准确率不变，95 % 置信区间的半宽（上限减下限的一半）不超过 `half_width`。

# %% [markdown] lang="en"
# ### Exercise 3: how many questions does the exam need? (3 points)
#
# You want to state an accuracy to within plus or minus two points. How many validation photos does that take at least? Assume that the accuracy stays the same; half the width of the 95 % interval (half of high minus low) shall be at most `half_width`.

# %% tags=["exercise"] id="photos-needed" points=3
from src_mindspore.evaluation.metrics import wilson_interval

def photos_needed(accuracy, half_width):
    # zh: wilson_interval(correct, n) 返回（下限, 上限），correct 是整数；返回最小的 n，误差一成以内都算对。
    # zh: 提示：区间随 n 变窄，一个一个试太慢，可以先粗后细，或者每次增加一成。
    # en: wilson_interval(correct, n) returns (low, high), correct is an integer; return the
    # en: smallest n, anything within a tenth of it is right.
    # en: HINT: the interval narrows as n grows. Trying every n is slow; grow n by a few per cent.
    ### BEGIN SOLUTION
    n = 10
    while True:
        low, high = wilson_interval(round(accuracy * n), n)
        if (high - low) / 2 <= half_width:
            return n
        n = int(n * 1.02) + 1
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_given = photos_needed(0.94, 0.02)
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
for _accuracy, _half, _expected in ((0.94, 0.02, 551), (0.94, 0.01, 2172), (0.7, 0.05, 320)):
    _given = photos_needed(_accuracy, _half)
    assert not 0.9 < _given / (4 * _expected) < 1.1, say(
        zh="你要求整个区间不超过 half_width；题目要求的是它的一半。",
        en="You asked the whole interval to be half_width; the question is about half of it.")
    assert 0.9 < _given / _expected < 1.1, say(
        zh=f"准确率 {_accuracy:.0%}、半宽 {_half:.0%}：{_given} 张不对，检查一下 correct 是怎样随 n 变的。",
        en=f"For an accuracy of {_accuracy:.0%} and a half width of {_half:.0%}, {_given} is not "
           "right; check how correct grows with n.")
### END TESTS

# %% [markdown] lang="zh"
# 窄一半，要四倍的照片。所以一百多张验证照片上相差一两张，什么也证明不了。

# %% [markdown] lang="en"
# Half the width takes four times the photos. That is why one or two photos more on a val of a hundred odd prove nothing.

# %% [markdown] lang="zh"
# ### 练习 4：选哪一轮（2 分）
#
# 把第 4 节的规则写成代码：验证准确率最高；并列取验证损失最低；再并列取最早。`rows` 就是 `trainer.history` 那样的列表。

# %% [markdown] lang="en"
# ### Exercise 4: which epoch? (2 points)
#
# Write the rule of section 4 as code: the highest validation accuracy; among equals the lowest validation loss; among equals again the earliest. `rows` is a list such as `trainer.history`.

# %% tags=["exercise"] id="choose-epoch" points=2
def choose_epoch(rows):
    # zh: 每一行是字典，用到的键：epoch、val_top1、val_loss。返回选中的 epoch（整数）。
    # zh: 提示：Python 比较元组时从左到右；“越大越好”的项怎样放进“取最小”里？
    # en: Each row is a dict with epoch, val_top1 and val_loss. Return the chosen epoch, an integer.
    # en: HINT: Python compares tuples from left to right; how does "higher is better" fit into min?
    ### BEGIN SOLUTION
    return min(rows, key=lambda row: (-row["val_top1"], row["val_loss"], row["epoch"]))["epoch"]
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_rows = [{"epoch": e, "val_top1": t, "val_loss": v} for e, t, v in
         ((1, 0.80, 0.2), (2, 0.92, 0.6), (3, 0.92, 0.5), (4, 0.92, 0.5), (5, 0.90, 0.1))]
_given = choose_epoch(_rows)
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
assert _given != 5, say(zh="你先比了损失；规则里准确率排第一。",
                        en="You compared losses first; the rule puts accuracy first.")
assert _given != 2, say(zh="第 2、3、4 轮准确率并列，这时要比验证损失，不是取最早的。",
                        en="Epochs 2, 3 and 4 are equal in accuracy: now the loss decides, not "
                           "which came first.")
assert _given != 4, say(zh="第 3、4 轮完全并列，应取最早的。",
                        en="Epochs 3 and 4 are equal in both: the earliest wins.")
assert _given == 3, say(zh=f"返回了 {_given!r}，应当返回轮次编号。",
                        en=f"It returned {_given!r}; expected the number of an epoch.")
assert choose_epoch(_rows[::-1]) == 3, say(
    zh="把 rows 倒过来，答案就变了：规则不应依赖行的顺序。",
    en="With the rows reversed the answer changes; the rule must not depend on their order.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 5：缓存省了多少（2 分）
#
# 设一张照片过一遍骨干网络（前向）的代价是 1，反向传播的代价约是前向的两倍，分类头忽略不计。训练 `epochs` 轮，特征提取 `passes` 遍。每张照片的总代价是多少，分三种情况：冻结并缓存；冻结但不缓存（每轮重算）；不冻结（整个网络都训练）？

# %% [markdown] lang="en"
# ### Exercise 5: what did the cache save? (2 points)
#
# Let one photo's way through the backbone (forward) cost 1, and the way back (backward) about 2; the head costs nothing worth counting. There are `epochs` epochs, and features are extracted in `passes` passes. What does one photo cost in all: frozen and cached; frozen but not cached (computed again every epoch); not frozen (the whole network is trained)?

# %% tags=["exercise"] id="cost" points=2
def cost(epochs, passes):
    # zh: 返回三个数的元组：(冻结并缓存, 冻结不缓存, 不冻结)。
    # zh: 提示：冻结的部分需要反向传播吗？
    # en: Return a tuple of three numbers: (frozen and cached, frozen not cached, not frozen).
    # en: HINT: does a frozen part need the way back?
    ### BEGIN SOLUTION
    return passes, epochs, 3 * epochs
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_given = cost(30, 2)
assert _given is not None and len(_given) == 3, say(
    zh="应返回三个数的元组。", en="Expected a tuple of three numbers.")
_cached, _again, _whole = _given
assert _cached != 60 and _cached != 30, say(
    zh="缓存之后，训练多少轮都不再经过骨干网络；它只在提取的那几遍里工作。",
    en="Once cached, no epoch goes through the backbone again; it only works in the passes of the "
       "extraction.")
assert _again != 90, say(
    zh="冻结的参数不需要梯度，反向传播到分类头就可以停下。",
    en="Frozen parameters need no gradient; the way back ends at the head.")
assert _whole != 60, say(zh="不冻结时每轮既要前向也要反向：1 + 2。",
                         en="Not frozen, an epoch goes forward and back: 1 + 2.")
assert tuple(cost(30, 2)) == (2, 30, 90) and tuple(cost(10, 6)) == (6, 10, 30), say(
    zh=f"30 轮、2 遍时得到 {tuple(cost(30, 2))}，再想想每一项。",
    en=f"For 30 epochs and 2 passes you get {tuple(cost(30, 2))}; think about each of the three.")
### END TESTS

# %% [markdown] lang="zh"
# **最后想一想，不计分：** 缓存是有代价的。`passes` 遍之外，网络再也看不到新的样子；而不缓存的训练，每一轮都能看到一张全新裁剪的照片。什么时候这个代价值得付？照片多、轮数少的时候呢？

# %% [markdown] lang="en"
# **A last thought, without points:** the cache has its price. Beyond its `passes` views the network sees nothing new, while training without a cache could see a freshly cropped photo every epoch. When is that worth paying for? And with many photos and few epochs?
