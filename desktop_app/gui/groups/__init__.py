"""Unusual images, grouped by what is unusual about them."""
