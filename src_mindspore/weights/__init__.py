"""Pretrained weights: where they come from, how they are verified, how they are converted."""
