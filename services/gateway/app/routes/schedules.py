"""Schedules: what beat sends and when; pause, resume, run now."""

from dataclasses import asdict

from fastapi import APIRouter

from app.audit import audited
from app.authentication import demand
from app.context import Caller, Context, Gateway
from app.keys import ApiKey
from app.problems import Json, Unprocessable, told_as
from app.schemas import ScheduleChange, Sent
from taskclient.connection import broker_errors
from taskclient.contracts import near
from taskclient.errors import UnknownSchedule
from taskclient.schedules import Schedule

router = APIRouter(prefix="/schedules")


@router.get("", response_model=list[Schedule])
def listed(gateway: Gateway, key: Caller) -> Json:
    """All schedules whose tasks the key may read about."""
    return Json([shown(one) for one in gateway.client.schedules() if key.may("read", one.task)])


@router.post("/{name}/pause", response_model=ScheduleChange)
def pause(name: str, gateway: Gateway, key: Caller) -> Json:
    """Have beat leave it out until it is resumed."""
    with audited(key, "operate", f"pause schedule {name}"):
        _demand(gateway, key, name)
        changed = gateway.client.pause_schedule(name)
    return Json({"schedule": name, "paused": True, "changed": changed})


@router.post("/{name}/resume", response_model=ScheduleChange)
def resume(name: str, gateway: Gateway, key: Caller) -> Json:
    """Have beat send it again; if it was due in the pause, once at once."""
    with audited(key, "operate", f"resume schedule {name}"):
        _demand(gateway, key, name)
        changed = gateway.client.resume_schedule(name)
    return Json({"schedule": name, "paused": False, "changed": changed})


@router.post("/{name}/run", status_code=202, response_model=Sent)
def run(name: str, gateway: Gateway, key: Caller) -> Json:
    """Send its task now; when it is due stays as it is."""
    with audited(key, "operate", f"run schedule {name}") as line:
        schedule = _demand(gateway, key, name)
        with told_as(Unprocessable):
            job = gateway.client.run_schedule(name)
        line["job"] = job.id
        with broker_errors(gateway.settings.redis(), f"keeping the name of job {job.id}"):
            gateway.names.put(job.id, schedule.task)
    answer = {"id": job.id, "name": schedule.task, "queue": schedule.queue}
    return Json(answer, 202, headers={"Location": f"/jobs/{job.id}"})


def _demand(gateway: Context, key: ApiKey, name: str) -> Schedule:
    """The schedule, for who may operate its task.

    Raises:
        UnknownSchedule: there is none of this name.
        Forbidden: the key may not.
    """
    known = {one.name: one for one in gateway.client.schedules()}
    if name not in known:
        raise UnknownSchedule(f"No service has a schedule {name!r}; {near(name, known, '/schedules shows all.')}")
    demand(key, "operate", known[name].task)
    return known[name]


def shown(schedule: Schedule) -> dict[str, object]:
    """As JSON has it."""
    times = {"last_run": schedule.last_run, "next_run": schedule.next_run}
    return {**asdict(schedule), **{name: time.isoformat() if time else None for name, time in times.items()}}
