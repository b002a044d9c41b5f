"""Rows that look like a bank's loan applications, the same for the same seed and number, with planted faults.

The chance of default of each row is known (`credit_risk`), so the best score that any model can reach is known too.
The last of the eight quarters is shifted: lower incomes, larger loans, other purposes, more use of credit lines; and in
part another rule: young applicants are no longer the risk, and mortgage holders and short loans become one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Texts = NDArray[np.str_]

QUARTERS = ["2023-Q1", "2023-Q2", "2023-Q3", "2023-Q4", "2024-Q1", "2024-Q2", "2024-Q3", "2024-Q4"]
EMPLOYMENT = {
    "salaried": 0.55,
    "self-employed": 0.14,
    "public": 0.13,
    "retired": 0.08,
    "unemployed": 0.06,
    "student": 0.04,
}
HOMES = {"rent": 0.42, "mortgage": 0.33, "own": 0.17, "family": 0.08}
REGIONS = {"north": 0.22, "south": 0.28, "east": 0.17, "west": 0.21, "islands": 0.05, "capital": 0.07}
PURPOSES = {"car": 0.27, "consolidation": 0.22, "home": 0.20, "education": 0.11, "business": 0.12, "medical": 0.08}
SHIFTED_PURPOSES = {
    "car": 0.15,
    "consolidation": 0.42,
    "home": 0.12,
    "education": 0.08,
    "business": 0.13,
    "medical": 0.10,
}
INCOME = {"salaried": 1.0, "self-employed": 1.12, "public": 0.95, "retired": 0.62, "unemployed": 0.34, "student": 0.28}
EMPLOYMENT_RISK = {
    "salaried": 0.0,
    "self-employed": 0.35,
    "public": -0.4,
    "retired": -0.1,
    "unemployed": 1.0,
    "student": 0.2,
}
PURPOSE_RISK = {"car": -0.2, "consolidation": 0.3, "home": -0.25, "education": 0.0, "business": 0.55, "medical": 0.35}
HOME_RISK = {"rent": 0.25, "mortgage": -0.15, "own": -0.4, "family": 0.1}
PLANTED = 0.015  # share of rows with a fault


@dataclass(frozen=True)
class Applications:
    """The whole truth of the generated rows, before anything is lost or planted."""

    quarter: NDArray[np.int64]
    age: Floats
    employment: Texts
    years: Floats
    income: Floats
    home: Texts
    region: Texts
    purpose: Texts
    amount: Floats
    term: Floats
    lines: Floats
    utilisation: Floats
    earlier: Floats


def credit_applications(rows: int, seed: int) -> pa.Table:
    """The table as text, as an export would hold it: with empty cells and `PLANTED` faulty rows."""
    random = np.random.default_rng([seed, rows])
    truth = draw_applications(rows, random)
    defaulted = random.random(rows) < credit_risk(truth)
    columns = _cells(truth, defaulted)
    _lose(columns, truth, random)
    _plant(columns, random.permutation(rows)[: round(PLANTED * rows)])
    return pa.table({name: pa.array([cell or None for cell in cells], pa.string()) for name, cells in columns.items()})


def credit_risk(rows: Applications) -> Floats:
    """The chance of default of each application: smooth, nonlinear, with interactions."""
    late = rows.quarter == len(QUARTERS) - 1
    burden = rows.amount / rows.term * 12 / rows.income
    young = np.exp(-(((rows.age - 22) / 9) ** 2))
    score = (
        -1.75
        + 2.3 * np.tanh(2.2 * (burden - 0.22))
        + np.where(late, 0.0, 0.9) * young
        + 1.5 * np.maximum(rows.utilisation - 0.55, 0) / 0.45
        + 0.75 * np.minimum(rows.earlier, 3)
        - 0.35 * np.log1p(rows.years)
        + np.where((rows.purpose == "business") & (rows.employment == "self-employed"), -0.8, 0.0)
        + np.where((rows.home == "rent") & (rows.region == "capital"), 0.5, 0.0)
        + np.where(late & (rows.home == "mortgage"), 0.9, 0.0)
        + np.where(late & (rows.term <= 24), 0.6, 0.0)
    )
    for cells, weights in (
        (rows.employment, EMPLOYMENT_RISK),
        (rows.purpose, PURPOSE_RISK),
        (rows.home, HOME_RISK),
    ):
        score = score + _weights(cells, weights)
    return np.asarray(1 / (1 + np.exp(-score)), np.float64)


def draw_applications(rows: int, random: np.random.Generator) -> Applications:
    """Applications without gaps or faults, in the order of the quarters."""
    quarter = np.arange(rows) * len(QUARTERS) // rows
    late = quarter == len(QUARTERS) - 1
    employment = _draw(random, EMPLOYMENT, rows)
    age = np.clip(_age(employment, random), 18, 85).round()
    years = np.where(
        np.isin(employment, ["unemployed", "student"]), 0, random.random(rows) ** 2 * (age - 18) * 0.8
    ).round(1)
    level = 34_000 * np.exp(0.42 * random.standard_normal(rows)) * (1 + 0.012 * np.minimum(years, 25))
    income = (level * _weights(employment, INCOME) * np.where(late, 0.86, 1.0)).round(2)
    purpose = np.where(late, _draw(random, SHIFTED_PURPOSES, rows), _draw(random, PURPOSES, rows))
    size = 0.24 * np.exp(0.55 * random.standard_normal(rows)) * np.where(purpose == "home", 1.7, 1.0)
    lines = np.minimum(np.floor(-np.log(1 - random.random(rows)) * 3), 14)
    use = random.random(rows) ** 1.6
    return Applications(
        quarter=quarter,
        age=age,
        employment=employment,
        years=years,
        income=income,
        home=_draw(random, HOMES, rows),
        region=_draw(random, REGIONS, rows),
        purpose=purpose,
        amount=np.clip(income * size * np.where(late, 1.25, 1.0), 500, 90_000).round(-2),
        term=np.array([12, 24, 36, 48, 60, 72])[(random.random(rows) * 6).astype(int)].astype(np.float64),
        lines=lines,
        utilisation=np.where(lines == 0, 0, np.where(late, 0.25 + 0.75 * use, use)).round(3),
        earlier=np.floor(-np.log(1 - random.random(rows)) * 0.55),
    )


def _age(employment: Texts, random: np.random.Generator) -> Floats:
    spread = random.standard_normal(len(employment))
    usual = 41 + 11.5 * spread
    return np.where(
        employment == "retired", 69 + 5 * spread, np.where(employment == "student", 22 + 2.5 * spread, usual)
    )


def _cells(rows: Applications, defaulted: NDArray[np.bool_]) -> dict[str, list[str]]:
    return {
        "application_id": [f"{number:07}" for number in range(1, len(defaulted) + 1)],
        "quarter": [QUARTERS[number] for number in rows.quarter],
        "age": _whole(rows.age),
        "employment": rows.employment.tolist(),
        "employment_years": [f"{value:.1f}" for value in rows.years],
        "income": [f"{value:.2f}" for value in rows.income],
        "home_ownership": rows.home.tolist(),
        "region": rows.region.tolist(),
        "purpose": rows.purpose.tolist(),
        "loan_amount": _whole(rows.amount),
        "term_months": _whole(rows.term),
        "credit_lines": _whole(rows.lines),
        "utilisation": [f"{value:.3f}" for value in rows.utilisation],
        "earlier_defaults": _whole(rows.earlier),
        "defaulted": ["1" if value else "0" for value in defaulted],
    }


def _lose(columns: dict[str, list[str]], rows: Applications, random: np.random.Generator) -> None:
    """Empty cells with a reason: no credit line has no utilisation, the self-employed tell their income less often."""
    chances = {
        "income": np.where(rows.employment == "self-employed", 0.10, 0.02),
        "employment_years": np.full(len(rows.age), 0.03),
        "utilisation": np.where(rows.lines == 0, 1.0, 0.0),
    }
    for name, chance in chances.items():
        for row in np.flatnonzero(random.random(len(rows.age)) < chance):
            columns[name][row] = ""


def _plant(columns: dict[str, list[str]], places: NDArray[np.int64]) -> None:
    """Spoil one cell of each of these rows, with each fault about equally often."""
    faults: list[tuple[str, Callable[[str], str]]] = [
        ("income", lambda cell: f"-{cell or '1000.00'}"),
        ("age", lambda cell: "430"),
        ("region", lambda cell: "atlantis"),
        ("defaulted", lambda cell: ""),
        ("loan_amount", lambda cell: "ten thousand"),
        ("utilisation", lambda cell: "7.500"),
        ("employment", lambda cell: ""),
    ]
    for number, place in enumerate(places):
        name, fault = faults[number % len(faults)]
        columns[name][place] = fault(columns[name][place])


def _draw(random: np.random.Generator, shares: dict[str, float], rows: int) -> Texts:
    bounds = np.cumsum(list(shares.values()))
    return np.array(list(shares))[np.searchsorted(bounds[:-1], random.random(rows), side="right")]


def _weights(cells: Texts, weights: dict[str, float]) -> Floats:
    found, places = np.unique(cells, return_inverse=True)
    return np.array([weights[str(cell)] for cell in found])[places]


def _whole(values: Floats) -> list[str]:
    return [str(int(value)) for value in values]
