"""What happens during a build, told as frozen events to whoever listens."""
