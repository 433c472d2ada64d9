"""The client's chains, groups and chords: checked as a whole, then sent as stock Celery's canvas."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence

from taskclient.canvas import Canvas, Stage, Step, canvas, group
from taskclient.canvas_check import Find, check_canvas
from taskclient.canvas_handle import WorkflowHandle
from taskclient.canvas_messages import Outgoing, outgoing
from taskclient.errors import BatchInterrupted, BrokerUnavailable
from taskclient.ids import new_id


def prepare(
    stages: Sequence[Stage], find: Find, *, correlation_id: str | None, run_id: str | None, check_joints: bool
) -> tuple[Canvas, Outgoing]:
    """Check what is to be sent, and build its messages.

    Raises:
        WorkflowRefused: a name, a payload or a joint is wrong.
        PayloadTooLarge: all steps together are too large for a message.
        ValueError: there is no step, or a group follows a group.
    """
    made = canvas(stages, run_id or new_id())
    known = check_canvas(made, find, joints=check_joints)
    return made, outgoing(made, known, correlation_id)


def push_all(push: Callable[..., None], messages: Outgoing, at_once: int) -> None:
    """Push the messages of all queues.

    Args:
        push: takes a queue and messages, and pushes all of them or none.
        messages: what to push.
        at_once: how many in one call.

    Raises:
        BatchInterrupted: it failed; says the tasks that are in their queues, and those that are not.
    """
    sent: list[str] = []
    for queue, ids, raw in messages.pieces(at_once):
        try:
            push(queue, *raw)
        except BrokerUnavailable as error:
            raise BatchInterrupted(str(error), sent, messages.ids[len(sent) :]) from error
        sent.extend(ids)


class SendsCanvas(ABC):
    """What a client can send as a whole; `taskclient.canvas` has the steps.

        client.chain(step("app.tasks.a.fetch", source="flights"), step("app.tasks.b.load"))
        client.group([step("app.tasks.a.fetch", source=name) for name in names])
        client.chord([step("app.tasks.a.fetch", source=name) for name in names], step("app.tasks.b.load_all"))

    A step's first parameter takes the result of the step before it, and after a group the list of the branches'
    results. Before anything is sent, all names and payloads are checked, and whether each parameter accepts every
    result that it may get. What nobody has published is not checked.
    """

    def chain(
        self,
        *stages: Stage,
        correlation_id: str | None = None,
        run_id: str | None = None,
        check_joints: bool = True,
    ) -> WorkflowHandle:
        """Send steps that run one after the other; a stage may be a `group`, whose branches run side by side.

        Args:
            *stages: steps and groups; a group must not follow a group.
            correlation_id: what ties all tasks to a request in the logs; the run's id by default.
            run_id: what the ids of all tasks follow from; a new UUID by default. Steps that are sent again under the
                same run id are tasks with the same ids, which a chord counts once; they may run twice.
            check_joints: False sends although a result might not fit the parameter that takes it.

        Returns:
            A handle on all tasks.

        Raises:
            WorkflowRefused: names, payloads or joints are wrong; `errors` has all of them. Nothing was sent.
            PayloadTooLarge: all steps together are over 256 KiB.
            ValueError: no step, an empty group, or a group that follows a group.
            BatchInterrupted: a queue got full, or Redis away; says which tasks had been sent.
            BrokerUnavailable: the database of the results could not be reached; nothing was sent.
        """
        return self._send_canvas(stages, correlation_id, run_id, check_joints=check_joints)

    def group(
        self,
        branches: Iterable[Step | Sequence[Step]],
        *,
        correlation_id: str | None = None,
        run_id: str | None = None,
        check_joints: bool = True,
    ) -> WorkflowHandle:
        """Send branches that run side by side; each is a step, or a list of steps one after the other.

        The result is the list of the branches' results. Arguments and errors are those of `chain`.
        """
        return self._send_canvas([group(branches)], correlation_id, run_id, check_joints=check_joints)

    def chord(
        self,
        header: Iterable[Step | Sequence[Step]],
        body: Step,
        *,
        correlation_id: str | None = None,
        run_id: str | None = None,
        check_joints: bool = True,
    ) -> WorkflowHandle:
        """Send branches that run side by side, and a step that runs when all of them have succeeded.

        Arguments and errors are those of `chain`.
        """
        return self._send_canvas([group(header), body], correlation_id, run_id, check_joints=check_joints)

    @abstractmethod
    def _send_canvas(
        self, stages: Sequence[Stage], correlation_id: str | None, run_id: str | None, *, check_joints: bool
    ) -> WorkflowHandle: ...
