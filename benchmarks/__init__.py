"""Measurements of speed and memory; they are no part of the installed packages."""
