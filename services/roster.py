"""The services, by the names that the command line, health questions and logs use."""

SERVICES = ("claims", "relay", "projector", "timer", "notifier", "web")
MAILBOX = "mailbox"
"""Runs beside them when there is no other mail server."""
EVERYTHING = (*SERVICES, MAILBOX)
