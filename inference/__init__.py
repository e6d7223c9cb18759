"""The local engine and its OpenAI-compatible server."""
