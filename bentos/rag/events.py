"""Tell Prefect that the documents of a dataset changed; whatever stands in the way is said, and what to do instead."""

import logging
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx

from tasks.registry.rest import LOOPBACK

logger = logging.getLogger("penstock")

UPLOADED = "penstock.documents.uploaded"
DELETED = "penstock.documents.deleted"
TIMEOUT = httpx.Timeout(3, connect=1)


async def announce(url: str, event: str, dataset: str, release: str, payload: dict[str, Any]) -> str | None:
    """Post the event; a sentence where nothing will come of it, None where a worker will train."""
    train = f"run `penstock train {release}` to index the change"
    told = {
        "id": str(uuid4()),
        "occurred": datetime.now(UTC).isoformat(),
        "event": event,
        "resource": {"prefect.resource.id": f"penstock.dataset.{dataset}", "prefect.resource.name": dataset},
        "payload": payload | {"release": release},
    }
    direct = httpx.URL(url).host in LOOPBACK
    try:
        async with httpx.AsyncClient(base_url=url.rstrip("/"), timeout=TIMEOUT, trust_env=not direct) as client:
            (await client.post("/events", json=[told])).raise_for_status()
            return None if await _worker(client) else f"No worker of Prefect at {url} is online; {train}."
    except httpx.HTTPStatusError as error:
        return f"Prefect at {url} refused the event (HTTP {error.response.status_code}); {train}."
    except (httpx.TransportError, ValueError) as error:
        logger.info("Prefect at %s cannot be told of %s: %s", url, event, error)
        return f"Prefect at {url} cannot be reached; {train}."


async def _worker(client: httpx.AsyncClient) -> bool:
    """Whether any worker of any pool is online."""
    pools = await client.post("/work_pools/filter", json={})
    for pool in pools.raise_for_status().json():
        workers = await client.post(f"/work_pools/{pool['name']}/workers/filter", json={})
        if any(worker["status"] == "ONLINE" for worker in workers.raise_for_status().json()):
            return True
    return False
