"""The whole system on real servers, process by process, under load and kills."""
