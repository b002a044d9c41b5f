"""The exception tree: every message is one paragraph that says what, where and what to do.

The command line prints the message and exits 1; a service answers with the status beside the class.
"""


class PenstockError(Exception):
    """The root: whatever is raised on purpose."""


class BadInput(PenstockError):
    """Data, a recipe, a setting or a request is wrong (422)."""


class NotFound(PenstockError):
    """There is no such release, version, dataset or artifact (404)."""


class Refused(PenstockError):
    """A rule forbids it: a held port, a version that is not pending, a ledger that was tampered with (409)."""


class OverBudget(Refused):
    """It would take longer than it may (409)."""


class Unavailable(PenstockError):
    """A server or the network cannot be reached (503)."""
