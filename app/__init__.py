"""The desktop application and the command line: the composition root."""
