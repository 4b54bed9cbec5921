"""The library of the MindSpore fine-tuning lab, importable as the course's package of that name."""
from src_mindspore import runtime

# Here, because every use of the library passes here before MindSpore computes anything.
runtime.set_environment()
