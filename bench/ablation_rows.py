"""The rows of the ablation: the recommended preset with one technique each."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Technique:
    """One row.

    Attributes:
        name: str, as the table calls it.
        changes: dict of configuration keys over the recommended preset.
        place: str, what it replaces; of one place a combination takes one technique.
        views: bool, asked about all passes of a photo, their probabilities averaged.
        vote: names of rows whose votes are put together; such a row trains nothing.
        by: 'soft', 'hard', 'weighted' or 'stack': how they are put together.
    """

    name: str
    changes: dict = dataclasses.field(default_factory=dict)
    place: str = ""
    views: bool = False
    vote: tuple = ()
    by: str = "soft"


BASE = Technique("recommended")
COMBINATION = "best combination"
MEMBERS = ("recommended", "linear head", "svm, rbf")

# The backbone reads the photos again where one of these differs: one cache for all rows but those.
VIEW_KEYS = ("flip", "crop_scale_min", "crop_ratio", "brightness", "contrast", "saturation",
             "rotation", "shift", "erasing", "mixup", "cutmix", "reduction")

# What heads on unpooled maps have in common.
ON_MAPS = {"reduction": None, "normalise": False, "lr_max": 0.05}

TECHNIQUES = (
    Technique("no label smoothing", {"label_smoothing": 0.0}, "smoothing"),
    Technique("joint loss", {"loss": "joint"}, "loss"),
    Technique("focal loss", {"loss": "focal"}, "loss"),
    Technique("class weights, inverse", {"class_weights": "inverse"}, "balance"),
    Technique("class weights, effective", {"class_weights": "effective"}, "balance"),
    Technique("balanced sampler", {"sampler": "balanced"}, "balance"),
    Technique("weighted sampler", {"sampler": "weighted"}, "balance"),
    # Rates of the adaptive optimizers: theirs are about a tenth of those of momentum.
    Technique("adam", {"optimizer": "adam", "lr_max": 0.01}, "optimizer"),
    Technique("radam", {"optimizer": "radam", "lr_max": 0.03}, "optimizer"),
    Technique("ranger", {"optimizer": "ranger", "lr_max": 0.03}, "optimizer"),
    Technique("lookahead around momentum", {"lookahead": 5}, "optimizer"),
    Technique("dropout 0.3", {"dropout": 0.3}, "dropout"),
    Technique("linear head", {"head": "linear", "normalise": True, "lr_max": 0.05}, "head"),
    Technique("svm, linear", {"head": "svm_linear"}, "head"),
    Technique("svm, rbf", {"head": "svm_rbf"}, "head"),
    Technique("test-time augmentation", views=True, place="tta"),
    Technique("soft vote of 3 heads", vote=MEMBERS, place="vote"),
    Technique("hard vote of 3 heads", vote=MEMBERS, by="hard", place="vote"),
    Technique("weighted vote of 3 heads", vote=MEMBERS, by="weighted", place="vote"),
    Technique("stack of 3 heads", vote=MEMBERS, by="stack", place="vote"),
    # From here on the backbone has to read the photos again: VIEW_KEYS. First without what is on.
    Technique("no flip", {"flip": 0.0}, "flip"),
    Technique("no crop", {"crop_scale_min": 1.0, "crop_ratio": 1.0}, "crop"),
    Technique("no colour jitter", {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0},
              "colour"),
    Technique("mixup", {"mixup": 0.4}, "mix"),
    Technique("cutmix", {"cutmix": 1.0}, "mix"),
    Technique("rotation 15", {"rotation": 15.0}, "rotation"),
    Technique("shift 0.05", {"shift": 0.05}, "shift"),
    Technique("random erasing", {"erasing": 0.25}, "erasing"),
    # Linear heads behind attention, on whole maps of 8 x 8: 64 times the numbers in every epoch.
    Technique("squeeze-and-excitation head", ON_MAPS | {"head": "se"}, "head"),
    Technique("cbam head", ON_MAPS | {"head": "cbam"}, "head"),
)
