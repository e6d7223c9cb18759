"""Checkpoints in safetensors: read without trust, mapped where possible, handed to the layers."""
