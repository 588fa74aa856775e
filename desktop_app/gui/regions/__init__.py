"""The region of interest of a folder: painted once, kept with the folder."""
