"""The command line `cpor`."""
