"""The strip that tells how books are being read in."""
