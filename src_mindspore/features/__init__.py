"""Features: what the frozen backbone said about each photo, computed once and kept."""
