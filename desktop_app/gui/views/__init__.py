"""Pictures that methods describe: one renderer per kind of view, and the parts they share."""

from desktop_app.gui.views.frame import ViewFrame, view_frame
from desktop_app.gui.views.plots import Plot
from desktop_app.gui.views.tiles import TileSheet

__all__ = ["Plot", "TileSheet", "ViewFrame", "view_frame"]
