"""Tell Prefect that the documents of a dataset changed; whatever stands in the way is said, and what to do instead."""

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx

from bentos.kit.config import Config
from tasks.registry.rest import LOOPBACK

logger = logging.getLogger("penstock")

UPLOADED = "penstock.documents.uploaded"
DELETED = "penstock.documents.deleted"
POOL = "local"  # whose workers train
LIMIT_S = 3.0
FRESH_S = 5.0  # for which the state of the workers is believed


class Prefect:
    """The Prefect of a service; every call gives a sentence where nothing will come of it, None where a worker will
    train."""

    def __init__(self) -> None:
        self._known: tuple[float, str | None] = 0.0, None

    async def announce(self, config: Config, event: str, dataset: str, release: str, payload: Any) -> str | None:
        """Post the event."""
        told = {
            "id": str(uuid4()),
            "occurred": datetime.now(UTC).isoformat(),
            "event": event,
            "resource": {"prefect.resource.id": f"penstock.dataset.{dataset}", "prefect.resource.name": dataset},
            "payload": payload | {"release": release},
        }
        return await self._problem(config, release, told)

    async def waiting(self, config: Config, release: str) -> str | None:
        """Whether an upload waits for nothing; looked up once in some seconds, for it is asked again and again."""
        until, problem = self._known
        return problem if time.monotonic() < until else await self._problem(config, release)

    async def _problem(self, config: Config, release: str, told: dict[str, Any] | None = None) -> str | None:
        url, train = config.prefect_url, f"run `penstock train {release}` to index the change"
        try:
            async with asyncio.timeout(LIMIT_S), connected(config) as client:
                if told:
                    (await client.post("/events", json=[told])).raise_for_status()
                problem = None if await _worker(client) else f"No worker of Prefect at {url} is online; {train}."
        except httpx.HTTPStatusError as error:
            problem = f"Prefect at {url} refused this (HTTP {error.response.status_code}); {train}."
        except (httpx.TransportError, httpx.InvalidURL, TimeoutError) as error:
            logger.info("Prefect at %s cannot be reached: %s", url, error)
            problem = f"Prefect at {url} cannot be reached; {train}."
        except (KeyError, TypeError, ValueError):
            problem = f"What answers at {url} is no Prefect of a known kind; {train}."
        self._known = time.monotonic() + FRESH_S, problem
        return problem


def connected(config: Config) -> httpx.AsyncClient:
    direct = httpx.URL(config.prefect_url).host in LOOPBACK
    return httpx.AsyncClient(
        base_url=config.prefect_url.rstrip("/"), headers=config.prefect_headers, timeout=LIMIT_S, trust_env=not direct
    )


async def _worker(client: httpx.AsyncClient) -> bool:
    """Whether a worker of the pool is online; without the pool there is none."""
    answer = await client.post(f"/work_pools/{POOL}/workers/filter", json={})
    if answer.status_code == httpx.codes.NOT_FOUND:
        return False
    return any(worker["status"] == "ONLINE" for worker in answer.raise_for_status().json())
