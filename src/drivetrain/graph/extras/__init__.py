"""What a graph answers beside prediction and probabilities, one file each."""
