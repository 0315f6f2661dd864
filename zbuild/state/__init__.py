"""What zbuild remembers between runs, in .zbuild/."""
