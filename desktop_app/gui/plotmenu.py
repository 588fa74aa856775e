"""The menu that every pyqtgraph plot makes, also one that never shows it."""

from typing import Any


def own_menu(plot: Any) -> None:
    """Switch the menu of a PlotWidget off and let it end with the widget.

    The plot keeps its settings in the widgets of that menu, so it cannot be deleted at once; but it
    is a window of its own that nobody else closes.
    """
    plot.setMenuEnabled(False)
    plot.destroyed.connect(plot.plotItem.ctrlMenu.deleteLater)
