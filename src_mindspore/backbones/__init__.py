"""Backbones: frozen networks that turn pixels into features, and what each expects."""
