"""Classifying a stream of photos on Apache Flink.

The command, the model process and the tools run in the project's environment; `job.py` and what it
imports run in Flink's own (`.venv-flink`), which has no MindSpore, OpenCV or SciPy: `settings`,
`frames`, `manifests`, `rows`, `model_client` and `ancestors` use the standard library alone.
"""
