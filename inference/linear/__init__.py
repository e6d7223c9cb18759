"""Linear layers and embeddings, dense or quantised, behind one interface."""
