"""The cache policy of every step: key on task name + code closure + inputs; a hit must have its artifacts whole."""

import os
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, get_type_hints
from uuid import UUID

from prefect import Task, task
from prefect.cache_policies import CachePolicy
from prefect.context import TaskRunContext
from prefect.locking.protocol import LockManager
from prefect.results import ResultRecord  # type: ignore[attr-defined]  # not in its __all__
from prefect.settings import PREFECT_LOCAL_STORAGE_PATH
from prefect.transactions import IsolationLevel
from pydantic import TypeAdapter, ValidationError

from tasks import artifacts
from tasks.planning import Step, artifacts_in, closure, key_of, plain
from tasks.processes import acquire

P = ParamSpec("P")
R = TypeVar("R")

_steps: dict[UUID | None, dict[str, Step]] = defaultdict(dict)


def cached(function: Callable[P, R]) -> Task[P, R]:
    """The Prefect task of a pure step: computed once per key, by whichever worker comes first."""
    policy = CodeAndInputs(isolation_level=IsolationLevel.SERIALIZABLE, lock_manager=Flocks())
    return task(cache_policy=policy, persist_result=True, result_serializer="json")(function)


def steps_of(flow_run_id: UUID) -> list[Step]:
    """The cached steps that a flow run has called in this process, in order, with what they returned; one whose error
    the flow passed over has returned nothing."""
    return [
        step.model_copy(update={"artifacts": artifacts_in(stored(records() / step.key))})
        for step in _steps.pop(flow_run_id, {}).values()
        if (records() / step.key).exists()
    ]


@dataclass
class CodeAndInputs(CachePolicy):
    """Drops the record of a result that is not whole, so that Prefect sees a miss."""

    def compute_key(
        self, task_ctx: TaskRunContext, inputs: dict[str, Any], flow_parameters: dict[str, Any], **_: Any
    ) -> str:
        function = task_ctx.task.fn
        name = f"{function.__module__}.{function.__qualname__}"
        code, told = closure(function.__module__), {key: plain(value) for key, value in inputs.items()}
        key = key_of(name, code, told)
        step = Step(task=name, module=function.__module__, key=key, code=code, inputs=told, artifacts=[])
        _steps[task_ctx.task_run.flow_run_id][key] = step
        drop_if_stale(records() / key, function)
        return key


def records() -> Path:
    """The folder of result records: Prefect's own setting."""
    return Path(PREFECT_LOCAL_STORAGE_PATH.value())


def stored(record: Path) -> Any:
    return ResultRecord.deserialize(record.read_bytes()).result


def drop_if_stale(record: Path, function: Callable[..., Any]) -> None:
    """A record counts only if it has the function's return type and its artifacts are whole, and if what it tells was
    not `passing`: for that run alone."""
    if not record.exists():
        return
    try:
        result = stored(record)
        found = TypeAdapter(get_type_hints(function)["return"]).validate_python(result)
        whole = all(artifacts.current().whole(artifact) for artifact in artifacts_in(result))
        whole = whole and not getattr(found, "passing", None)
    except (ValueError, ValidationError, TypeError):
        whole = False
    if not whole:
        record.unlink(missing_ok=True)


@dataclass
class Flocks(LockManager):
    """Prefect's lock interface on flock: a killed holder frees the lock (Prefect's file lock hangs for ever)."""

    held: dict[str, tuple[str, int]] = field(default_factory=dict)

    def __deepcopy__(self, _memo: dict[int, Any]) -> "Flocks":
        return self

    def acquire_lock(
        self, key: str, holder: str, acquire_timeout: float | None = None, hold_timeout: float | None = None
    ) -> bool:
        """Take the lock; `hold_timeout` has no meaning, since the lock lives as long as its holder."""
        if self.is_lock_holder(key, holder):
            return True
        deadline = None if acquire_timeout is None else time.monotonic() + acquire_timeout
        while (descriptor := acquire(self._path(key), wait=deadline is None)) is None:
            if deadline is not None and time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        self.held[key] = (holder, descriptor)
        return True

    async def aacquire_lock(
        self, key: str, holder: str, acquire_timeout: float | None = None, hold_timeout: float | None = None
    ) -> bool:
        return self.acquire_lock(key, holder, acquire_timeout, hold_timeout)

    def release_lock(self, key: str, holder: str) -> None:
        if not self.is_lock_holder(key, holder):
            raise ValueError(f"{holder} does not hold the lock of {key}.")
        os.close(self.held.pop(key)[1])

    def is_locked(self, key: str) -> bool:
        descriptor = acquire(self._path(key), wait=False)
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    def is_lock_holder(self, key: str, holder: str) -> bool:
        return key in self.held and self.held[key][0] == holder

    def wait_for_lock(self, key: str, timeout: float | None = None) -> bool:
        if not self.acquire_lock(key, f"waiting in {os.getpid()}", timeout):
            return False
        os.close(self.held.pop(key)[1])
        return True

    async def await_for_lock(self, key: str, timeout: float | None = None) -> bool:
        return self.wait_for_lock(key, timeout)

    def _path(self, key: str) -> Path:
        return records().with_name("locks") / Path(key).name
