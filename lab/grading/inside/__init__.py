"""What runs on the far side of the fence. Standard library only: the sandbox has no other module
of the lab, and the launcher must be quick.
"""
