"""The errors of Loupe: one small tree, each message one sentence an analyst can act on.

A sentence says what was expected, what came, and what to do.
"""


class LoupeError(Exception):
    """Anything the analyst is told as a sentence instead of a traceback."""


class InvalidInput(LoupeError):
    """A folder, file or array that cannot be used as it is."""


class InvalidParameter(LoupeError):
    """A parameter that does not exist or whose value is out of its range."""


class UnknownMethod(LoupeError):
    """No plugin offers a method of this name."""


class MissingCapability(LoupeError):
    """The method exists but cannot do what was asked of it."""


class UnreadableImage(InvalidInput):
    """An image file that cannot be decoded; the message is the reason for its quarantine."""


class UnreadableRun(LoupeError):
    """A run folder that is incomplete, of a newer version, or no run folder at all."""


class PluginProblem(LoupeError):
    """A plugin that cannot be loaded or breaks its contract."""


class WorkerLost(LoupeError):
    """A worker process that ended or fell silent while something was expected of it."""
