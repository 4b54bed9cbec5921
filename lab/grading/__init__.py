"""Grading: hand-ins run confined, scored with intervals, and looked at for the usual traps."""
