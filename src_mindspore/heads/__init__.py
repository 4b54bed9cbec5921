"""Heads: what stands on the frozen features. One head a file."""
