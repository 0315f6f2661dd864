"""What several tests share: storage roots of their own, a registry, ways to start zbuild."""
