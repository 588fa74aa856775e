"""The library: image folders, their thumbnails and the gallery."""
