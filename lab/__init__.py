"""Notebooks that teach: their sources, and the tools that build, start and check them."""
