"""What ADD takes from other machines: files at URLs and git repositories, kept and asked for again only when needed."""
