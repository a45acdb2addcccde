"""The services, by the names that the command line, health questions and logs use."""

SERVICES = ("claims", "relay", "projector", "timer", "web")
