"""A backend that holds its images in memory or a folder and starts nothing, for tests."""
