"""Networks trained from scratch, and the blocks they are made of."""
