"""Parsing, chunking, embedding, retrieval and answers."""
