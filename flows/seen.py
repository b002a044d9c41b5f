"""What the watch flow has seen, as its result and for whoever reads it."""

from pydantic import BaseModel, ConfigDict

from tasks.watching.brakes import Ruling
from tasks.watching.windows import Quality, Window
from tasks.watching.wishes import Wish


class Seen(BaseModel):
    """The newest window of the champion (`new`: closed by this run), the quality of windows by number, the average miss
    of estimates, and what was done about it."""

    model_config = ConfigDict(frozen=True)

    release: str
    text: str
    champion: int | None = None
    window: Window | None = None
    new: bool = False
    qualities: dict[int, Quality] = {}
    missed: float | None = None
    ruling: Ruling | None = None
    wish: Wish | None = None

    @property
    def broken(self) -> list[Quality]:
        """What the newest windows did not keep of what was promised."""
        newest = [self.qualities[number] for number in sorted(self.qualities)][-1:]
        return [one for one in newest if not one.kept]

    @property
    def alarmed(self) -> bool:
        return (self.window is not None and self.window.alarm) or bool(self.broken)

    @property
    def faults(self) -> str | None:
        """How the newest window breaks its contract, where more rows do than chance leaves aside."""
        window = self.window
        if window is None or window.faulty <= SHARE * window.rows:
            return None
        return ", ".join(f"{rows} of {window.rows} rows: {cause}" for cause, rows in window.faults.items())

    @property
    def reasons(self) -> str:
        """Why there is an alarm."""
        drift = self.window.verdict.reasons if self.window and self.window.alarm and self.window.verdict else ()
        kept = [f"{one.metric} is {one.value} by {one.rows} labels; promised was {one.promised}" for one in self.broken]
        return "\n".join([*drift, *kept])


SHARE = 0.05
