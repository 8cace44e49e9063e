"""What the default bundle costs, and what it gives up against the full ensemble."""
