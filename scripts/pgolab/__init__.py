"""Shared modules of the programs in scripts/."""
