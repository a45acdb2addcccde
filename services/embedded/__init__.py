"""PostgreSQL and nats-server on this machine, and the supervisor that runs everything."""
