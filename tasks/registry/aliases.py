"""The book of record as the road moves it: aliases and tags of versions in MLflow, over HTTP and in few calls."""

from typing import Protocol

import httpx

from tasks.errors import Unavailable
from tasks.registry.rest import ABSENT, Mlflow, VersionInfo, served, version_info


class Book(Protocol):
    """What the road needs of a registry."""

    def aliases(self, release: str) -> dict[str, int]: ...
    def versions(self, release: str) -> list[VersionInfo]: ...
    def version(self, release: str, number: int) -> VersionInfo: ...
    def set_alias(self, release: str, alias: str, version: int) -> None: ...
    def delete_alias(self, release: str, alias: str) -> None: ...
    def set_tag(self, release: str, version: int, key: str, value: str) -> None: ...
    def delete_tag(self, release: str, version: int, key: str) -> None: ...


class Registry(Mlflow):
    """The registry behind an MLflow server; every call may be repeated."""

    def aliases(self, release: str) -> dict[str, int]:
        """Every alias of the release; {} where MLflow does not know the release yet."""
        answer = self.call("GET", "registered-models/get", {"name": release}, ABSENT)
        found = answer["registered_model"].get("aliases", []) if answer else []
        return {item["alias"]: int(item["version"]) for item in found}

    def versions(self, release: str) -> list[VersionInfo]:
        """Every version, the oldest first, with its tags."""
        found: list[VersionInfo] = []
        values = {"filter": f"name='{release}'", "max_results": "1000"}
        while True:
            answer = self.call("GET", "model-versions/search", values)
            found += [version_info(told) for told in answer.get("model_versions", [])]
            if not answer.get("next_page_token"):
                return sorted(found, key=lambda info: info.version)
            values["page_token"] = answer["next_page_token"]

    def set_alias(self, release: str, alias: str, version: int) -> None:
        self.call("POST", "registered-models/alias", {"name": release, "alias": alias, "version": str(version)})

    def delete_alias(self, release: str, alias: str) -> None:
        self.call("DELETE", "registered-models/alias", {"name": release, "alias": alias}, ABSENT)

    def set_tag(self, release: str, version: int, key: str, value: str) -> None:
        values = {"name": release, "version": str(version), "key": key, "value": value}
        self.call("POST", "model-versions/set-tag", values)

    def delete_tag(self, release: str, version: int, key: str) -> None:
        self.call("DELETE", "model-versions/delete-tag", {"name": release, "version": str(version), "key": key}, ABSENT)

    def remove_files(self, version: VersionInfo) -> None:
        """Delete all files of the version's run, and of the models that it logged (these have examples of rows); run
        and version stay, with their tags and metrics."""
        run = self.call("GET", "runs/get", {"run_id": version.run_id})["run"]
        models = [one["model_id"] for one in run.get("outputs", {}).get("model_outputs", [])]
        logged = [self.call("GET", f"logged-models/{one}", {}, ABSENT) for one in models]
        uris = [one["model"]["info"]["artifact_uri"] for one in logged if one]
        for place in (self.files_of(version), *map(served, uris)):
            answer = self._ask("DELETE", place, {})
            if not answer.is_success and answer.status_code != httpx.codes.NOT_FOUND:
                raise Unavailable(
                    f"{self.url} did not delete the files of its run {version.run_id} (HTTP {answer.status_code})."
                )
