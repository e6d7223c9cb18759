"""Takes files into the library, in the background."""
