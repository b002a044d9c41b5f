"""The gate: evidence in, a decision with its reasons out. Pure, so that every rule of promotion can be tested."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tasks.artifacts import canonical, sha256
from tasks.registry.recipes import Recipe
from tasks.statistics import Interval as Interval
from tasks.statistics import rows_needed

BASELINE = "baseline"
Verdict = Literal["better", "not worse", "worse", "inconclusive"]


class Check(BaseModel):
    """One reason: the number, the bound that it is held to, and a sentence. `measured`: a time, outside the digest."""

    model_config = ConfigDict(frozen=True)

    name: str
    number: float | None
    bound: str
    ok: bool
    text: str
    measured: bool = False


class Evidence(BaseModel):
    """What is known of a candidate beside the version (or the baseline) that it would replace, on the same rows.

    `difference` is positive where the candidate is better, whatever the metric's direction; `against_best` likewise,
    to the best on these rows of the versions that `history.rivals` names. `checks` were evaluated by the room.
    `doubt`: why the rows may favour the opponent, so that what speaks for it shows nothing."""

    model_config = ConfigDict(frozen=True)

    release: str
    candidate: str
    opponent: str
    snapshot: str
    metric: str
    higher_is_better: bool
    margin: float
    rows: int
    candidate_metrics: dict[str, Interval]
    opponent_metrics: dict[str, Interval] = Field(default_factory=dict)
    difference: Interval
    checks: list[Check] = Field(default_factory=list)
    data_changed: bool = False
    code_changed: bool = False
    rolled_back: bool = False
    against_best: Interval | None = None
    needed_rows: int | None = None
    doubt: str | None = None
    measured: dict[str, Any] = Field(default_factory=dict)

    @property
    def champion(self) -> int | None:
        """The version on the other side; None for the baseline."""
        return None if self.opponent == BASELINE else int(self.opponent.rpartition("v")[2])


class Decision(BaseModel):
    """What the gate says. `raises`: the candidate is a new high-water mark, which later ones may not creep below."""

    model_config = ConfigDict(frozen=True)

    verdict: Verdict
    promote: bool
    ask: bool
    reasons: list[Check]
    digest: str
    raises: bool = False
    needed_rows: int | None = None

    @property
    def failed(self) -> list[Check]:
        return [reason for reason in self.reasons if not reason.ok]


def floor_check(metric: str, estimate: Interval, bound: float, higher_is_better: bool, part: str = "") -> Check:
    """An absolute floor (a ceiling for errors) on the whole test part, or on the slice named `part`."""
    name = f"floor {metric}" if not part else f"slice {part} {metric}"
    ok = estimate.value >= bound if higher_is_better else estimate.value <= bound
    sign = ">=" if higher_is_better else "<="
    where = f" on {part}" if part else ""
    text = f"{metric}{where} is {estimate}; the recipe asks for {sign} {bound:g}."
    return Check(name=name, number=estimate.value, bound=f"{sign} {bound:g}", ok=ok, text=text)


def verdict_of(difference: Interval, margin: float) -> Verdict:
    """Better: all of the interval above 0. Not worse: none of it below -margin. Worse: all of it below 0."""
    if difference.low > 0:
        return "better"
    if difference.low >= -margin:
        return "not worse"
    return "worse" if difference.high < 0 else "inconclusive"


def decide(evidence: Evidence, recipe: Recipe) -> Decision:
    """The rules of promotion. Any failed check refuses; what passes is promoted or, by the recipe, asked about."""
    verdict = verdict_of(evidence.difference, evidence.margin)
    if evidence.doubt and verdict == "worse":
        verdict = "inconclusive"
    needed = None
    if verdict == "inconclusive" and not evidence.doubt:
        needed = evidence.needed_rows or rows_needed(evidence.difference, evidence.rows, evidence.margin)
    first = evidence.opponent == BASELINE
    compared = _baseline(evidence, verdict) if first else _comparison(evidence, recipe, verdict, needed)
    creep = [] if first or verdict == "better" else _no_creep(evidence, verdict)
    again = [rolled_back_check(evidence.release, evidence.candidate)] if evidence.rolled_back else []
    reasons = [compared, *again, *creep, *_unmeasured(evidence, recipe), *evidence.checks]
    passed = all(reason.ok for reason in reasons)
    ask = passed and (recipe.approval == "ask" or (verdict == "inconclusive" and not first))
    best = evidence.against_best
    return Decision(
        verdict=verdict,
        promote=passed and not ask,
        ask=ask,
        reasons=reasons,
        digest=decision_digest(evidence, verdict, reasons, ask),
        raises=passed and (first or (verdict == "better" and (best is None or best.low > 0))),
        needed_rows=needed,
    )


def decision_digest(evidence: Evidence, verdict: Verdict, reasons: list[Check], ask: bool) -> str:
    """Over all that a rerun must find again: measured times are left out, their outcome is not."""
    without = {"measured", "checks", "needed_rows"} | (set() if evidence.doubt else {"doubt"})
    body = evidence.model_dump(mode="json", exclude=without)
    said = [(reason.name, reason.bound, reason.ok, None if reason.measured else reason.number) for reason in reasons]
    return sha256(canonical({"evidence": body, "verdict": verdict, "reasons": said, "ask": ask}))


def _comparison(evidence: Evidence, recipe: Recipe, verdict: Verdict, needed: int | None) -> Check:
    """Against the champion. Inconclusive passes only where the recipe would have it asked."""
    ok = verdict in ("better", "not worse") or (verdict == "inconclusive" and recipe.inconclusive == "ask")
    enough = f"; about {needed} test rows would settle it" if needed else ""
    than = "against" if verdict == "inconclusive" else "than"
    text = f"{verdict.capitalize()} {than} {evidence.opponent}: {_differs(evidence)}{enough}."
    text += f" {evidence.doubt}" if evidence.doubt else ""
    return Check(
        name="comparison", number=evidence.difference.low, bound=f">= {0 - evidence.margin:g}", ok=ok, text=text
    )


def _baseline(evidence: Evidence, verdict: Verdict) -> Check:
    """No champion yet: the candidate must be shown to beat the baseline; how good it must be, the floors say."""
    text = f"No champion yet, beside the baseline: {_differs(evidence)}; the whole interval must be above 0."
    return Check(name="baseline", number=evidence.difference.low, bound="> 0", ok=verdict == "better", text=text)


def _differs(evidence: Evidence) -> str:
    where = f"on {evidence.rows} cases of {evidence.snapshot}"
    return f"{evidence.metric} differs by {evidence.difference} (positive is better) {where}"


def rolled_back_check(release: str, version: str | int) -> Check:
    text = (
        f"Version {version} was withdrawn once; only `penstock approve {release} {version} --override` brings it back."
    )
    return Check(name="rolled back", number=None, bound="never withdrawn", ok=False, text=text)


def _no_creep(evidence: Evidence, verdict: Verdict) -> list[Check]:
    """What is not shown to be better needs a cause, and must stand beside the best of the last champions.

    The best includes the high-water mark, so that many small steps cannot add up to more than one margin."""
    changed = evidence.data_changed or evidence.code_changed
    causes = ["data"] * evidence.data_changed + ["code"] * evidence.code_changed
    what = " and ".join(causes) if changed else "neither data nor code"
    text = f"{what.capitalize()} changed since the champion."
    checks = [Check(name="change", number=None, bound="data or code changed", ok=changed, text=text)]
    best = evidence.against_best
    if best is not None:
        ok = best.low >= -evidence.margin or (verdict == "inconclusive" and best.high >= 0)
        text = f"{evidence.metric} differs by {best} from the best of the last champions on the same rows."
        bound = f">= {0 - evidence.margin:g}"
        checks.append(Check(name="best of the last", number=best.low, bound=bound, ok=ok, text=text))
    return checks


def _unmeasured(evidence: Evidence, recipe: Recipe) -> list[Check]:
    """A floor that nobody measured fails."""
    named = {check.name for check in evidence.checks}
    known = ", ".join(sorted(evidence.candidate_metrics))
    return [
        Check(
            name=f"floor {metric}",
            number=None,
            bound=f"{bound:g}",
            ok=False,
            text=f"The recipe has a floor for {metric!r}, which was not measured; measured: {known}.",
        )
        for metric, bound in recipe.floors.items()
        if f"floor {metric}" not in named
    ]
