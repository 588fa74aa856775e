"""Loupe: an offline desktop workbench for unsupervised deep learning on folders of images."""

__version__ = "0.1.0"
