"""Runs the model over a batch of sequences: `slices.SequenceSlice`, `model_runner.ModelRunner`."""
