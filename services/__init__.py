"""Everything that touches the world: processes, servers, wiring and settings."""
