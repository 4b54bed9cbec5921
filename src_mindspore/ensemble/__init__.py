"""Models together: votes, weights and stacks over heads, backbones and seeds."""
