"""Scripts that run in environments of their own, with the peers installed."""
