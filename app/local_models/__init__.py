"""Models on this computer: which there are, how they come here, and the engine that runs them."""
