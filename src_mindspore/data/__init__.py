"""Photos: found, read, examined, split, preprocessed and augmented; and the drawn set."""
