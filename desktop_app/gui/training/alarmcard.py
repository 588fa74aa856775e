"""What an alarm means, and what to try: shown once the worker has warned of a stuck training."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from desktop_app.gui.feed import Alarm
from desktop_app.gui.i18n import term, tr
from desktop_app.gui.training.notice import Act, NoticeCard
from desktop_app.gui.wording import number


class AlarmCard(NoticeCard):
    """The alarms of the open run, until the analyst puts them aside."""

    change_wanted = Signal()
    """The analyst wants to set the method up again with other parameters."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("warning", "warning", parent)
        self._shown: tuple[Alarm, ...] = ()

    def show_alarms(self, alarms: Sequence[Alarm]) -> None:
        """Show what was warned of; new alarms bring a card back that was put aside."""
        if tuple(alarms) == self._shown:
            return
        self._shown = tuple(alarms)
        if not alarms:
            self.hide()
            return
        collapse = any(alarm.stays in ("collapse", "below") for alarm in alarms)
        title = tr("This training has collapsed") if collapse else tr("This training is stuck")
        advice = dict.fromkeys(_advice(alarm) for alarm in alarms)
        self.say(
            title,
            "\n".join([*map(alarm_words, alarms), *advice]),
            [
                Act(
                    tr("Change and retry…"),
                    tr("Set the method up again with the parameters of this run"),
                    self.change_wanted.emit,
                ),
                Act(tr("Hide"), tr("Put this card aside; the mark on the curve stays"), self.hide),
            ],
        )


def alarm_words(alarm: Alarm) -> str:
    """Return the sentence of an alarm in the language of the window."""
    values = {
        "curve": alarm.curve,
        "value": number(alarm.value),
        "meaning": term(alarm.meaning, {}),
        "n": f"{alarm.epochs:.0f}",
    }
    if alarm.stays == "collapse":
        return tr("For {n} epochs all images have got nearly the same latent vector.", **values)
    if alarm.stays == "below":
        return tr("'{curve}' has stayed at or below {value} ({meaning}) for {n} epochs.", **values)
    if alarm.stays == "above":
        return tr("'{curve}' has stayed at or above {value} ({meaning}) for {n} epochs.", **values)
    return tr("'{curve}' has stayed within 0.5 % of {value} ({meaning}) for {n} epochs.", **values)


def _advice(alarm: Alarm) -> str:
    if alarm.stays in ("below", "collapse"):
        return tr(
            "Then maps, neighbours and scores say nothing. Try a lower learning rate, larger "
            "batches, stronger augmentation or a weaker penalty."
        )
    return tr(
        "So far it does no better than without learning. Try another learning rate, more epochs "
        "or a larger network, and look whether the images differ in what you are after."
    )
