"""Attention blocks: cells that weigh the channels and positions of a feature map by its content."""
