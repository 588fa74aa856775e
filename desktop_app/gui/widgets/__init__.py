"""Small widgets that every panel shares."""

from desktop_app.gui.widgets.badge import Badge
from desktop_app.gui.widgets.elided import ElidedLabel
from desktop_app.gui.widgets.empty_state import EmptyState
from desktop_app.gui.widgets.fields import (
    ChoiceField,
    NumberField,
    SearchField,
    SliderField,
    WholeNumberField,
)
from desktop_app.gui.widgets.images import ImageLabel, image_from_array
from desktop_app.gui.widgets.legend import ColourBar, Legend, LegendEntry
from desktop_app.gui.widgets.names import named
from desktop_app.gui.widgets.readout import Readout, ReadoutRow
from desktop_app.gui.widgets.section import CollapsibleSection, SectionHeader
from desktop_app.gui.widgets.segmented import Segment, Segmented
from desktop_app.gui.widgets.toast import Toast, ToastHost

__all__ = [
    "Badge",
    "ChoiceField",
    "CollapsibleSection",
    "ColourBar",
    "ElidedLabel",
    "EmptyState",
    "ImageLabel",
    "Legend",
    "LegendEntry",
    "NumberField",
    "Readout",
    "ReadoutRow",
    "SearchField",
    "SectionHeader",
    "Segment",
    "Segmented",
    "SliderField",
    "Toast",
    "ToastHost",
    "WholeNumberField",
    "image_from_array",
    "named",
]
