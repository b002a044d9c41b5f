"""Prometheus's rules and Grafana's dashboards name only what is really exported; promtool tries the rules."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bentos.assistant.gauges import Gauges
from bentos.assistant.model import load_assistant
from bentos.kit.config import Config
from bentos.kit.desk import Desk
from flows.release_series import RELEASES
from flows.run_series import RUNS
from tasks.settings import ROOT, Settings
from tasks.tables.metrics import METRICS

DOCKER = ROOT / "docker"
DASHBOARDS = sorted((DOCKER / "grafana" / "dashboards").glob("*.json"))
RULES = yaml.safe_load((DOCKER / "alerts.yml").read_text())
SCRAPES = yaml.safe_load((DOCKER / "prometheus.yml").read_text())
PARTS = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",)}
NAME = r"\b(?:penstock|process)_[a-z_]+"


def dashboard(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def targets(told: dict[str, Any]) -> Iterator[str]:
    for panel in told["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    for one in told["templating"]["list"]:
        if one["type"] == "query":
            yield one["query"]["query"]


def named() -> dict[str, set[str]]:
    """Where a metric is named, and which."""
    found = {
        f"{path.stem}: {text[:60]}": set(re.findall(NAME, text))
        for path in DASHBOARDS
        for text in targets(dashboard(path))
    }
    rules = (rule for group in RULES["groups"] for rule in group["rules"])
    return found | {rule["alert"]: set(re.findall(NAME, rule["expr"])) for rule in rules}


@pytest.fixture(scope="module")
def exported() -> set[str]:
    """The series of a service of every kind, and of the exporter."""
    desk = Desk(load_assistant, Config())
    Gauges(desk)
    found = {"penstock_up", *RELEASES, *RUNS}
    for one in text_string_to_metric_families(desk.metrics.render().decode()):
        found |= {f"{one.name}{part}" for part in PARTS.get(one.type, ("",))}
    return found


def test_rules_and_panels_name_what_is_exported(exported: set[str]) -> None:
    assert {where: names - exported for where, names in named().items() if names - exported} == {}


def test_drift_quality_and_every_series_of_runs_is_shown() -> None:
    shown = set().union(*named().values())
    assert {*RELEASES, *RUNS} - shown == {
        "penstock_drift_exceeds",
        "penstock_window_number",
        "penstock_run_end_timestamp_seconds",
    }


def test_metrics_that_are_better_when_lower_are_told_apart() -> None:
    lower = {name for name, metric in METRICS.items() if not metric.higher_is_better} | {"perplexity"}
    (rule,) = (rule for group in RULES["groups"] for rule in group["rules"] if rule["alert"] == "QualityBelowPromised")
    for sign in ("!~", "=~"):
        (told,) = re.findall(rf'metric{sign}"([^"]+)"', rule["expr"])
        assert set(told.split("|")) == lower


def test_what_is_scraped_are_the_ports_of_the_settings() -> None:
    ports = {
        job["job_name"]: [int(one.rpartition(":")[2]) for config in job["static_configs"] for one in config["targets"]]
        for job in SCRAPES["scrape_configs"]
    }
    first = Settings.model_fields["port"].default
    assert ports["services"] == [first + place for place in range(4)]
    assert ports["penstock"] == [Settings.model_fields["metrics_port"].default]


def test_every_alert_says_what_to_do() -> None:
    for group in RULES["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("page", "ticket")
            assert set(rule["annotations"]) == {"summary", "action"}


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: str(path.stem))
def test_a_dashboard_is_whole(path: Path) -> None:
    told = dashboard(path)
    variables = {one["name"] for one in told["templating"]["list"]} | {"__rate_interval", "__all"}
    assert told["uid"] == f"penstock-{path.stem}"
    panels = told["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["description"] and panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)
        assert set(re.findall(r"\$\{?(\w+)", json.dumps(panel))) <= variables, panel["title"]
    taken = [(x, y) for panel in panels for x, y in cells(**panel["gridPos"])]
    assert len(set(taken)) == len(taken), "panels lie over each other"
    assert max(x for x, _ in taken) < 24


def cells(x: int, y: int, w: int, h: int) -> Iterator[tuple[int, int]]:
    return ((x + across, y + down) for across in range(w) for down in range(h))


def test_grafana_is_given_prometheus_and_the_dashboards() -> None:
    (source,) = yaml.safe_load((DOCKER / "grafana/datasources/prometheus.yaml").read_text())["datasources"]
    assert (source["uid"], source["type"]) == ("prometheus", "prometheus")
    (provider,) = yaml.safe_load((DOCKER / "grafana/dashboards/penstock.yaml").read_text())["providers"]
    assert provider["options"]["path"].endswith("/dashboards")
    for path in DASHBOARDS:
        (variable,) = (one for one in dashboard(path)["templating"]["list"] if one["name"] == "datasource")
        assert variable["current"]["value"] == source["uid"]


@pytest.mark.parametrize("command", [["check", "config", "prometheus.yml"], ["test", "rules", "alerts_test.yml"]])
def test_promtool_agrees(command: list[str]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool here: it comes with Prometheus")
    done = subprocess.run([promtool, *command], cwd=DOCKER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
