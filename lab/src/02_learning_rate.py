# %% [markdown] lang="zh"
# # 学习率和它的伙伴们：从课程默认设置走到最好的设置
#
# 同样的照片，同样的骨干网络，同样的特征，只改几个训练参数，准确率就能差出几十个百分点。这本笔记逐个弄清这些参数到底在做什么，然后把它们串成一架“阶梯”，一级一级当场跑给你看。最后问一个更要紧的问题：高出来的那一点，是真的更好，还是碰巧？
#
# **学完之后，你能够**
#
# - 从曲线看出学习率太小、合适还是太大，并用一次几秒钟的测试找到上限；
# - 画出并解释各种学习率曲线（schedule）和预热（warm-up）；
# - 说清动量（momentum）和 Adam 各自把步子改成了什么样，为什么两者的学习率不能通用；
# - 解释权重衰减 3.0 为什么会把分类头“掐死”；
# - 判断 126/130 是不是真的好于 124/130。
#
# **时间**：边运行边看约十五分钟，最后的四道练习约三十分钟。建议先做完[第一个模型](01_first_model.ipynb)。

# %% [markdown] lang="en"
# # Learning rate and friends: from the course default to the best settings
#
# The same photos, the same backbone, the same features: a few training settings alone decide over tens of points of accuracy. This notebook finds out what each of them does, then sets them up as a ladder and climbs it live, rung by rung. It ends with the question that matters more: is the last bit on top real, or luck?
#
# **Afterwards you can**
#
# - tell from the curves whether a learning rate is too small, right or too large, and find its upper limit with a test of a few seconds;
# - draw and explain schedules and warm-up;
# - say what momentum and Adam make of a step, and why a learning rate for one is none for the other;
# - explain why a weight decay of 3.0 kills a head;
# - judge whether 126/130 is better than 124/130.
#
# **Time**: fifteen minutes to run and look, about thirty for the four exercises at the end. [The first notebook](01_first_model.ipynb) should come before this one.

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
# ## 1 一份缓存，许多次实验
#
# 骨干网络是冻结的，所以特征只算一次。下面的每一次训练、整架阶梯，用的都是这**同一份**缓存：有差别，就只能来自训练参数。如果你跑过第一本笔记，这一格会立刻完成。

# %% [markdown] lang="en"
# ## 1 One cache, many experiments
#
# The backbone is frozen, so its features are computed once. Every training below, and the whole ladder, reads this *one* cache: whatever differs can only come from the settings. If you have run the first notebook, this cell is done at once.

# %%
from src_mindspore.data.prepare import prepare_photos
from src_mindspore.features.of_config import extract_splits, prepare_backbone

config = lab.config()
photos = prepare_photos(config, progress=False)
backbone = prepare_backbone(config)
caches = extract_splits(photos, backbone, config)

# %% [markdown] lang="zh"
# 为了比较，先定一份基准配方，再写一个小函数：在基准上改几项，训练，返回每一轮的记录。训练用的仍是主程序的那几个函数。`weights` 另外记下训练后权重的长度，第 6 节要用。

# %% [markdown] lang="en"
# To compare, fix one recipe, and write a small function that changes it, trains, and returns the history, epoch by epoch. It calls what the main program calls. `weights` notes how long the weight vector is in the end; section 6 needs it.

# %%
import numpy as np
from src_mindspore.heads.build import head_spec
from src_mindspore.training.head_of_config import make_trainer, split_of

recipe = {"head": "linear", "normalise": True, "batch_size": 64, "epochs": 12, "lr_max": 0.005,
          "decay_type": "constant", "weight_decay": 4e-5, "label_smoothing": 0.0}
weights = {}

def learn(name, **changes):
    config = lab.config(**{**recipe, **changes})
    spec = head_spec(config, backbone.channels, len(photos.classes), len(photos.splits["train"]))
    splits = [split_of(caches[split], spec, config) for split in ("train", "val")]
    trainer = make_trainer(spec, *splits, caches["train"].index, config)
    history = list(trainer.run())
    weights[name] = np.linalg.norm(trainer.head.dense.weight.asnumpy())
    return history

# %% [markdown] lang="zh"
# ## 2 学习率：每一步迈多大
#
# 梯度只告诉你往哪个方向走损失会下降，学习率决定走多远。先写下你的猜测：下面四个学习率，哪个学得最快，哪个验证准确率最高？

# %% [markdown] lang="en"
# ## 2 The learning rate: how far a step goes
#
# The gradient says which way the loss falls; the learning rate says how far to go. Write down a guess first: of the four rates below, which learns fastest, and which ends highest on val?

# %%
from src_mindspore.evaluation.plots_recipe import plot_runs

rates = (5e-6, 1e-4, 0.005, 5.0)
lab.show(plot_runs, {f"lr_max = {rate:g}": learn(f"{rate:g}", lr_max=rate) for rate in rates})

# %% [markdown] lang="zh"
# （左图的纵轴是对数刻度。）
#
# - **最小的两个**：方向没错，步子太碎，12 轮走不了多远。曲线还在稳稳地下降，说明时间全花在路上了。
# - **0.005**：几轮之内就降下来了，之后变平。
# - **5**：损失忽上忽下，一步就跨过了山谷：照片多时一直静不下来，图片少时能碰巧全部背下来。准确率居然没有垮，因为我们训练的只是一层：全连接层加交叉熵，损失是一只没有坑洼的“碗”，怎么折腾也回得来。整个深度网络就没有这么宽容，同样的学习率往往直接变成 NaN。
#
# 请注意，训练损失最低的那条线，验证准确率不一定最高：步子越大，权重长得越快，网络对训练照片越是“过于自信”。

# %% [markdown] lang="en"
# (The left axis is logarithmic.)
#
# - **The two smallest**: the direction is right, the steps are tiny, and 12 epochs do not get far. A curve that is still falling steadily says that the time went into walking.
# - **0.005**: down within a few epochs, flat afterwards.
# - **5**: the loss leaps up and down, each step jumps right across the valley: with many photos it never comes to rest, a few pictures it may happen to learn by heart. That the accuracy survives is owed to our training a single layer: a Dense layer under cross-entropy has a loss like a bowl without dents, and from anywhere in it there is a way back. A whole deep network is not so kind; there, such a rate often ends in NaN.
#
# Mind that the line with the lowest train loss need not be the highest on val: the larger the steps, the faster the weights grow, and the surer the head becomes of its training photos.

# %% [markdown] lang="zh"
# ## 3 范围测试：一次短跑找到上限
#
# 一个一个试太慢。Smith（[arXiv:1506.01186](https://arxiv.org/abs/1506.01186)）的办法是只跑一次：学习率从极小开始，每一步都乘上同一个数，一路涨到损失爆掉为止。

# %% [markdown] lang="en"
# ## 3 The range test: the upper limit in one short run
#
# Trying rate after rate takes long. Smith ([arXiv:1506.01186](https://arxiv.org/abs/1506.01186)) needs one run: begin with a tiny rate, multiply it with the same factor at every step, and go on until the loss explodes.

# %%
from src_mindspore.evaluation.plots_recipe import plot_range_test
from src_mindspore.training.range_test import range_test

config = lab.config(**recipe)
spec = head_spec(config, backbone.channels, len(photos.classes), len(photos.splits["train"]))
tested = range_test(spec, split_of(caches["train"], spec, config), caches["train"].index, config)
lab.show(plot_range_test, tested)

# %% [markdown] lang="zh"
# 从左往右读：左边是平的，学习率小得什么也没发生；接着损失下降，这一段才是能用的范围；过了最低点，损失回升，步子已经太大。经验做法是取最低点的十分之一，离悬崖远一点。
#
# 但别把它当成答案。范围测试只看**训练**损失，它说的是“到哪里还走得稳”，没说“在哪里学得好”。对我们这样一层的头，走得稳的范围很宽，能让验证集满意的学习率往往比它的建议还小得多。上限由范围测试给，范围之内由验证数据（更好的是交叉验证）来定。

# %% [markdown] lang="en"
# Read it from left to right. Flat at first: the rate is too small for anything to happen. Then the loss falls; this stretch is the range you can use. Past the lowest point it rises again: the steps are too large. The rule of thumb takes a tenth of the lowest point, to keep away from the cliff.
#
# But do not take it for the answer. The test looks at the *train* loss alone: it says how far you can go without stumbling, not where you learn best. For one layer the safe range is wide, and what val likes is often far below the suggestion. The range test gives the upper limit; within it, validation data decide, or better, cross-validation.

# %% [markdown] lang="zh"
# ## 4 学习率曲线和预热
#
# 开始时离得远，要大步；快到时要小步，否则就在谷底两侧来回跳。所以学习率通常不是一个数，而是一条**曲线**。`build_lr` 为每一步算出一个学习率，课程里用的也是这些公式。

# %% [markdown] lang="en"
# ## 4 Schedules and warm-up
#
# Far from the goal, long steps; near it, short ones, or you jump from one side of the valley to the other for ever. So the learning rate is usually not a number but a **schedule**. `build_lr` gives a rate to every step, with the formulas of the course.

# %%
from src_mindspore.evaluation.plots_recipe import plot_schedules
from src_mindspore.training.schedules import DECAY_TYPES, build_lr

schedules = {kind: build_lr(100, lr_max=0.05, decay_type=kind) for kind in DECAY_TYPES}
schedules[say(zh="cosine，预热 20 步", en="cosine, 20 steps of warm-up")] = build_lr(
    100, lr_max=0.05, warmup_steps=20)
lab.show(plot_schedules, schedules)

# %% [markdown] lang="zh"
# 下面有滑块时（在运行着的笔记本里），拖一拖：预热拉到 100 会怎样？`lr_end` 不为零时，cosine 停在哪里？没有滑块的话，上面那张图已经画出了全部形状。

# %% [markdown] lang="en"
# Where there are sliders (in a running notebook), move them: what does a warm-up of 100 do? Where does cosine end when `lr_end` is not zero? Without sliders the picture above has every shape.

# %%
def draw_schedule(decay_type="cosine", lr_max=0.05, lr_end=0.0, warmup=20):
    shaped = build_lr(100, 0.0, lr_end, lr_max, warmup, decay_type)
    return lab.show(plot_schedules, {decay_type: shaped})

if lab.has_widgets:
    from ipywidgets import interact
    interact(draw_schedule, decay_type=list(DECAY_TYPES), lr_max=(0.01, 0.1, 0.01),
             lr_end=(0.0, 0.05, 0.01), warmup=(0, 100, 5))

# %% [markdown] lang="zh"
# **预热**有什么用？刚开始权重是随机的，梯度又大又乱，这时迈大步最危险；预热让学习率从零慢慢涨上来。对我们的头有没有用，试了才知道：三条曲线，最大学习率都是 0.05。

# %% [markdown] lang="en"
# What is **warm-up** good for? The weights are random at first and the gradients large and contradictory; that is the worst moment for a long step. Warm-up lets the rate grow from zero. Whether our head needs it is a matter for an experiment: three schedules, all with 0.05 at the top.

# %%
top = {"lr_max": 0.05}
lab.show(plot_runs, {
    "constant": learn("constant", **top),
    "cosine": learn("cosine", **top, decay_type="cosine"),
    say(zh="cosine，预热 3 轮", en="cosine, 3 epochs of warm-up"):
        learn("warm-up", **top, decay_type="cosine", warmup_epochs=3)})

# %% [markdown] lang="zh"
# 左图：有预热的那条起步慢，cosine 的两条最后停得比 constant 早。右图：三者的验证准确率只差几张照片。
#
# 单层的头用不着预热，它从哪里都走得回来，推荐设置里也没有预热。预热真正的用武之地是训练整个深度网络：一开始走错一大步，后面的层就再也收不到有用的信号。还要记住，预热只是推迟：学习率如果本来就太大，升到顶点时照样太大。**一个技巧有没有用，要看你的问题里有没有它要治的病。**

# %% [markdown] lang="en"
# On the left the run with warm-up sets out more slowly, and both cosines come to rest above the constant rate. On the right the three are a few photos apart.
#
# A single layer needs no warm-up: it finds its way back from anywhere, and the recommended preset has none. Warm-up earns its keep in whole deep networks, where one long false step at the start leaves later layers without a useful signal. And remember that it only delays: a rate that is too large is still too large once it is reached. **A trick helps if you have the disease that it cures.**

# %% [markdown] lang="zh"
# ## 5 动量和 Adam：步子是怎么变的
#
# - **SGD**：`w -= lr * g`。每一步只看当前这一批。
# - **动量**：`v = m * v + g`，`w -= lr * v`。过去的梯度以 `m` 的比例留在 `v` 里。如果梯度一直是 `g`，`v` 会涨到 `g / (1 - m)`：`m = 0.9` 时，步子其实大了**十倍**。
# - **Adam**（[arXiv:1412.6980](https://arxiv.org/abs/1412.6980)）：每个权重的步子都除以它自己梯度的大小。于是不管梯度大小，每个权重每一步大约都走 `lr` 那么远。
#
# 由第二条可以作一个预言：不带动量、学习率 0.05 的 SGD，应当和动量 0.9、学习率 0.005 走得几乎一样。验证一下。

# %% [markdown] lang="en"
# ## 5 Momentum and Adam: what becomes of a step
#
# - **SGD**: `w -= lr * g`. Each step looks at its own batch alone.
# - **Momentum**: `v = m * v + g`, `w -= lr * v`. A part `m` of past gradients stays in `v`. If the gradient were always `g`, then `v` would grow to `g / (1 - m)`: with `m = 0.9` the steps are really **ten times** as long.
# - **Adam** ([arXiv:1412.6980](https://arxiv.org/abs/1412.6980)): the step of each weight is divided by the size of that weight's own gradient. Large gradient or small, every weight moves by about `lr` a step.
#
# The second line makes a prediction: SGD without momentum at a rate of 0.05 should go the same way as momentum 0.9 at 0.005. Let us see.

# %%
lab.show(plot_runs, {
    "SGD, 0.005": learn("SGD", optimizer="sgd"),
    "SGD, 0.05": learn("SGD x 10", optimizer="sgd", lr_max=0.05),
    "momentum 0.9, 0.005": learn("momentum"),
    "Adam, 0.0005": learn("Adam", optimizer="adam", lr_max=0.0005),
    "Adam, 0.05": learn("Adam x 100", optimizer="adam", lr_max=0.05)})

# %% [markdown] lang="zh"
# 预言应验：SGD 0.05 和动量 0.9 的 0.005 几乎重合。所以“动量更好”这句话，有一半只是“学习率大了十倍”；公平的比较要让两边各用各的合适学习率。
#
# Adam 用 0.0005 就够。把学习率放大一百倍，每个特征不论重要与否都被推着大步走：照片多时损失跳个不停，图片少时倒能一路降到零，但那是把噪声也背了下来，验证准确率反而更低。课程的“好设置”在没有归一化的特征上用 Adam、学习率 0.03，第 8 节的阶梯里你会看到它的代价。

# %% [markdown] lang="en"
# The prediction holds: SGD at 0.05 and momentum 0.9 at 0.005 all but coincide. Half of "momentum is better" is "the rate was ten times as large"; a fair comparison gives each its own good rate.
#
# Adam needs no more than 0.0005. With a hundred times that, every feature is pushed far, whether it matters or not: with many photos the loss keeps jumping; with few pictures it does fall to nothing, but noise is learnt by heart along the way, and val ends lower. The course's good settings use Adam with 0.03 on features that are not normalised; on the ladder of section 8 you will see what that costs.

# %% [markdown] lang="zh"
# ## 6 权重衰减 3.0 为什么致命
#
# 权重衰减在每一步把权重往零拉：梯度变成 `g + decay * w`。少量的衰减防止权重长得太大。课程的默认设置是 **3.0**，配上学习率 0.01、动量 0.8。下面保持课程的头（权重全是 1，没有偏置，特征不归一化），只改这一个数。

# %% [markdown] lang="en"
# ## 6 Why a weight decay of 3.0 kills
#
# Weight decay pulls the weights towards zero at every step: the gradient becomes `g + decay * w`. A little of it keeps weights from growing too large. The course's default is **3.0**, with a rate of 0.01 and momentum 0.8. Below is the course's head (weights of one, no bias, features as they are), with this single number changed.

# %%
course = {"weight_init": "ones", "has_bias": False, "normalise": False, "lr_max": 0.01,
          "momentum": 0.8, "epochs": 10}
decays = (3.0, 0.3, 0.03, 4e-5)
histories = {f"decay {decay:g}": learn(f"decay {decay:g}", **course, weight_decay=decay)
             for decay in decays}
lab.show(plot_runs, histories)

# %%
print(say(zh=f"26 类瞎猜的损失：ln 26 = {np.log(26):.2f}", en=f"guessing: ln 26 = {np.log(26):.2f}"))
for name in histories:
    print(f"{name:12}", say(zh="权重长度", en="length of the weights"), f"{weights[name]:7.2f}",
          say(zh="训练损失", en="train loss"), f"{histories[name][-1]['train_loss']:.2f}")

# %% [markdown] lang="zh"
# 衰减 3.0 那一行，权重几乎是零，训练损失和瞎猜差不了多少。算一笔账就明白了：
#
# - 平衡时拉力和推力相等：`decay * w = -g`，也就是 `w = -g / 3`。梯度本来就小，权重就只能是这个小数的三分之一，26 个分数挤在一起，概率几乎一样大。
# - 每一步，权重按 `lr * decay / (1 - m) = 0.01 * 3 / 0.2 = 15 %` 的速度被抹掉。头只记得最近**几步**见过的那几批照片，再早的全忘了。所以验证曲线上蹿下跳：它取决于最后几批碰巧是哪几类。
#
# 准确率没有跌到 1/26，是因为判断只看谁最大：分数再小，大小顺序还在。训练久一点也没有用，这就是它的平衡点。衰减 3.0 掐死的不是速度，而是**记忆**。

# %% [markdown] lang="en"
# With a decay of 3.0 the weights are next to nothing, and the loss is not far from guessing. The sums explain it:
#
# - In balance, pull equals push: `decay * w = -g`, hence `w = -g / 3`. Gradients are small, so the weights can only be a third of something small; the 26 scores lie close together, and all probabilities are nearly equal.
# - Every step wipes out about `lr * decay / (1 - m) = 0.01 * 3 / 0.2 = 15 %` of the weights. The head remembers the batches of the last *few steps* and has forgotten everything before. That is why val jumps: it depends on which classes happened to be in those batches.
#
# The accuracy does not fall to 1/26, because only the largest score counts: however small, they keep an order. Training longer does not help; this is where the balance lies. A decay of 3.0 does not slow learning down, it kills **memory**.

# %% [markdown] lang="zh"
# ## 7 `repeat` 和数据增强：同一张照片看几遍，看成什么样
#
# 特征是提前算好的，所以增强也必须提前做：`repeat` 遍，每一遍随机裁剪、翻转、调色各不相同，每遍都各占一行缓存。第一行是课程的强度（最小可以只裁出 8 % 的面积），第二行是推荐设置（至少 70 %）。

# %% [markdown] lang="en"
# ## 7 `repeat` and augmentation: how often is a photo seen, and as what
#
# Features are computed beforehand, so augmentation must come beforehand, too: `repeat` passes, each cropped, mirrored and coloured at random, each a row of its own in the cache. The upper row has the course's strength (a crop may take as little as 8 % of the area), the lower the recommended one (at least 70 %).

# %%
import matplotlib.pyplot as plt
from src_mindspore.data.decode import load_rgb
from src_mindspore.features.of_config import train_views

course_views = {"crop_scale_min": 0.08, "brightness": 0.4, "contrast": 0.4, "saturation": 0.4}
record = photos.splits["train"][0]
image = load_rgb(photos.root / record.path)
figure, axes = plt.subplots(2, 6, figsize=(11, 4))
for row, changes in zip(axes, (course_views, {}), strict=True):
    views = train_views(lab.config(repeat=6, **changes), backbone.preprocess)
    for number, axis in enumerate(row):
        axis.imshow(views.of(image, record.path, number))
        axis.set_title(say(zh=f"第 {number} 遍", en=f"pass {number}"))
        axis.set_axis_off()

# %% [markdown] lang="zh"
# 对着第一行问自己：只看这一小块，你自己认得出来吗？如果认不出，这一行缓存教给网络的就是错误的标签。从头训练几百轮的网络受得了这种强度；只有一层、看几遍的头，受不了那么多噪声。第 0 遍都是原样，和考试时一致。
#
# `repeat` 还有一个容易忽略的副作用：行数翻倍，每轮的**步数**也翻倍。准确率升了，是因为看到了新的样子，还是单单因为多走了几步？练习 2 会算这笔账。

# %% [markdown] lang="en"
# Ask yourself about the upper row: would you know the thing from that patch alone? If not, that row of the cache teaches a wrong label. A network that is trained from scratch for hundreds of epochs can bear such noise; one layer that sees a handful of passes cannot. Pass 0 is untouched, as in the exam.
#
# `repeat` has a side effect that is easily missed: twice the rows are twice the **steps** in an epoch. If accuracy rises, is it for the new views, or merely for more steps? Exercise 2 does the sums.

# %% [markdown] lang="zh"
# ## 8 阶梯：一级一级往上走
#
# 现在从课程默认设置开始，每一级在上一级的基础上改一步（第五级和最后一级一次改了几处，因为它们要配合着用），全部读同一份缓存。评分用三折交叉验证：训练照片分三份，轮流拿一份当考题，**每张训练照片恰好被考一次**，验证集一张不碰。同一张照片的副本（`group_ids` 找出来的）总在同一份里。

# %% [markdown] lang="en"
# ## 8 The ladder, rung by rung
#
# Start from the course default and change one thing a rung (the fifth and the last change several that belong together), always reading the same cache. Each rung is judged by cross-validation in three folds: the train photos are divided into three parts, each is the exam once, so **every train photo is asked about exactly once**, and val is not touched. Copies of a photo (found by `group_ids`) share a fold.

# %%
steps = {
    say(zh="课程默认", en="course default"): {
        "weight_init": "ones", "has_bias": False, "normalise": False, "epochs": 10, "repeat": 1,
        "lr_max": 0.01, "momentum": 0.8, "weight_decay": 3.0},
    say(zh="+ 衰减 4e-5", en="+ decay 4e-5"): {"weight_decay": 4e-5},
    say(zh="+ 30 轮，cosine，0.03", en="+ 30 epochs, cosine, 0.03"): {
        "epochs": 30, "lr_max": 0.03, "decay_type": "cosine"},
    say(zh="+ Adam", en="+ Adam"): {"optimizer": "adam"},
    say(zh="退回动量；归一化、偏置、0.005", en="momentum again; normalised, bias, 0.005"): {
        "optimizer": "momentum", "momentum": 0.9, "normalise": True, "weight_init": "he",
        "has_bias": True, "lr_max": 0.005},
    say(zh="+ 增强的第二遍", en="+ a second, augmented pass"): {"repeat": 2},
    say(zh="推荐设置：RBF 头、标签平滑", en="recommended: RBF head, smoothing"): {
        "head": "rbf", "normalise": False, "lr_max": 0.3, "label_smoothing": 0.3,
        "batch_size": 128, "weight_decay": 2e-5}}

# %%
from src_mindspore.data.duplicates import group_ids
from src_mindspore.evaluation.paired import right_in_folds
from src_mindspore.evaluation.plots_recipe import plot_rungs

groups = group_ids(photos.root, photos.splits["train"], progress=False)
settings, rights = dict(recipe), {}
for name, changes in steps.items():
    settings.update(changes)
    rights[name] = right_in_folds(caches["train"], groups, backbone.channels, photos.classes,
                                  lab.config(**settings))
    print(f"{rights[name].sum():5d} / {len(groups)}   {name}")

# %%
lab.show(plot_rungs, rights)

# %% [markdown] lang="zh"
# 三件事值得注意：
#
# 1. **最大的一步是去掉一个错误**（衰减 3.0），不是加一个技巧。
# 2. **有一级是往下走的**。别人配方里的每一项都要单独检验，包括出现在“好设置”里的。
# 3. **越往上，区间越重叠**。相邻两级的差别，光看这张图说不清。下一节讲怎样说清。
#
# 项目自带的阶梯（`.venv/bin/python -m src_mindspore.evaluation.ladder`）用每一级自己的全部遍数、五折、三个种子，还包括 RGB/BGR 那一级，要跑得久一些；结果在 README 里。

# %% [markdown] lang="en"
# Three things to notice:
#
# 1. **The largest step is a mistake removed** (the decay of 3.0), not a trick added.
# 2. **One rung leads down.** Every item of somebody's recipe has to be tried alone, those of "good settings" included.
# 3. **The higher, the more the intervals overlap.** Which of two neighbours is better, this picture cannot say. The next section can.
#
# The project's own ladder (`.venv/bin/python -m src_mindspore.evaluation.ladder`) takes each preset's own passes, five folds and three seeds, has a rung for RGB and BGR, and takes longer; its results stand in the README.

# %% [markdown] lang="zh"
# ## 9 126/130 比 124/130 好吗？
#
# 同学得了 124，你得了 126，你的模型更好吗？先看两个区间：

# %% [markdown] lang="en"
# ## 9 Is 126/130 better than 124/130?
#
# A classmate has 124, you have 126. Is your model better? The two intervals first:

# %%
lab.show(plot_rungs, {f"{correct}/130": np.arange(130) < correct for correct in (124, 126)})

# %% [markdown] lang="zh"
# 两个区间几乎完全重叠。但“区间重叠”本身还不是结论：两个模型考的是**同一张卷子**，难的照片两边都错，容易的两边都对，这些照片说明不了谁好谁坏。能说明问题的只有**一个对、另一个错**的照片。
#
# 如果两个模型其实一样好，每一张这样的照片就像抛一枚硬币：归你还是归他，各一半。于是只要问：这么多枚硬币，抛出这么偏的结果，有多常见？这就是 McNemar 检验，答案叫 **p 值**。把阶梯上相邻的两级比一比：

# %% [markdown] lang="en"
# They overlap nearly altogether. But overlapping intervals are not yet a verdict: both models sat the **same exam**. Hard photos are wrong for both, easy ones right for both, and neither kind says who is better. Only photos count that **one got right and the other wrong**.
#
# If the two were equally good, each such photo would be the toss of a coin: yours or the other's, half and half. So the question is how often that many coins fall so unevenly. This is McNemar's test, and its answer is the **p-value**. Here it compares each rung with the one before:

# %%
from src_mindspore.evaluation.paired import mcnemar

names = list(rights)
print(say(zh="只有前一级对 / 只有这一级对 / p 值", en="only the rung before / only this one / p-value"))
for before, after in zip(names, names[1:], strict=False):
    pair = mcnemar(rights[before], rights[after])
    print(f"{pair.only_first:5d} {pair.only_second:5d}   {pair.p_value:8.2g}   {after}")

# %% [markdown] lang="zh"
# p 值小（惯例是 0.05 以下），说明靠运气很难做到；p 值大，**不是**说两者一样好，只是说这些照片还分不出来。
#
# 配对看到的，比两个分开的区间多得多：哪怕区间重叠，只要分歧几乎总偏向同一边，差别就是真的。
#
# 还有一点：这里比了六次，纯靠运气，也可能有一次低于 0.05。比得越多，越要严格。126 对 124 到底怎么样，请你在练习 3 和练习 4 里自己算出来。

# %% [markdown] lang="en"
# A small p-value (below 0.05, by custom) says that luck alone would hardly do it. A large one does *not* say that the two are equally good, only that these photos cannot tell.
#
# Pairing sees far more than two separate intervals: even where they overlap, a difference is real if the disagreements nearly always go one way.
#
# And one more thing: there are six comparisons here, and one of six may fall below 0.05 by luck alone. The more you compare, the stricter you must be. What becomes of 126 against 124 you find out yourself, in exercises 3 and 4.

# %% [markdown] lang="zh"
# ## 练习
#
# 每题都要先想，再写。把 `...` 换成你的答案，保存，然后在终端里运行
#
# ```
# .venv/bin/python -m lab.check lab/zh/02_learning_rate.ipynb
# ```

# %% [markdown] lang="en"
# ## Exercises
#
# Each needs a thought first and a few lines after. Put your answer in the place of `...`, save, and run in a terminal
#
# ```
# .venv/bin/python -m lab.check lab/en/02_learning_rate.ipynb
# ```

# %% [markdown] lang="zh"
# ### 练习 1：多久忘掉一半（2 分）
#
# 一个权重现在是 1，从此再也没有照片用到它，只剩权重衰减在拉它。用带动量的更新，多少步之后它降到 0.5 或更低？分别代入课程默认（0.01、3.0、0.8）和好设置（0.03、4e-5、0.9），看看两种“记忆”差多少倍。

# %% [markdown] lang="en"
# ### Exercise 1: how soon is half forgotten? (2 points)
#
# A weight is 1, and no photo asks for it any more: weight decay alone pulls at it. Updated with momentum, after how many steps has it fallen to 0.5 or less? Put in the course default (0.01, 3.0, 0.8) and good settings (0.03, 4e-5, 0.9), and see how far apart the two memories are.

# %% tags=["exercise"] id="half-life" points=2
def steps_to_half(lr, decay, momentum):
    # zh: 返回步数（整数）。提示：照第 5 节的两行公式写循环，这里的梯度 g 只有 decay * w。
    # en: Return the number of steps, an integer. HINT: a loop with the two formulas of section 5;
    # en: the gradient g is decay * w and nothing else.
    ### BEGIN SOLUTION
    weight, velocity, count = 1.0, 0.0, 0
    while weight > 0.5:
        velocity = momentum * velocity + decay * weight
        weight -= lr * velocity
        count += 1
    return count
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_given = steps_to_half(0.01, 3.0, 0.8)
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
assert _given != 23, say(zh="这是没有动量时的答案：过去的拉力也留在 v 里。",
                         en="That is the answer without momentum: past pulls stay in v.")
assert _given != 5, say(
    zh="你直接用了 15 % 的估计。它是梯度不变时的极限，刚开始几步 v 还没有涨起来，请老老实实地循环。",
    en="You used the estimate of 15 %, which is the limit for a steady gradient; in the first steps "
       "v has not grown yet. Write the loop.")
assert _given == 7, say(zh=f"课程默认应当是 7 步，得到 {_given}。v 从 0 开始，先更新 v 再更新 w。",
                        en=f"The course default takes 7 steps, you have {_given}. v starts at 0; "
                           "v is updated first, then w.")
assert steps_to_half(0.1, 1.0, 0.0) == 7, say(
    zh="没有动量、每步乘 0.9 时，也是 7 步降到一半以下。",
    en="Without momentum, with a factor of 0.9 a step, it takes 7 steps as well.")
assert 50_000 < steps_to_half(0.03, 4e-5, 0.9) < 65_000, say(
    zh="好设置下应当是五万多步。", en="With good settings it takes over fifty thousand steps.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 2：公平地比较 `repeat`（2 分）
#
# `repeat=2` 的训练比 `repeat=1` 好了一点。可是它每轮的步数也多了一倍。要公平，就得让两边的**总步数**相同：`passes` 遍训练 `epochs` 轮，对应只有一遍时训练多少轮？

# %% [markdown] lang="en"
# ### Exercise 2: compare `repeat` fairly (2 points)
#
# Training with `repeat=2` did a little better than with `repeat=1`. But it also took twice the steps in every epoch. To be fair, both sides need the same number of **steps in all**: `passes` passes and `epochs` epochs, how many epochs is that with a single pass?

# %% tags=["exercise"] id="fair-epochs" points=2
def fair_epochs(photos, batch, passes, epochs):
    # zh: 返回轮数（整数，取最接近的）。提示：最后一批不满也是一步，所以不总是 passes * epochs。
    # en: Return the number of epochs, the nearest integer. HINT: a last batch that is not full is a
    # en: step as well, so it is not always passes * epochs.
    ### BEGIN SOLUTION
    total = epochs * -(-photos * passes // batch)
    return round(total / -(-photos // batch))
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_given = fair_epochs(512, 64, 2, 30)
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
assert _given != 15, say(zh="方向反了：只有一遍时每轮步数少，应当训练更多轮。",
                         en="The other way round: with one pass an epoch has fewer steps, so it "
                            "takes more epochs.")
assert _given == 60, say(zh=f"整除时就是 passes * epochs = 60，得到 {_given}。",
                         en=f"Where all divides evenly it is passes * epochs = 60, not {_given}.")
_given = fair_epochs(65, 64, 8, 30)
assert _given != 240, say(
    zh="65 张、每批 64：一遍要 2 步，八遍 520 行只要 9 步，不是 16 步。",
    en="65 photos in batches of 64: one pass is 2 steps, but eight passes, 520 rows, are 9 and not "
       "16.")
assert _given == 135, say(zh=f"65 张、八遍、30 轮：共 270 步，每轮 2 步，得到 {_given}。",
                          en=f"65 photos, 8 passes, 30 epochs: 270 steps, 2 an epoch; you have "
                             f"{_given}.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 3：一样好的两个模型会差多少（3 分）
#
# 模拟！设两个模型**完全一样好**，每张照片判对的概率都是 `p`，各考 `n` 张。重复很多次，其中有多大比例，两者的得分至少相差 `gap` 张？
#
# 写好之后算一算 `luck(0.96, 130, 2)`，再回答本节的问题。

# %% [markdown] lang="en"
# ### Exercise 3: how far apart are two equally good models? (3 points)
#
# Simulate! Let two models be **exactly equally good**: each names every photo rightly with probability `p`, and each is asked about `n`. Repeated many times, in which share of the trials do their scores lie at least `gap` photos apart?
#
# When it works, look at `luck(0.96, 130, 2)`, and answer the question of section 9.

# %% tags=["exercise"] id="luck" points=3
def luck(p, n, gap, trials=20_000, seed=0):
    # zh: 返回 0 到 1 之间的比例。提示：rng.binomial(n, p, trials) 一次给出 trials 个得分；
    # zh: 谁高谁低都算“相差”。
    # en: Return a share from 0 to 1. HINT: rng.binomial(n, p, trials) gives `trials` scores at
    # en: once; either of the two may be ahead.
    rng = np.random.default_rng(seed)
    ### BEGIN SOLUTION
    difference = rng.binomial(n, p, trials) - rng.binomial(n, p, trials)
    return float((np.abs(difference) >= gap).mean())
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
from scipy.stats import binom as _binom

def _exact(p, n, gap):
    one = _binom.pmf(np.arange(n + 1), n, p)
    apart = np.abs(np.subtract.outer(np.arange(n + 1), np.arange(n + 1)))
    return [float(np.outer(one, one)[apart >= g].sum()) for g in (gap, gap + 1)]

_given = luck(0.96, 130, 2)
assert isinstance(_given, float), say(zh="应返回一个小数。", en="Expected a decimal number.")
assert _given != 0, say(zh="两个模型不能用同一串随机数：各抽各的。",
                        en="The two models must not share their draws: each has its own.")
_right, _more = _exact(0.96, 130, 2)
assert abs(_given - _right / 2) > 0.02, say(zh="你只数了其中一边领先的情况，请取绝对值。",
                                            en="You counted one side's lead alone; take the "
                                               "absolute value.")
assert abs(_given - _more) > 0.02, say(zh="“至少”相差 gap：等于也算。",
                                       en="At least `gap` apart: equal to it counts, too.")
assert abs(_given - _right) < 0.02, say(
    zh=f"p=0.96、130 张、相差 2 张：得到 {_given:.2f}，不对。每一次试验比的是两个总分。",
    en=f"For p=0.96, 130 photos and a gap of 2 you have {_given:.2f}, which is not right. A trial "
       "compares two totals.")
assert abs(luck(0.8, 50, 5) - _exact(0.8, 50, 5)[0]) < 0.02, say(
    zh="换成别的 p、n、gap 就不对了，检查是否写死了数字。",
    en="It fails for other p, n and gap; look for a number written into the code.")
### END TESTS

# %% [markdown] lang="zh"
# 一样好的两个模型，考 130 张，十次里有六次会差两张以上。所以单凭 126 对 124，什么也说明不了；再试试 `gap` 要多大才少于 5 %。

# %% [markdown] lang="en"
# Two equally good models that sit an exam of 130 photos end two or more apart in six of ten cases. So 126 against 124, by itself, says nothing. Try how large `gap` must be until the share falls below 5 %.

# %% [markdown] lang="zh"
# ### 练习 4：换成配对来问（3 分）
#
# 现在两个模型考的是同一批 130 张。`a` 张只有你对，`b` 张只有他对，`a - b = 2`。写出 McNemar 检验的 p 值：`a + b` 枚公平的硬币，抛出**至少这么偏**的结果（偏向哪一边都算）的概率。
#
# 然后比较三种情形，想想为什么差别这么大：`(2, 0)`，`(5, 3)`，`(20, 18)`。再试 `(12, 2)`：两个总分也只差 10 张。

# %% [markdown] lang="en"
# ### Exercise 4: ask in pairs (3 points)
#
# Now both were asked about the same 130 photos. You alone were right about `a` of them, the other alone about `b`, and `a - b = 2`. Write the p-value of McNemar's test: the probability that `a + b` fair coins fall **at least so unevenly**, to whichever side.
#
# Then compare `(2, 0)`, `(5, 3)` and `(20, 18)`. Is any of them enough? And `(12, 2)`, where the totals are 10 apart?

# %% tags=["exercise"] id="paired-p" points=3
from math import comb

def p_value(a, b):
    # zh: comb(n, k) / 2**n 是 n 枚硬币恰好 k 个正面的概率。一次分歧也没有时返回 1.0。
    # zh: 提示：概率总不超过 1；a = b 时别把正中间数两遍。
    # en: comb(n, k) / 2**n is the probability that k of n coins show heads. Without any
    # en: disagreement return 1.0.
    # en: HINT: no probability exceeds 1; for a = b the middle must not count twice.
    ### BEGIN SOLUTION
    n = a + b
    return sum(comb(n, k) for k in range(n + 1) if abs(2 * k - n) >= abs(a - b)) / 2**n
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
from scipy.stats import binomtest as _binomtest

_given = p_value(12, 2)
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
_right = _binomtest(12, 14).pvalue
assert abs(_given - _right / 2) > 1e-9, say(
    zh="你只算了一边。问题是“谁更好”，偏向另一边也同样会让你惊讶。",
    en="That is one side alone. Who is better was open: falling to the other side would have "
       "surprised you as much.")
assert abs(_given - _binomtest(13, 14).pvalue) > 1e-9, say(
    zh="“至少这么偏”包括正好这么偏。", en="At least so unevenly includes exactly so.")
assert abs(_given - _right) < 1e-9, say(
    zh=f"(12, 2) 得到 {_given:.4f}，应约为 0.013。两边都对、两边都错的照片不参加。",
    en=f"For (12, 2) you have {_given:.4f}; expected about 0.013. Photos that both got right or "
       "wrong take no part.")
assert abs(p_value(2, 12) - _right) < 1e-9, say(zh="a、b 对调，p 值应当不变。",
                                                en="With a and b exchanged nothing may change.")
assert abs(p_value(4, 4) - 1) < 1e-9, say(
    zh="4 比 4 时 p 应为 1：正中间只能数一遍。",
    en="For 4 against 4 it is 1: the middle counts once.")
assert p_value(0, 0) == 1, say(zh="没有分歧时返回 1.0。", en="Without disagreement return 1.0.")
### END TESTS

# %% [markdown] lang="zh"
# 总分只差两张，最极端的 `(2, 0)` 也有 p = 0.5。所以答案是：**130 张照片分不出 126 和 124**，不管分歧怎么分布。
#
# **最后想一想，不计分：** 全班五十个人的模型其实一样好，都考这 130 张。排名第一的同学会得多少分？他写的“获奖经验”值得抄吗？（多运行几次 `np.random.default_rng().binomial(130, 0.96, 50).max()`。）

# %% [markdown] lang="en"
# With totals two apart, even the most extreme case, `(2, 0)`, has p = 0.5. So the answer: **130 photos cannot tell 126 from 124**, however the disagreements fall.
#
# **A last thought, without points:** fifty students have models that are in truth equally good, and all sit these 130 photos. What does the best of them score? Is the winner's advice worth copying? (Run `np.random.default_rng().binomial(130, 0.96, 50).max()` a few times.)
