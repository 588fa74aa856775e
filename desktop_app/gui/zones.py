"""What the zones of the scores are called and how they are coloured."""

from desktop_app.core.zones import Zone
from desktop_app.gui.i18n import tr

ZONE_TONES: dict[Zone, str] = {"pass": "good", "review": "warning", "fail": "bad"}
"""The colour of each zone, by its role in the theme."""


def zone_name(zone: Zone) -> str:
    """Return the name of a zone for the analyst."""
    return {"pass": tr("Pass"), "review": tr("Review"), "fail": tr("Fail")}[zone]
