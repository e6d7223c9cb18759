"""Text in and out of the model: tokens, streamed text, stop strings."""
