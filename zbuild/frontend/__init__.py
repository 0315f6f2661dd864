"""Build files to the intermediate representation."""
