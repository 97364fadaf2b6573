"""What SGD did in a run, with the evidence and its uncertainty."""
