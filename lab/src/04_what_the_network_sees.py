# %% [markdown] lang="zh"
# # 网络看见了什么：打开黑箱，也知道什么时候不该信它
#
# 准确率是一个数，它不告诉你网络**凭什么**答对，也不告诉你它**什么时候**会答错。这本笔记一层层打开网络：看特征图，用 Grad-CAM 找依据，看谁和谁相像，找出标错的照片，检查概率可不可信，最后教它说“不知道”。
#
# **学完之后，你能够**
#
# - 看懂浅层和深层的特征图各在找什么；
# - 用 Grad-CAM 指出一个答案的依据在照片的哪里，并且**检验**这张热图是不是真的；
# - 在特征空间里找近邻、画地图，说清楚地图上什么能信、什么不能信；
# - 列出训练集里最可能标错的照片；
# - 读可靠性图，给模型定一条“不知道”的线，并说出这条线的代价。
#
# **时间**：边运行边看约十五分钟，五道练习约三十分钟。最好先做过第 01 本。

# %% [markdown] lang="en"
# # What the network sees: open the box, and know when not to believe it
#
# An accuracy is one number. It does not say *why* an answer was right, nor *when* one will be wrong. This notebook opens the network layer by layer: feature maps, Grad-CAM to find the evidence, who looks like whom, photos with wrong labels, whether probabilities can be believed, and finally how a network learns to say "I don't know".
#
# **Afterwards you can**
#
# - tell what early and late feature maps look for;
# - point with Grad-CAM at the evidence for an answer, and *test* whether the heat map is true;
# - find neighbours in feature space, draw a map of it, and say what on that map may be believed;
# - list the photos of train that most likely carry a wrong label;
# - read a reliability diagram, draw a line for "I don't know", and name its price.
#
# **Time**: a quarter of an hour to run and look, about thirty minutes for the five exercises. Notebook 01 is a good preparation.

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
# ## 1 先要有一个会分类的网络
#
# 和第 01 本一样：冻结的 MobileNetV2，缓存特征，训练一层分类头。每张照片这次只读一遍，不做增强：这里关心的不是多对一两张，而是看懂它。

# %% [markdown] lang="en"
# ## 1 A network that can classify
#
# As in notebook 01: MobileNetV2, frozen; features, cached; a head of one layer, trained. Each photo is read only once, without augmentation, because the aim is not one photo more but to understand.

# %%
import numpy as np
from src_mindspore.data.prepare import prepare_photos
from src_mindspore.features.of_config import extract_splits, prepare_backbone
from src_mindspore.heads.build import head_spec
from src_mindspore.training.head_of_config import make_trainer, split_of

config = lab.config(head="linear", normalise=True, lr_max=0.005, weight_decay=0.01,
                    label_smoothing=0.0, repeat=1)
photos = prepare_photos(config, progress=False)
backbone = prepare_backbone(config)
caches = extract_splits(photos, backbone, config)
spec = head_spec(config, backbone.channels, len(photos.classes), len(photos.splits["train"]))
train, val = (split_of(caches[name], spec, config) for name in ("train", "val"))
trainer = make_trainer(spec, train, val, caches["train"].index, config)
trainer.train_to_the_end()

# %%
from src_mindspore.evaluation.predictions import Predictions

records = photos.splits["val"]
names = photos.classes.in_language(lab.language)
val_paths = [record.path for record in records]
predictions = Predictions(val_paths, val.labels, trainer.logits(trainer.val), photos.classes,
                          photos.root)
right = predictions.predicted == val.labels
print(say(zh=f"验证集 {len(right)} 张，判对 {right.sum()} 张", en=f"val: {right.sum()} of {len(right)} right"))
# zh: 先是判错的，把握最大的在前；然后是判对的，把握最小的在前。
# en: The wrong ones first, the surest before the others; then the right ones, the least sure first.
interesting = np.lexsort((np.where(right, 1, -1) * predictions.confidence, right))

# %% [markdown] lang="zh"
# ## 2 特征图：每一层在找什么
#
# MobileNetV2 是十九段依次相接的计算，从 `features.0` 到 `features.18`。每一段都把输入变成一叠小图，一张小图叫一个**通道**。我们把网络在几处切开，看看切口上的图。
#
# 先猜：哪一层还认得出物体的轮廓？到最后一层，图还有多大？

# %% [markdown] lang="en"
# ## 2 Feature maps: what each layer looks for
#
# MobileNetV2 is a chain of nineteen stages, `features.0` to `features.18`. Each turns its input into a pile of small pictures; one of them is a **channel**. We cut the network in some places and look at the cut.
#
# Guess first: up to which layer will you still recognise the outline? How large is the picture in the last one?

# %%
import mindspore as ms
from src_mindspore.data.decode import load_rgb
from src_mindspore.data.preprocess import preprocess, resize_and_crop
from src_mindspore.evaluation.class_activation import cut
from src_mindspore.evaluation.feature_maps import plot_feature_maps
from src_mindspore.mobilenetv2 import mobilenet_v2

network = mobilenet_v2(backbone.cell, trainer.head).set_train(False)
image = load_rgb(photos.root / next(r.path for r in records if r.label == 7))
pixels = ms.Tensor(preprocess(image, backbone.preprocess)[None])
maps = {layer: cut(network, layer).features(pixels).asnumpy()[0]
        for layer in ("features.1", "features.3", "features.6", "features.13", "features.18")}
lab.show(plot_feature_maps, resize_and_crop(image, backbone.preprocess), maps)

# %% [markdown] lang="zh"
# 每一行是一层，画出的是变化最大的六个通道。
#
# - **浅层**（`features.1`、`features.3`）：图大，通道少，轮廓清清楚楚。它们找的是边缘、明暗、颜色。
# - **中层**（`features.6`、`features.13`）：图小了，有的通道只在某种纹理或部件处亮起来。
# - **最后一层**：1280 张 8×8 的小图。从一个格子已经看不出画面，但它知道“这一带有我要找的东西”。一个格子对应原图的 32×32 像素，它看到的范围还要大得多。
#
# 越往深处，**在哪里**越模糊，**是什么**越明确。分类头只读最后一层。

# %% [markdown] lang="en"
# A row is a layer; shown are the six channels that vary most.
#
# - **Early layers** (`features.1`, `features.3`): large pictures, few channels, clear outlines. They look for edges, light and colour.
# - **Middle layers** (`features.6`, `features.13`): smaller; some channels light up only at a certain texture or part.
# - **The last layer**: 1280 pictures of 8×8. No scene can be made out any more, but a place knows "here is what I look for". It stands for 32×32 pixels of the photo, and sees far more than those.
#
# The deeper, the vaguer *where* and the clearer *what*. The head reads the last layer alone.

# %% [markdown] lang="zh"
# ## 3 Grad-CAM：依据在哪里
#
# 对最后一层的每个通道问一句：它再强一点，某一类的 logit 会涨多少？这就是**梯度**。一个通道的梯度在所有位置上取平均，得到它的权重 $\alpha_k$；把通道图按权重加起来，只留正的部分：
#
# $$\text{热图} = \mathrm{ReLU}\Big(\sum_k \alpha_k A_k\Big)$$
#
# 这就是 Grad-CAM（Selvaraju 等，2017）。红的地方，就是“支持这个答案的东西在这里”。下面是八张判对的照片，每类一张。

# %% [markdown] lang="en"
# ## 3 Grad-CAM: where is the evidence?
#
# Ask each channel of the last layer: if you were a little stronger, how much would the logit of a class rise? That is a **gradient**. Its mean over all places is the channel's weight $\alpha_k$; add the channels up with their weights and keep what is positive:
#
# $$\text{heat} = \mathrm{ReLU}\Big(\sum_k \alpha_k A_k\Big)$$
#
# This is Grad-CAM (Selvaraju et al., 2017). Red means: here is what speaks for the answer. Below are eight photos that were named correctly, each of another class.

# %%
from src_mindspore.evaluation.explanation import explain, gradcam_of
from src_mindspore.evaluation.explanation_plots import plot_explanation, plot_heat_sheet
from src_mindspore.model import load_model, save_model

checkpoint = Path(config.results_path) / "lab" / "what_the_network_sees.ckpt"
save_model(checkpoint, backbone, trainer.head, spec, photos.classes, 1.0, {})
model = load_model(checkpoint)
cam = gradcam_of(model)
chosen = [np.flatnonzero(right & (val.labels == label))[:1] for label in range(len(names))]
chosen = np.concatenate(chosen)[:24:3]
sheet = list(explain(model, cam, photos.root, [val_paths[i] for i in chosen], val.labels[chosen]))
lab.show(plot_heat_sheet, sheet, photos.classes)

# %% [markdown] lang="zh"
# 多数照片里，热图落在物体上。有没有哪一张，热在**背景**上？那是一个警告：网络可能学会了“这类照片常有的背景”。换个背景，它就不认得了。这种毛病叫**捷径**，准确率看不出来，热图看得出来。
#
# 现在看判错的（如果一张都没有错，就看最没把握的）。每一排：照片，预测类别的热图，真实类别的热图。

# %% [markdown] lang="en"
# In most of them the heat lies on the object. Is there one with the heat on the **background**? That is a warning: the network may have learnt the surroundings which photos of this class usually have, and will fail in front of another wall. Such a **shortcut** does not show in the accuracy; it does show here.
#
# Now the mistakes (if there is none, the least certain answers). In each row: the photo, the heat for the predicted class, the heat for the true one.

# %%
from IPython.display import display

worst = interesting[:3]
for one in explain(model, cam, photos.root, [val_paths[i] for i in worst], val.labels[worst]):
    display(lab.show(plot_explanation, one, photos.classes))

# %% [markdown] lang="zh"
# 两张热图**看的是不是同一个地方**？
#
# - **同一个地方**：网络找对了东西，只是叫错了名字。两类本来就像，要靠更多照片、更细的特征来分。
# - **不同的地方**：照片里有两样东西，或者网络被背景引开了。该改的是照片，或者裁剪。
#
# 每张热图都按自己的最大值上色：最红只表示“对这一类来说，这里最重要”，不表示依据有多充分。够不够充分，看下面的概率。

# %% [markdown] lang="en"
# Do the two maps look at **the same place**?
#
# - **The same**: the network found the thing and gave it the wrong name. The two classes are alike; more photos or finer features are needed.
# - **Different places**: there are two things in the photo, or the background led it astray. The photo, or its crop, is what to mend.
#
# Each map is coloured by its own maximum: the reddest place is where *this class* has most of its evidence, not how much that is. How much, the probability below says.

# %% [markdown] lang="zh"
# ### 热图本身可信吗
#
# 一张好看的图不是证据。检验办法很直接：把最热的五分之一**盖住**，再问一次；再换成盖住最冷的五分之一。如果热图说的是实话，前者应当伤害大得多。

# %% [markdown] lang="en"
# ### Is the heat itself true?
#
# A pretty picture is no proof. There is a plain test: **cover** the hottest fifth of each photo and ask again; then cover the coldest fifth instead. If the heat tells the truth, the first must hurt far more.

# %%
from scipy.special import softmax
from src_mindspore.data.preprocess import normalise
from src_mindspore.evaluation.explanation import cover

some = np.arange(0, len(records), 3)
explained = list(explain(model, cam, photos.root, [val_paths[i] for i in some], val.labels[some]))

def chance_of_truth(share, hottest):
    images = np.stack([cover(e.image, e.heats[e.predicted], share, hottest) for e in explained])
    chances = softmax(model.logits(normalise(images, model.preprocess)), axis=1)
    return chances[np.arange(len(some)), val.labels[some]].mean()

for share, hottest in ((0.0, True), (0.2, False), (0.2, True)):
    which = say(zh="最热" if hottest else "最冷", en="hottest" if hottest else "coldest")
    print(say(zh=f"盖住{which}的 {share:.0%}", en=f"{which} {share:.0%} covered") +
          say(zh="：真实类别的平均概率 ", en=": mean probability of the truth ") +
          f"{chance_of_truth(share, hottest):.1%}")

# %% [markdown] lang="zh"
# 盖住同样大的一块，盖在热处比盖在冷处伤害大得多，说明热图指的确实是网络在用的东西。以后在任何地方看到热图，都可以要求做这个检验。

# %% [markdown] lang="en"
# The same area, covered where it is hot, costs far more than where it is cold. So the heat does point at what the network uses. Wherever you are shown a heat map, you may ask for this test.

# %% [markdown] lang="zh"
# ## 4 近邻：在网络眼里，谁像谁
#
# 一张照片在网络眼里就是 1280 个特征。两张照片的特征越像，网络就越分不开它们。下面是最可疑的四张验证照片，和训练集里离它们最近的五张。绿色的名字和真实类别一致，红色的不一致。

# %% [markdown] lang="en"
# ## 4 Neighbours: who looks like whom, to the network
#
# To the network a photo is its 1280 features. The more alike the features of two photos, the harder it is to tell them apart. Here are the four most suspicious val photos, and the five photos of train nearest to each. A green name agrees with the truth, a red one does not.

# %%
from src_mindspore.evaluation.neighbours import nearest, plot_neighbours

pooled = {split: cache.features(slice(0, backbone.channels)).astype(np.float32)
          for split, cache in caches.items()}
learnt = [photos.splits["train"][i] for i in caches["train"].index[:, 0]]
numbers, similarity = nearest(pooled["val"], pooled["train"], 5)
rows = interesting[:4]
beside = [[(learnt[n].path, learnt[n].label, s) for n, s in zip(numbers[i], similarity[i], strict=True)]
          for i in rows]
lab.show(plot_neighbours, [(val_paths[i], val.labels[i]) for i in rows], beside, photos.root,
         photos.classes)

# %% [markdown] lang="zh"
# 近邻是最朴素的解释：“我这么说，因为它像这几张。”判错的照片，近邻里往往就有那个错误的类别。近邻还能揪出**标错的训练照片**：如果一张验证照片的近邻看上去一模一样，名字却不同，先去查那张训练照片的标签。

# %% [markdown] lang="en"
# Neighbours are the plainest explanation: "I say so because it looks like these." A photo that was named wrongly often has the wrong class among its neighbours. They also give away **wrong labels in train**: if a neighbour looks the same but carries another name, check that neighbour's label first.

# %% [markdown] lang="zh"
# ## 5 一张特征地图
#
# 1280 维画不出来。**t-SNE** 把每张照片放到平面上，尽量让原来的近邻仍是近邻。困惑度（perplexity）大致是“每张照片顾及几个近邻”。同样的特征，我们用两种困惑度各画一次。

# %% [markdown] lang="en"
# ## 5 A map of the features
#
# Nobody can draw 1280 dimensions. **t-SNE** puts every photo on a plane so that neighbours stay neighbours as far as possible. Perplexity is roughly how many neighbours each photo cares about. We draw the same features with two perplexities.

# %%
from src_mindspore.evaluation.feature_plane import plane, plot_plane

# zh: 验证集全部，加上大约五百张训练照片。
# en: All of val, and about five hundred photos of train.
part = slice(None, None, max(1, len(learnt) // 500))
features = np.concatenate((pooled["val"], pooled["train"][part]))
classes = np.concatenate((val.labels, train.labels[part]))
wrong = np.concatenate((~right, np.zeros(len(classes) - len(right), bool)))
for perplexity in (10, 50):
    display(lab.show(plot_plane, plane(features, perplexity), classes, photos.classes, wrong=wrong,
                     perplexity=perplexity))

# %% [markdown] lang="zh"
# 同一类的照片多半聚成一团，而骨干网络**从没学过**这些类别。画红圈的是判错的验证照片，看看它们是在两团之间，还是落进了别人的团里。
#
# 再比较两张图：团的**大小**变了，团与团的**距离**变了，谁在左谁在右也变了。所以看 t-SNE 只能信“谁和谁挨着”；距离、面积、方向都不能解释。
#
# ## 6 该清洗哪些照片
#
# 标签是人打的，人会打错。怎样从几千张里找出几十张值得看的？不能问**学过**这张照片的模型，它已经把错标签背下来了。办法是五折：每张照片都由没学过它（也没学过它的副本）的头来判断。
#
# 为了知道这办法灵不灵，我们故意改错 15 张训练照片的标签（只改内存里的），看它找不找得到。

# %% [markdown] lang="en"
# Most photos of a class lie together, although the backbone has *never been told* about these classes. The val photos that were named wrongly are circled: do they lie between two groups, or inside a foreign one?
#
# Now compare the two maps: the *sizes* of the groups differ, so do the *distances* between them, and who is left or right. On a t-SNE map only "who is next to whom" may be believed; distances, areas and directions mean nothing.
#
# ## 6 Which photos should be cleaned?
#
# Labels are made by people, and people err. How do you find, among thousands, the few dozen worth a look? A model that *learnt* from a photo cannot be asked: it knows the wrong label by heart. So every photo is judged by a head of a five-fold cross-validation that learnt neither from it nor from a copy of it.
#
# To see whether this works we change the labels of 15 photos of train on purpose (in memory only) and let it search.

# %%
from src_mindspore.evaluation.crossval import crossval_data, out_of_fold_logits

data = crossval_data(photos, backbone, config)
true_labels = data.clean.labels.copy()
rng = np.random.default_rng(4)
planted = np.sort(rng.choice(len(true_labels), 15, replace=False))
labels = true_labels.copy()
labels[planted] = (labels[planted] + rng.integers(1, len(names), 15)) % len(names)
data.clean.labels = labels[data.clean.index[:, 0]]
data.cache.labels = labels[data.cache.index[:, 0]]
spoilt, _ = out_of_fold_logits(data, backbone, photos.classes, config)

# %%
from src_mindspore.data.cleaning import find_suspects
from src_mindspore.evaluation.gallery import RIGHT, WRONG, plot_photos

suspects = find_suspects(labels, softmax(spoilt, axis=1))
found = {s.number for s in suspects} & set(planted)
print(say(zh=f"{len(labels)} 张里有 {len(suspects)} 张可疑；故意改错的 15 张，找到 {len(found)} 张",
          en=f"{len(suspects)} suspects among {len(labels)}; of the 15 planted, {len(found)} found"))
cells = [(photos.splits["train"][s.number].path, (
    (say(zh="现标注：", en="label: ") + names[s.given], WRONG),
    (say(zh="建议：", en="suggested: ") + names[s.suggested], RIGHT))) for s in suspects[:8]]

def show_suspects(path, language):
    plot_photos(photos.root, cells, "", path, language)

lab.show(show_suspects)

# %% [markdown] lang="zh"
# 排在最前面的几乎都是我们埋下的。剩下的“可疑”照片标签没错，只是难认：它们同样值得看一眼。**决定权在人**：程序只负责排序，改不改由你看过照片再说。命令行里是 `.venv/bin/python -m src_mindspore.data.cleaning`，它写出一张表，你在表里填保留、删除或改标，训练时用 `--decisions` 读它。

# %% [markdown] lang="en"
# The first ones are nearly all planted. The other suspects carry the right label and are merely hard: worth a look as well. **A person decides.** The program only puts them in order. On the command line it is `.venv/bin/python -m src_mindspore.data.cleaning`; it writes a table in which you fill in keep, drop or relabel, and training reads that with `--decisions`.

# %% [markdown] lang="zh"
# ## 7 概率可信吗
#
# 模型说“90 %”，十次里真有九次对吗？把答案按概率分组，每组数一数对了几成，画出来就是**可靠性图**。点在对角线上：说到做到；在下方：吹牛；在上方：谦虚。
#
# 用谁来数？不能用训练时见过的。我们恢复正确的标签，再做一次五折，这样训练集的每一张都可以当考题，比验证集多得多。右图先除以一个**温度**：这个数是在验证集上定的，没有看过左右两图里的任何一张。

# %% [markdown] lang="en"
# ## 7 Can the probabilities be believed?
#
# When the model says "90 %", is it right nine times in ten? Sort the answers by their probability, count in each group how many were right, and you have a **reliability diagram**. On the diagonal it means what it says; below, it boasts; above, it is modest.
#
# On which photos? Not on those it learnt from. With the right labels restored, another five-fold run makes every photo of train an exam question, and there are far more of them than in val. On the right the logits are first divided by a **temperature**, a number fitted on val, which saw none of the photos in the two pictures.

# %%
from src_mindspore.evaluation.reliability import plot_reliability
from src_mindspore.training.calibration import fit_temperature

data.clean.labels, data.cache.labels = (true_labels[c.index[:, 0]] for c in (data.clean, data.cache))
logits, _ = out_of_fold_logits(data, backbone, photos.classes, config)
temperature = fit_temperature(predictions.logits, val.labels)
hit = logits.argmax(1) == true_labels
lab.show(plot_reliability, {
    say(zh="温度 1", en="temperature 1"): (softmax(logits, axis=1).max(1), hit),
    say(zh=f"温度 {temperature:.2f}", en=f"temperature {temperature:.2f}"):
        (softmax(logits / temperature, axis=1).max(1), hit)})

# %% [markdown] lang="zh"
# 竖线是 95 % 区间：照片少的组，点的位置说明不了什么，所以要连同下面的柱子一起看。温度不会改变任何一个预测（为什么？见练习 4），只改变口气。
#
# 在程序画的图片上，温度帮不帮得上忙，请看图上的误差再下结论。验证集只有一百多张，在它上面定出来的温度本身就有误差：**校准也需要照片**。

# %% [markdown] lang="en"
# The bars are 95 % intervals: in a group of few photos the point means little, so read it together with the column below. A temperature changes no prediction (why? see exercise 4), only the tone.
#
# Whether it helped here, judge by the errors above the pictures. Val has little more than a hundred photos, so a temperature fitted on it is itself uncertain: **calibration needs photos too**.

# %% [markdown] lang="zh"
# ## 8 “我不知道”
#
# 给它一张哪一类都不是的照片，softmax 照样给出加起来等于 1 的概率。要让它会说“不知道”，得有一个**分数**衡量把握，再定一条**线**。
#
# 我们做个实验：最后四类完全不让头学，它们的照片就成了“哪一类都不是”。比较两种分数：最大概率；和最近的训练照片的相似度。线怎么定？只用**认识的**照片：让 95 % 的认识的照片仍然得到回答。陌生照片不能用来定线，因为你永远不知道下一张陌生照片是什么。

# %% [markdown] lang="en"
# ## 8 "I don't know"
#
# Ask about a photo of none of the classes, and softmax still answers with probabilities that sum to 1. To say "I don't know" the model needs a **score** for how sure it is, and a **line**.
#
# An experiment: a head learns nothing of the last four classes, so their photos become photos of no class. Compare two scores: the largest probability, and the similarity to the nearest photo it learnt from. Where is the line? The **known** photos alone decide: 95 % of them shall still be answered. Strange photos must not decide, because you cannot know what the next stranger will look like.

# %%
from src_mindspore.evaluation.rejection import plot_rejection, separation, threshold_keeping
from src_mindspore.training.rows import Split

kept = len(names) - 4
fewer = head_spec(config, backbone.channels, kept, len(photos.splits["train"]))
mine, asked = train.labels < kept, val.labels < kept
narrow = make_trainer(fewer, Split(train.rows[mine], train.labels[mine]),
                      Split(val.rows, np.minimum(val.labels, kept - 1)),
                      caches["train"].index[mine], config)
narrow.train_to_the_end()
chance = softmax(narrow.logits(narrow.val), axis=1).max(1)
alike = nearest(pooled["val"], pooled["train"][mine], 1)[1][:, 0]

# %%
scores = {say(zh="最大概率", en="largest probability"): chance,
          say(zh="与最近的训练照片的相似度", en="similarity to the nearest photo of train"): alike}

def refuse(answered=0.95):
    panels = {f"{name} (AUROC {separation(s[asked], s[~asked]):.2f})":
              (s[asked], s[~asked], threshold_keeping(s[asked], answered))
              for name, s in scores.items()}
    return lab.show(plot_rejection, panels)

refuse()

# %%
if lab.has_widgets:
    from ipywidgets import interact
    interact(refuse, answered=(0.5, 1.0, 0.01))

# %% [markdown] lang="zh"
# **AUROC** 是随便抽一张认识的、一张陌生的，前者分数更高的机会：0.5 等于瞎猜，1 是完全分开。
#
# 有滑块的话（运行着的笔记本里）拖一拖：回答得越少，挡住的陌生照片越多，但认识的照片也被拒绝得越多。**没有免费的线**，只有值不值得。分垃圾时说错一次，和请人看一眼，哪个更贵？这不是模型能回答的问题。
#
# 也要记住：这里的“陌生”是四类别的垃圾。换成自拍、文字、纯黑的照片，比例会不同。拒绝率永远只对试过的那种陌生成立。

# %% [markdown] lang="en"
# **AUROC** is the chance that a known photo, drawn at random, scores above a strange one: 0.5 is guessing, 1 separates them all.
#
# With a slider (in a running notebook) move it: the less is answered, the more strangers are stopped, and the more known photos are refused as well. **No line is free**; the question is what it is worth. Which costs more, one piece of garbage in the wrong bin, or one look by a person? That is not for the model to say.
#
# And remember: the strangers here are four other kinds of garbage. Selfies, pages of text or a black photo would give other figures. A rate of refusal holds for the kind of stranger it was tried on, and no other.

# %% [markdown] lang="zh"
# ## 练习
#
# 把 `...` 换成你的答案，保存笔记本，然后在终端里运行
#
# ```
# .venv/bin/python -m lab.check lab/zh/04_what_the_network_sees.ipynb
# ```

# %% [markdown] lang="en"
# ## Exercises
#
# Put your answers in the place of `...`, save the notebook, and run in a terminal
#
# ```
# .venv/bin/python -m lab.check lab/en/04_what_the_network_sees.ipynb
# ```

# %% [markdown] lang="zh"
# ### 练习 1：自己写 Grad-CAM（2 分）
#
# 给你一张照片的特征图和某一类 logit 对它的梯度，写出热图。只用 NumPy，三行以内。

# %% [markdown] lang="en"
# ### Exercise 1: write Grad-CAM (2 points)
#
# Given the feature map of one photo and the gradient of a class's logit with respect to it, compute the heat. NumPy alone, three lines at most.

# %% tags=["exercise"] id="heat" points=2
def heat(feature_map, gradient):
    # zh: 两个数组的形状都是 (K, h, w)；返回 (h, w)，处处 >= 0。
    # zh: 提示：先求每个通道的权重（一个数），再把通道加权相加。ReLU 放在哪一步？
    # en: Both arrays are (K, h, w); return (h, w), nowhere below 0.
    # en: HINT: first one weight a channel, then the weighted sum. At which step comes the ReLU?
    ### BEGIN SOLUTION
    alpha = gradient.mean(axis=(1, 2))
    return np.maximum(np.tensordot(alpha, feature_map, 1), 0)
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_map = np.array([[[1, 2], [3, 6]], [[4, 0], [0, 4]]], float)
_gradient = np.array([[[1, 0], [1, 0]], [[-1, -1], [0, 1]]], float)
_given = heat(_map, _gradient)
assert _given is not None and np.shape(_given) == (2, 2), say(
    zh=f"形状应为 (2, 2)，得到 {np.shape(_given)}：通道要加起来。",
    en=f"Expected shape (2, 2), got {np.shape(_given)}: the channels have to be added up.")
assert np.min(_given) >= 0, say(zh="有负数：缺了 ReLU。", en="There are negative values: the ReLU is missing.")
assert not np.allclose(_given, np.maximum(_map * _gradient, 0).sum(0)), say(
    zh="你在每个位置用了自己的梯度。Grad-CAM 先把梯度在位置上取平均，一个通道一个权重。",
    en="You used each place's own gradient. Grad-CAM takes the mean over the places first: one "
       "weight a channel.")
_late = np.maximum(np.array([0.5, -0.25])[:, None, None] * _map, 0).sum(0)
assert not np.allclose(_given, _late), say(
    zh="ReLU 放早了：应当先把所有通道加起来（正负相抵），最后才去掉负的。",
    en="The ReLU comes too early: add up all channels first, so that they may cancel, then cut.")
assert np.allclose(_given, [[0, 1], [1.5, 2]]) or np.allclose(_given, [[0, 4], [6, 8]]), say(
    zh=f"得到 {np.round(_given, 2).tolist()}，再算一遍权重：梯度在位置上的平均。",
    en=f"Got {np.round(_given, 2).tolist()}; compute the weights again, the mean gradients.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 2：让近邻投票（2 分）
#
# 不训练任何头，只问近邻：取最近的 k 张训练照片，谁的票多就是谁；票数相同，取其中最近的那一类。写出 `vote`，它就成了一个分类器。

# %% [markdown] lang="en"
# ### Exercise 2: let the neighbours vote (2 points)
#
# Train no head at all and ask the neighbours: of the k nearest photos of train, the class with most votes wins; among equals the one whose photo is nearest. Write `vote`, and you have a classifier.

# %% tags=["exercise"] id="vote" points=2
def vote(neighbour_labels):
    # zh: neighbour_labels 是一张照片的近邻的类别，由近到远，例如 [3, 5, 5, 3, 1]。返回一个类别。
    # zh: 提示：max 的 key 可以是元组；list.index 告诉你第一次出现在哪里。
    # en: neighbour_labels are the classes of one photo's neighbours, the nearest first, such as
    # en: [3, 5, 5, 3, 1]. Return a class.
    # en: HINT: the key of max may be a tuple; list.index says where something comes first.
    ### BEGIN SOLUTION
    ranked = list(neighbour_labels)
    return max(ranked, key=lambda label: (ranked.count(label), -ranked.index(label)))
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
assert vote([3, 5, 5, 1, 1, 1]) == 1, say(
    zh="[3, 5, 5, 1, 1, 1]：1 有三票，应当胜出。", en="[3, 5, 5, 1, 1, 1]: class 1 has three votes and wins.")
assert vote([3, 5, 5, 3, 1]) == 3, say(
    zh="[3, 5, 5, 3, 1]：3 和 5 各两票，最近的一张是 3。",
    en="[3, 5, 5, 3, 1]: 3 and 5 have two votes each, and the nearest photo is a 3.")
assert vote([5, 3, 3, 5]) == 5, say(
    zh="[5, 3, 3, 5]：平票时看谁更近，不是看编号大小。",
    en="[5, 3, 3, 5]: among equals the nearer one wins, not the smaller number.")
assert vote([7]) == 7, say(zh="只有一个近邻时就听它的。", en="A single neighbour decides alone.")
_labels = np.array([record.label for record in learnt])[numbers]
_right = np.mean([vote(row) == truth for row, truth in zip(_labels, val.labels, strict=True)])
assert _right > 0.5, say(zh=f"用它来分类验证集只对 {_right:.0%}。", en=f"On val it is right in {_right:.0%} only.")
print(say(zh=f"五个近邻投票，验证集准确率 {_right:.1%}；训练出来的头 {right.mean():.1%}",
          en=f"five neighbours, voting: {_right:.1%} on val; the trained head: {right.mean():.1%}"))
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 3：定一条线（2 分）
#
# 写出第 8 节的线：在至少 `share` 的认识的照片仍然得到回答的前提下，尽可能高的阈值。分数**不低于**阈值就回答。

# %% [markdown] lang="en"
# ### Exercise 3: draw the line (2 points)
#
# Write the line of section 8: the highest threshold at which at least `share` of the known photos are still answered. A photo is answered if its score is *not below* the threshold.

# %% tags=["exercise"] id="line" points=2
def line(scores, share):
    # zh: scores 是认识的照片的分数；返回其中的一个。
    # zh: 提示：从高到低排好，要回答多少张？是那一张的分数。
    # en: scores are those of known photos; return one of them.
    # en: HINT: sort from high to low. How many have to be answered? The last of those decides.
    ### BEGIN SOLUTION
    answered = int(np.ceil(share * len(scores)))
    return np.sort(scores)[::-1][answered - 1]
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_scores = np.array([0.9, 0.2, 0.6, 0.4])
assert line(_scores, 0.5) is not None, say(zh="函数没有返回值。", en="The function returns nothing.")
assert line(_scores, 1.0) == 0.2, say(
    zh="全部都要回答时，阈值就是最低的分数。", en="If all have to be answered, the line is the lowest score.")
assert line(_scores, 0.5) == 0.6, say(
    zh=f"四张里要回答两张，阈值应为 0.6，得到 {line(_scores, 0.5)}。",
    en=f"Two of four have to be answered: the line is 0.6, you gave {line(_scores, 0.5)}.")
assert line(_scores, 0.6) == 0.4, say(
    zh="四张的 60 % 是 2.4 张，“至少”就要回答三张：向上取整。",
    en="60 % of four are 2.4 photos; at least so many are three: round up.")
assert line(chance[asked], 0.95) == threshold_keeping(chance[asked], 0.95), say(
    zh="在验证集上和第 8 节的线不同。", en="On val it differs from the line of section 8.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 4：温度改变什么（1 分）
#
# 把所有 logits 都除以同一个正数 $T\neq 1$。下面哪些**可能**改变？把字母填进集合，例如 `{"a"}`。
#
# - a：准确率
# - b：一张照片内部，各类别的排名
# - c：最大的概率是多少
# - d：**不同照片之间**，谁更有把握的排名
# - e：校准误差

# %% [markdown] lang="en"
# ### Exercise 4: what does a temperature change? (1 point)
#
# Divide all logits by the same positive number $T\neq 1$. Which of these *can* change? Put the letters into the set, for example `{"a"}`.
#
# - a: the accuracy
# - b: the order of the classes within one photo
# - c: how large the largest probability is
# - d: the order of confidence *between photos*
# - e: the calibration error

# %% tags=["exercise"] id="temperature" points=1
# zh: 提示：d 有点意外。拿两张照片试试：logits [2, 0, 0] 和 [3, 2, -9]，T 取 1 和 10。
# en: HINT: d is a surprise. Try two photos with logits [2, 0, 0] and [3, 2, -9], for T = 1 and 10.
### BEGIN SOLUTION
changes = {"c", "d", "e"}
### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_given = {str(letter).lower() for letter in changes}
assert not _given & {"a", "b"}, say(
    zh="除以正数不改变大小顺序，最大的仍是最大的，所以预测和准确率都不变。",
    en="Dividing by a positive number keeps the order: the largest stays the largest, so predictions "
       "and accuracy stay.")
assert {"c", "e"} <= _given, say(
    zh="概率本身会变；校准误差比较的正是概率和准确率。",
    en="The probabilities do change, and the calibration error compares just these with accuracy.")
assert "d" in _given, say(
    zh="按提示算一算：T=1 和 T=10 时，两张照片哪张的最大概率更高？",
    en="Compute the hint: which of the two photos is surer for T = 1, and which for T = 10?")
assert _given == {"c", "d", "e"}, say(zh="只有 a 到 e 五个选项。", en="There are only a to e.")
### END TESTS

# %% [markdown] lang="zh"
# ### 练习 5：少答一点，答得更准（2 分）
#
# 拒答也能减少错误。写出 `selective`：只回答概率不低于阈值的照片，返回（回答的比例，回答了的里面对的比例）。一张都不回答时，后者没有意义，返回 `None`。

# %% [markdown] lang="en"
# ### Exercise 5: answer less, be right more often (2 points)
#
# Refusing also saves mistakes. Write `selective`: answer only where the probability is not below the threshold, and return (the part that is answered, the part of *those* that is right). If nothing is answered the latter has no meaning: return `None` for it.

# %% tags=["exercise"] id="selective" points=2
def selective(confidence, is_right, threshold):
    # zh: 两个数组：概率，和是否正确（True/False）。返回 (回答比例, 正确比例或 None)。
    # zh: 提示：正确比例的分母是谁？
    # en: Two arrays: probabilities, and whether the answer is right. Return (answered, right or None).
    # en: HINT: the second is a part of what?
    ### BEGIN SOLUTION
    answered = confidence >= threshold
    if not answered.any():
        return 0.0, None
    return answered.mean(), is_right[answered].mean()
    ### END SOLUTION

# %% tags=["tests"]
### BEGIN TESTS
_confidence, _right = np.array([0.9, 0.8, 0.6, 0.5]), np.array([True, True, False, True])
_given = selective(_confidence, _right, 0.6)
assert _given is not None and len(_given) == 2, say(
    zh="应返回两个数的元组。", en="Expected a tuple of two.")
assert abs(_given[0] - 0.75) < 1e-9, say(
    zh=f"阈值 0.6 时四张回答三张（0.6 本身也算），得到 {_given[0]}。",
    en=f"At 0.6 three of four are answered (0.6 itself too); you gave {_given[0]}.")
assert abs(_given[1] - 0.5) > 1e-9, say(
    zh="分母应当是回答了的照片，不是全部照片。", en="The second is a part of what was answered, not of all photos.")
assert abs(_given[1] - 2 / 3) < 1e-9, say(
    zh=f"三张里对了两张，得到 {_given[1]}。", en=f"Two of three are right; you gave {_given[1]}.")
assert selective(_confidence, _right, 0.95)[1] is None, say(
    zh="一张都没回答时，正确比例应为 None。", en="With nothing answered the second must be None.")
for _line in (0.0, 0.5, 0.8, 0.95):
    _answered, _good = selective(softmax(logits, axis=1).max(1), hit, _line)
    print(say(zh=f"阈值 {_line:.2f}：回答 {_answered:.1%}，其中正确 ", en=f"line {_line:.2f}: {_answered:.1%} answered, of these right ") + (f"{_good:.1%}" if _good is not None else "-"))
### END TESTS

# %% [markdown] lang="zh"
# **最后想一想，不计分：** 第 6 节的可疑照片、第 7 节概率低的答案、第 8 节被拒的照片，常常是同一批。如果每天只有十分钟看照片，你先看哪一批？哪一批看了以后，模型会变好；哪一批只是少犯一次错？

# %% [markdown] lang="en"
# **A last thought, without points:** the suspects of section 6, the unsure answers of section 7 and the refused photos of section 8 are often the same ones. If you had ten minutes a day for looking at photos, which would you look at first? Looking at which makes the model better, and looking at which only saves one mistake?
