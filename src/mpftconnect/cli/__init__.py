"""The command line: parsing and printing only."""

from mpftconnect.cli.app import main

__all__ = ["main"]
