# %% [markdown] lang="zh"
# # 自己的照片，自己部署
#
# 第一本笔记用的是别人准备好的照片。这一本从**你自己的文件夹**开始，到一个别人能直接调用的模型结束：MindIR 文件、课程要求的 `main.py`、一张写明用途和局限的模型卡片。中途会遇到真实文件夹里都有的毛病，也会量一量部署后的模型准不准、快不快。
#
# **学完之后，你能够**
#
# - 整理一个照片文件夹，在训练之前找出坏图、重复和矛盾的标签；
# - 用一条命令训练，并诚实地说出照片少的时候分数意味着什么；
# - 用数字证明部署的模型就是训练出来的那个模型；
# - 写出提交文件夹，像评分程序那样调用它；
# - 量出一次预测的时间花在哪里，并写好模型卡片。
#
# **时间**：运行和阅读约十五分钟，四道练习约二十五分钟。最好先做完第一本笔记。

# %% [markdown] lang="en"
# # Your own photos, your own deployment
#
# The first notebook used photos that somebody had prepared. This one starts with **a folder of yours** and ends with a model that others can call: a MindIR file, the course's `main.py`, and a model card that says what it is for and where it stops. On the way you meet the faults that every real folder has, and you measure whether the deployed model is right, and how fast it is.
#
# **Afterwards you can**
#
# - put a folder of photos in order, and find broken files, copies and contradictory labels before training;
# - train with one command, and say honestly what a score on few photos is worth;
# - prove with numbers that the deployed model is the one you trained;
# - write the folder you hand in, and call it the way a grader does;
# - measure where the time of one prediction goes, and write the model card.
#
# **Time**: about fifteen minutes to run and read, twenty-five for the four exercises. Do the first notebook before this one.

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
# ## 1 你的文件夹
#
# 规则只有一条：**一个类别一个文件夹**，文件夹的名字就是类别的名字。
#
# ```
# datasets/my_photos/
#     banana/      IMG_0001.jpg  IMG_0002.jpg  ...
#     battery/     ...
#     bottle/      ...
# ```
#
# 每类二三十张就可以开始。值得花心思的是**差异**：换背景，换光线，换角度，尤其要换一件东西再拍。对着同一个瓶子连拍三十张，等于只有一张。
#
# 把照片放到 `datasets/my_photos`，或者把下面的路径改成你的文件夹。如果还没有照片，下面这一格会画一个小文件夹出来，并且故意放进三个毛病，都是真实文件夹里最常见的。

# %% [markdown] lang="en"
# ## 1 Your folder
#
# There is one rule: **one folder a class**, and the folder's name is the class's name.
#
# ```
# datasets/my_photos/
#     banana/      IMG_0001.jpg  IMG_0002.jpg  ...
#     battery/     ...
#     bottle/      ...
# ```
#
# Twenty or thirty photos of each are enough to start. What deserves your effort is **variety**: other backgrounds, other light, other angles, and above all other objects. Thirty shots of one and the same bottle count as one photo.
#
# Put your photos into `datasets/my_photos`, or change the path below. If you have none yet, the next cell draws a small folder, and puts three faults into it on purpose: those that real folders have most often.

# %%
import cv2
from src_mindspore.data.drawn_folder import draw_plain_folder
from src_mindspore.files import write_bytes

my_photos = Path("datasets/my_photos")

if not my_photos.exists():
    my_photos = draw_plain_folder("datasets/my_photos_example", {
        "banana": 25, "battery": 19, "bottle": 0, "shell": 16, "toothbrush": 14}, 24, seed=7)
    mirrored = cv2.imread(str(my_photos / "shell/03.jpg"))[:, ::-1]
    cv2.imwrite(str(my_photos / "shell/mirrored.jpg"), mirrored)
    write_bytes(my_photos / "bottle/again.jpg", (my_photos / "shell/05.jpg").read_bytes())
    write_bytes(my_photos / "shell/half.jpg", (my_photos / "shell/04.jpg").read_bytes()[:4000])
print(*sorted(p.name for p in my_photos.iterdir() if p.is_dir()))

# %% [markdown] lang="zh"
# ## 2 审计：先挑毛病
#
# 训练之前先审计。它读每一个文件，比较每一对照片（镜像、缩放、重新压缩过的也认得出），然后把发现的问题列出来，并画成一张图。

# %% [markdown] lang="en"
# ## 2 The audit: faults first
#
# Audit before you train. The audit reads every file and compares every pair of photos (it knows mirrored, resized and re-saved ones again), lists what it found, and draws it.

# %%
from IPython.display import Image, Markdown, display
from src_mindspore.data.audit import audit
from src_mindspore.data.contact_sheet import draw_contact_sheet
from src_mindspore.data.folder import read_folder
from src_mindspore.data.scan import scan

folder = read_folder(my_photos)
report = audit(folder, scan(folder, progress=False), progress=False)
print(report.summary())
sheet = draw_contact_sheet(folder, report, Path("results/audit/my_photos.png"))
if sheet:
    display(Image(sheet, width=880))

# %% [markdown] lang="zh"
# 例子里的三个毛病都找到了，处理办法各不相同：
#
# - **同一张照片放在两个类别里**（one photo under different classes）。两个标签必有一个是错的，而哪个对，只有人看了才知道。贝壳不是瓶子，删掉 `bottle` 里的那张。
# - **同一类里的镜像副本**（copies）。留着也无妨，但划分时必须同进同退：一张在训练集、另一张在验证集，就等于漏题。程序会把它们放在同一边。
# - **损坏的文件**（cannot be used），多半是拷贝中断。程序默认停下来点名；确认无妨以后，用 `--bad_images skip` 跳过。

# %% [markdown] lang="en"
# All three faults of the example are found, and each needs another treatment:
#
# - **One photo under two classes.** One of the two labels must be wrong, and only a person who looks can say which. A shell is no bottle: delete the one in `bottle`.
# - **A mirrored copy within a class.** It may stay, but the split must never divide the pair: one in train and one in val is an exam question handed out beforehand. The split keeps copies together.
# - **A damaged file**, most likely a copy that was interrupted. By default the program stops and names it; once you know that it does not matter, `--bad_images skip` leaves it out.

# %%
(my_photos / "bottle/again.jpg").unlink(missing_ok=True)

# %% [markdown] lang="zh"
# ## 3 一条命令训练
#
# 第一本笔记里一格一格做的事，`train_head.py` 一次做完：找照片、划分、提特征、训练、选一轮、导出、核对、写报告。在终端里运行它也一样：
#
# ```
# .venv/bin/python train_head.py --dataset_path datasets/my_photos --bad_images skip
# ```
#
# 没有划分过的文件夹会被划分一次：每一类抽出五分之一作验证集，副本不拆开，结果记在 `results/splits`，以后一直用同一个划分。

# %% [markdown] lang="en"
# ## 3 Train with one command
#
# What you did cell by cell in the first notebook, `train_head.py` does in one go: find the photos, split, extract, train, choose an epoch, export, compare, report. In a terminal it is the same:
#
# ```
# .venv/bin/python train_head.py --dataset_path datasets/my_photos --bad_images skip
# ```
#
# A folder without splits is split once: a fifth of every class becomes val, copies stay together, and the result is kept in `results/splits`, so that it will be the same split tomorrow.

# %%
import train_head

train_head.main(["--dataset_path", str(my_photos), "--bad_images", "skip", "--repeat", "4",
                 "--language", lab.language])
run = Path("results/latest").resolve().relative_to(Path.cwd())

# %%
from src_mindspore.evaluation.plots import plot_confusion
from src_mindspore.files import read_json

metrics = read_json(run / "metrics_val.json")
low, high = metrics["interval"]
print(say(zh=f"{metrics['n']} 张中判对 {metrics['correct']} 张；95 % 置信区间 {low:.1%} 到 {high:.1%}",
          en=f"{metrics['correct']} of {metrics['n']} right; 95 % interval {low:.1%} to {high:.1%}"))
lab.show(plot_confusion, metrics)

# %% [markdown] lang="zh"
# 先看区间，再看分数。二十几张验证照片即使**全对**，也只能说真实准确率大概在 86 % 以上，而不能说“准确率 100 %”。另外，用哪一轮也是看着这些照片选的，所以分数还要再打一点折扣。想说得更准，办法只有一个：更多的照片（练习 1）。

# %% [markdown] lang="en"
# Look at the interval before the score. With some twenty validation photos, even **all right** only says that the true accuracy is probably above 86 %; it does not say "100 % accurate". The epoch was chosen on these photos as well, so a little more has to be taken off. There is one way to say it more exactly: more photos (exercise 1).

# %% [markdown] lang="zh"
# ## 4 要带走的是什么
#
# 运行文件夹里有这些文件。`best.mindir` 是模型本身，`best.json` 是它的约定：类别的顺序、预处理、温度、校验码。只带走前者，等于带走一台没有说明书的机器。

# %% [markdown] lang="en"
# ## 4 What travels
#
# These are the files of the run. `best.mindir` is the model itself, `best.json` its contract: the order of the classes, the preprocessing, the temperature, the checksums. To take only the first is to take a machine without its manual.

# %%
for name in ("best.ckpt", "best.mindir", "best_dynamic.mindir", "best.onnx", "best.json"):
    print(f"{(run / name).stat().st_size / 1e6:6.2f} MB  {name}")
contract = read_json(run / "best.json")
print(*(f"{key}: {contract[key]}" for key in ("preprocess", "temperature", "output")), sep="\n")
print("classes:", *contract["classes"]["folders"])

# %% [markdown] lang="zh"
# 顺便看一眼 `temperature`。它在验证集上拟合，只许在 0.05 到 20 之间；如果正好停在一端，就说明验证照片太少或太容易（比如全判对了），概率还没有东西可以用来校准，不要当真。

# %% [markdown] lang="en"
# A glance at `temperature`: it is fitted on val and kept between 0.05 and 20. If it stands at one of these ends, val was too small or too easy (every photo right, for instance) to calibrate anything, and the probabilities should not be taken at their word.

# %% [markdown] lang="zh"
# ## 5 还是同一个模型吗
#
# 导出、换运行库、换机器，每一步都可能悄悄改变答案。**一致性检查**（parity check）就是让两边回答同一批照片，比较 logits。浮点数的加法换个顺序，末位就会不同，所以差别不会是零；问题是多小才算小。
#
# 下面把两种导出格式和三个常见的预处理错误放在一张图里比较，注意横轴是对数。

# %% [markdown] lang="en"
# ## 5 Is it still the same model?
#
# An export, another runtime, another machine: each of them may change the answers without a word. A **parity check** asks both sides about the same photos and compares the logits. Floating-point sums in another order differ in their last digits, so the difference will not be zero; the question is how small is small.
#
# Here two export formats and three common mistakes in preprocessing stand in one picture. Mind that the axis is logarithmic.

# %%
import dataclasses
import numpy as np
from src_mindspore.data.decode import load_rgb
from src_mindspore.data.preprocess import IMAGENET_MEAN, IMAGENET_STD, preprocess
from src_mindspore.deploy.mindir import onnx_logits
from src_mindspore.evaluation.photos_of_model import photos_for
from src_mindspore.model import load_mindir, load_model

model = load_model(run / "best.ckpt")
_, paths, labels, *_ = photos_for(model.classes, my_photos, "val", "skip", Path("results/splits"),
                                 progress=False)
photos = [load_rgb(my_photos / path) for path in paths]

def inputs(photos, **changes):
    return np.stack([preprocess(p, dataclasses.replace(model.preprocess, **changes))
                     for p in photos])

# %%
right = inputs(photos)
reference = model.logits(right)
answers = {
    "MindIR": load_mindir(run / "best.mindir").logits(right),
    "ONNX": onnx_logits(run / "best.onnx")(right),
    "Resize + CenterCrop": model.logits(inputs(photos, resize=292)),
    say(zh="换了均值和方差", en="another mean and std"):
        model.logits(inputs(photos, mean=IMAGENET_MEAN, std=IMAGENET_STD)),
    say(zh="BGR 当成 RGB", en="BGR taken for RGB"):
        model.logits(inputs([p[..., ::-1] for p in photos])),
}
difference = {name: np.abs(logits - reference).max() for name, logits in answers.items()}

# %%
import matplotlib.pyplot as plt

figure, axis = plt.subplots(figsize=(9, 2.8))
colours = ["#1a7a3c" if value < 1e-3 else "#b3261e" for value in difference.values()]
bars = axis.barh(list(difference), difference.values(), color=colours)
same = [int((logits.argmax(1) == labels).sum()) for logits in answers.values()]
axis.bar_label(bars, [say(zh=f"{d:.0e}，对 {s} 张", en=f"{d:.0e}, {s} right")
                      for d, s in zip(difference.values(), same, strict=True)], padding=4)
axis.set(xscale="log", xlim=(1e-7, 300),
         xlabel=say(zh="logits 的最大差别", en="largest difference of a logit"))
axis.invert_yaxis()

# %% [markdown] lang="zh"
# 绿色是舍入误差，红色是真的错误，中间隔着好几个数量级。这就是一致性检查好用的原因：**不必争论多小算小，两者之间是一片空地。**
#
# 再看后面的张数：预处理明明错了，判对的张数却几乎没少，差一两张，谁都会以为是运气。只看准确率，这种错误在容易的照片上发现不了，要等到难一些的照片上才会咬人；看 logits，一眼就能看出来。

# %% [markdown] lang="en"
# Green is rounding, red is a real mistake, and orders of magnitude lie between them. That is why parity checks work: **nobody has to argue how small is small, between the two there is empty land.**
#
# Now look at the counts: the preprocessing is plainly wrong, and yet hardly fewer photos are right; one or two less, which anyone would put down to chance. Whoever watches the accuracy alone does not notice such a mistake on easy photos; it bites on harder ones. The logits show it at once.

# %% [markdown] lang="zh"
# ## 6 写出提交文件夹
#
# 课程要的是一个 `main.py`，里面有 `predict(image)`：收到一张 `(H, W, 3)` 的 uint8 图像，返回类别名字。图像是 RGB 还是 BGR，要看你那一版作业的说明：旧版交来的是 OpenCV 的 BGR，新版是 PIL 的 RGB。弄反了要丢十几分，所以 `write_submission` 必须由你明说。

# %% [markdown] lang="en"
# ## 6 Write what you hand in
#
# The course asks for a `main.py` with `predict(image)`: it is handed one image, `(H, W, 3)` uint8, and returns the name of a class. Whether the image is RGB or BGR depends on your edition of the assignment: the old text hands over OpenCV's BGR, the current one PIL's RGB. Mixing them up costs a dozen points, so `write_submission` insists on being told.

# %%
from src_mindspore.deploy.submission import write_submission

submission = write_submission(run / "best.ckpt", "RGB", "results/submission_my_photos")
for file in sorted(submission.glob("*.*")):
    print(f"{file.stat().st_size / 1e6:6.2f} MB  {file.name}")

# %% [markdown] lang="zh"
# 交之前，要**像评分程序那样**调用它：另起一个进程，在那个文件夹里，只 `import main`。在笔记本里能跑不算数，这里什么都已经导入过了。下面的小程序对每张验证照片问两次，一次给 RGB，一次故意给 BGR，并记下时间。

# %% [markdown] lang="en"
# Before you hand it in, call it **the way a grader does**: another process, in that folder, with nothing but `import main`. That it works in a notebook proves nothing, because here everything has been imported already. The small program below asks about every validation photo twice, once in RGB and once, on purpose, in BGR, and takes the time.

# %%
PROGRAM = """
import json, sys, time
import numpy as np
from PIL import Image
import main
answers, swapped, seconds = [], [], []
for path in sys.argv[1:]:
    image = np.asarray(Image.open(path).convert("RGB"))
    start = time.perf_counter()
    answers.append(main.predict(image))
    seconds.append(time.perf_counter() - start)
    swapped.append(main.predict(image[..., ::-1]))
print(json.dumps([answers, swapped, seconds]))
"""

# %%
import json
import subprocess

files = [str((my_photos / path).resolve()) for path in paths]
done = subprocess.run([sys.executable, "-c", PROGRAM, *files], cwd=submission, check=True,
                      capture_output=True, text=True)
names, swapped, seconds = json.loads(done.stdout.splitlines()[-1])
truth = [model.classes.english[label] for label in labels]
ours = [model.classes.english[label] for label in reference.argmax(1)]
print("main.py = model:", names == ours)
print("RGB:", sum(a == b for a, b in zip(names, truth, strict=True)), "/", len(truth))
print("BGR:", sum(a == b for a, b in zip(swapped, truth, strict=True)), "/", len(truth))

# %% [markdown] lang="zh"
# 第一行必须是 True：提交的程序和训练出来的模型，对每一张照片的回答都一样。做不到这一点，就不要交。

# %% [markdown] lang="en"
# The first line must be True: what you hand in answers every photo as the model that you trained. If it does not, do not hand it in.

# %% [markdown] lang="zh"
# ## 7 有多快，时间花在哪里
#
# 评分程序和用户都会等。先看每一次 `predict` 用了多久，再把一次预测拆成三段：解码、预处理、网络。

# %% [markdown] lang="en"
# ## 7 How fast, and where the time goes
#
# Graders wait, and users do too. First the time of every single `predict`; then one prediction in its three parts: decode, preprocess, network.

# %%
import time

def milliseconds(work, times=15):
    work()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - start))
    return float(np.median(taken))

deployed = load_mindir(run / "best.mindir")
parts = {say(zh="解码", en="decode"): milliseconds(lambda: load_rgb(files[0])),
         say(zh="预处理", en="preprocess"): milliseconds(lambda: inputs(photos[:1])),
         say(zh="网络", en="network"): milliseconds(lambda: deployed.logits(right[:1]))}
many = load_mindir(run / "best_dynamic.mindir")
batches = {n: milliseconds(lambda n=n: many.logits(right[:n]), 5) / n for n in (1, 2, 4, 8, 16)}

# %%
figure, (calls, shares, sizes) = plt.subplots(1, 3, figsize=(11, 3))
calls.bar(range(1, len(seconds) + 1), np.multiply(seconds, 1000), color="#1f6fb4")
calls.set(xlabel=say(zh="第几次调用", en="call"),
          title=say(zh="每次 predict（毫秒）", en="each predict (ms)"))
shares.bar_label(shares.bar(list(parts), parts.values(), color="#d95f02"), fmt="%.1f")
shares.set_title(say(zh="一次预测（毫秒）", en="one prediction (ms)"))
sizes.plot(list(batches), list(batches.values()), marker="o", color="#6a9f58")
sizes.set(ylim=(0, 1.2 * max(batches.values())), xticks=list(batches),
          xlabel=say(zh="一批几张", en="photos in a batch"), title=say(zh="每张照片（毫秒）", en="per photo (ms)"))

typical, late = np.median(seconds[1:]), np.quantile(seconds[1:], 0.95)
print(say(zh=f"不计第一次：中位数 {typical:.3f} 秒，95 % 的调用在 {late:.3f} 秒以内",
          en=f"the first one left out: median {typical:.3f} s, 95 % of the calls within {late:.3f} s"))

# %% [markdown] lang="zh"
# - **左**：第一次调用要编译计算图，慢得多。所以模型要在 `import` 时装载一次，而不是每次 `predict` 都装载；上线的服务则应当先自己问一次，“热身”。
# - **中**：时间几乎都花在网络上。想快，就从那里动手，优化解码没有意义。手机照片有一千多万像素时另当别论：再量一次。
# - **右**：一次多送几张，每张的平均时间会不会下降，要看机器。量了才知道。
#
# 报告延迟时要报**中位数和 95 % 分位数**，不要报平均值：一次编译或一次卡顿就能把平均值带偏，而用户记住的正是那几次卡顿。

# %% [markdown] lang="en"
# - **Left**: the first call compiles the graph and takes much longer. That is why the model is loaded once, at `import`, and not in every `predict`; a service asks itself one question at its start, to warm up.
# - **Middle**: nearly all the time is the network's. Whoever wants speed starts there; a faster decoder would change nothing. With phone photos of more than ten megapixels that may be different: measure again.
# - **Right**: whether several photos at once make each of them cheaper depends on the machine. Measure, then decide.
#
# Report **the median and the 95th percentile** of a latency, not the mean: one compilation or one hiccup bends the mean, and the hiccups are what users remember.

# %% [markdown] lang="zh"
# ## 8 模型卡片
#
# 半年以后，没有人记得这个模型学的是什么照片、测过什么、没测过什么，包括你自己。模型卡片把它写下来：数字由程序从运行记录里取，用途和局限只有作者知道，必须自己写。

# %% [markdown] lang="en"
# ## 8 The model card
#
# Half a year from now nobody will remember what this model learnt from, what was measured and what was not, yourself included. A model card writes it down. Its figures are taken from the run; its purpose and its limits only the author knows, so you have to write them.

# %%
from src_mindspore.deploy.model_card import write_model_card

card = write_model_card(
    run, run / "MODEL_CARD.md", lab.language,
    purpose=say(zh="课堂演示：认出桌上的五种小物件。判断错了没有后果。",
                en="A classroom demonstration: it names five small things on a table. A wrong "
                   "answer has no consequences."),
    limits=say(zh="两件东西同时出现在一张照片里的情况没有测过。",
               en="Photos that show two of the things at once were not measured."))
text = card.read_text(encoding="utf-8")
display(Markdown(f"\n{text}".replace("\n#", "\n###")))

# %% [markdown] lang="zh"
# ## 练习
#
# 先想，再写，把 `...` 换成你的答案。保存之后在终端里检查：
#
# ```
# .venv/bin/python -m lab.check lab/zh/05_your_own.ipynb
# ```

# %% [markdown] lang="en"
# ## Exercises
#
# Think, then write your answer in the place of `...`. Save the notebook and check it in a terminal:
#
# ```
# .venv/bin/python -m lab.check lab/en/05_your_own.ipynb
# ```

# %% [markdown] lang="zh"
# ### 练习 1：全对，要多少张才算数（2 分）
#
# 你想说“准确率至少 95 %”，意思是 95 % 置信区间的**下限**不低于 0.95。假设验证照片全部判对，最少要多少张？先猜一个数，再算。

# %% [markdown] lang="en"
# ### Exercise 1: all right, but of how many? (2 points)
#
# You want to say "at least 95 % accurate", that is: the **lower** end of the 95 % interval shall not be below 0.95. Suppose every validation photo is named correctly. How many must there be at least? Guess a number first, then compute it.

# %% tags=["exercise"] id="all-right" points=2
from src_mindspore.evaluation.metrics import wilson_interval

def photos_all_right(at_least):
    # zh: wilson_interval(correct, n) 返回（下限, 上限）。返回全对时满足要求的最小 n。
    # zh: 提示：全对就是 correct 等于 n。
    # en: wilson_interval(correct, n) returns (low, high). Return the smallest n that will do.
    # en: HINT: all right means that correct equals n.
    ### BEGIN SOLUTION
    n = 1
    while wilson_interval(n, n)[0] < at_least:
        n += 1
    return n
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_given = photos_all_right(0.95)
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
assert _given != 20, say(
    zh="20 张里错一张是 95 %，但 20 张全对并不能证明准确率有 95 %：运气也能做到。",
    en="One wrong in 20 is 95 %, but 20 right in a row do not prove 95 %: luck can do that, too.")
assert _given > 1, say(zh="上限很早就到 1 了；要看的是下限。",
                       en="The upper end is 1 from the start; look at the lower one.")
for _share, _expected in ((0.95, 73), (0.9, 35), (0.5, 4)):
    _given = photos_all_right(_share)
    assert _given == _expected, say(
        zh=f"下限不低于 {_share:.0%}：{_given} 不是最小的 n，或者还不够。",
        en=f"For a lower end of {_share:.0%}, {_given} is too few, or not the smallest n.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 2：编号会骗人（2 分）
#
# 模型认识 `banana、battery、shell`，编号 0、1、2。同学的测试文件夹多了一类 `apple`，于是他那边 `banana` 成了 1，后面的全都错开一位。按编号比较，一个好模型会得零分。请写一个按**名字**比较的函数。

# %% [markdown] lang="en"
# ### Exercise 2: numbers lie (2 points)
#
# The model knows `banana, battery, shell` as 0, 1, 2. A colleague's test folder also has `apple`, so there `banana` is 1 and everything after it is shifted. Compared by number, a good model scores zero. Write a function that compares by **name**.

# %% tags=["exercise"] id="by-name" points=2
def count_right(predicted, truth, model_classes, data_classes):
    # zh: predicted 是模型的编号，truth 是数据文件夹的编号，两个列表一样长；后两个是类别名字的列表。
    # zh: 返回判对的张数。模型不认识的类别，永远算错。
    # en: predicted holds numbers of the model, truth numbers of the data, equally many; the other
    # en: two are lists of class names. Return how many are right; a class that the model does not
    # en: know is always wrong.
    ### BEGIN SOLUTION
    return sum(model_classes[p] == data_classes[t] for p, t in zip(predicted, truth, strict=True))
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_model, _data = ["banana", "battery", "shell"], ["apple", "banana", "battery", "shell"]
_given = count_right([0, 1, 2, 2], [1, 2, 3, 0], _model, _data)
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
assert _given != 0, say(zh="看来你比的还是编号：模型的 0 和数据的 1 都是 banana。",
                        en="You still compare numbers: 0 of the model and 1 of the data are both "
                           "banana.")
assert _given == 3, say(zh=f"四张里应当对三张（apple 那张算错），得到 {_given}。",
                        en=f"Three of the four are right (the apple is not), you count {_given}.")
assert count_right([2, 0], [0, 1], _model, ["shell", "battery"]) == 1, say(
    zh="类别的顺序不同、个数更少时也要对。",
    en="It must also hold for fewer classes in another order.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 3：什么都可能送来（3 分）
#
# `predict` 迟早会收到意外的图像：灰度图 `(H, W)`，带透明通道的 `(H, W, 4)`，取值 0 到 1 的浮点图。预处理只接受 `(H, W, 3)` 的 uint8 RGB。请写一个函数把它们都变成这个样子：灰度复制三份，透明通道丢掉，浮点乘以 255 后四舍五入。

# %% [markdown] lang="en"
# ### Exercise 3: anything may arrive (3 points)
#
# Sooner or later `predict` is handed something unexpected: a grey image `(H, W)`, one with a transparency channel `(H, W, 4)`, one in floats from 0 to 1. The preprocessing only takes `(H, W, 3)` uint8 RGB. Write a function that turns all of them into that: grey repeated three times, transparency dropped, floats multiplied by 255 and rounded.

# %% tags=["exercise"] id="any-image" points=3
def to_rgb(image):
    # zh: 提示：先处理取值，再处理形状。astype 会直接截掉小数部分。
    # en: HINT: values first, shape second. astype cuts decimals off.
    ### BEGIN SOLUTION
    if image.dtype != np.uint8:
        image = np.rint(image * 255).astype(np.uint8)
    if image.ndim == 2:
        image = np.repeat(image[:, :, None], 3, axis=2)
    return image[:, :, :3]
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_rgb = np.random.default_rng(0).integers(0, 256, (4, 5, 3)).astype(np.uint8)
_given = to_rgb(_rgb)
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
assert np.array_equal(_given, _rgb), say(zh="本来就合格的图像被改动了。",
                                         en="An image that was right already was changed.")
_given = to_rgb(np.dstack([_rgb, np.full((4, 5), 128, np.uint8)]))
assert _given.shape == (4, 5, 3), say(zh=f"四通道图像变成了 {_given.shape}。",
                                      en=f"Four channels became {_given.shape}.")
assert np.array_equal(_given, _rgb), say(zh="丢掉的应当是最后一个通道。",
                                         en="The channel to drop is the last one.")
_given = to_rgb(_rgb[..., 0])
assert _given.shape == (4, 5, 3), say(zh=f"灰度图变成了 {_given.shape}。",
                                      en=f"A grey image became {_given.shape}.")
assert (_given == _rgb[..., :1]).all(), say(zh="三个通道应当都等于原来的灰度。",
                                            en="Each of the three channels must be the grey one.")
_given = to_rgb(_rgb.astype(np.float32) / 255)
assert _given.dtype == np.uint8, say(zh=f"浮点图变成了 {_given.dtype}，应为 uint8。",
                                     en=f"Floats became {_given.dtype}; expected uint8.")
assert _given.max() > 1, say(zh="浮点图几乎全黑：忘了乘 255。",
                             en="The float image is all but black: multiply by 255.")
assert np.array_equal(_given, _rgb), say(
    zh="差了一：astype 截断而不是四舍五入，先用 np.rint。",
    en="Off by one: astype cuts off instead of rounding; use np.rint first.")
assert to_rgb(np.zeros((2, 3), np.float64)).shape == (2, 3, 3), say(
    zh="灰度的浮点图也会送来。", en="A grey image in floats may arrive, too.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 4：连拍的照片怎么分（3 分）
#
# 你给 40 件东西各拍了 5 张，文件名是 `object07_3.jpg`（第 7 件的第 3 张）。随机划分会把同一件东西的照片分到两边，验证集就成了“见过的东西换个角度”，分数漂亮，毫无意义。请按**物件**划分。

# %% [markdown] lang="en"
# ### Exercise 4: how to split a burst (3 points)
#
# You took 5 photos each of 40 things, named like `object07_3.jpg` (the third photo of thing 7). A random split puts photos of one thing on both sides, and val becomes "things seen before, from another angle": a pretty score that means nothing. Split by **object**.

# %% tags=["exercise"] id="split-by-object" points=3
def split_by_object(names, fraction, seed):
    # zh: names 是文件名的列表；返回 (train, val) 两个列表，val 约占 fraction；同样的 seed 给出同样的划分。
    # zh: 提示：先把不同的物件列出来（排好序！），打乱的是物件，不是照片。
    # en: names is a list of file names; return (train, val), two lists, val about `fraction` of all;
    # en: the same seed gives the same split.
    # en: HINT: list the different objects first (sorted!), and shuffle objects, not photos.
    ### BEGIN SOLUTION
    objects = sorted({name.rsplit("_", 1)[0] for name in names})
    shuffled = np.random.default_rng(seed).permutation(objects)
    chosen = set(shuffled[:round(fraction * len(objects))])
    val = [name for name in names if name.rsplit("_", 1)[0] in chosen]
    return [name for name in names if name not in val], val
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_names = [f"object{thing:02d}_{shot}.jpg" for thing in range(40) for shot in range(1, 6)]
_given = split_by_object(_names, 0.2, 0)
assert _given is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
_train, _val = map(list, _given)
assert sorted(_train + _val) == sorted(_names), say(
    zh="每张照片都应当恰好出现在一边。", en="Every photo belongs to exactly one side.")
_both = {n.split("_")[0] for n in _train} & {n.split("_")[0] for n in _val}
assert not _both, say(zh=f"{len(_both)} 件东西两边都有，例如 {sorted(_both)[:1]}。",
                      en=f"{len(_both)} things are on both sides, for example {sorted(_both)[:1]}.")
assert 0.15 <= len(_val) / len(_names) <= 0.25, say(
    zh=f"验证集占了 {len(_val) / len(_names):.0%}，应当约为 20 %。",
    en=f"val has {len(_val) / len(_names):.0%} of the photos; expected about 20 %.")
assert [list(p) for p in split_by_object(_names, 0.2, 0)] == [_train, _val], say(
    zh="同样的 seed 给出了不同的划分。", en="The same seed gave another split.")
assert set(split_by_object(_names, 0.2, 1)[1]) != set(_val), say(
    zh="换了 seed，划分却没变。", en="Another seed gave the same split.")
assert set(split_by_object(_names[::-1], 0.2, 0)[1]) == set(_val), say(
    zh="文件列出来的顺序变了，划分就变了：换一台机器会得到另一个验证集。先排序。",
    en="With the files listed in another order the split changes: another machine would get "
       "another val. Sort first.")
### END TESTS

# %% [markdown] lang="zh"
# **最后想一想，不计分：** 模型卡片里写着“照片不属于任何一类时，它仍然会给出其中一类”。如果这个模型真的要给陌生人用，你会在 `predict` 里加什么？加了之后，课程的评分会变好还是变坏？

# %% [markdown] lang="en"
# **A last thought, without points:** the model card says that a photo of none of the classes gets the name of one all the same. If strangers were to use this model, what would you add to `predict`? And would the course's grade rise or fall with it?
