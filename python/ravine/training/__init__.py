"""Training: the loop, optimizers, checkpoints, and sessions that write run folders."""
