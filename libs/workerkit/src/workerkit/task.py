"""The base class of every task: checks the payload, decides what is retried, gives back JSON."""

from typing import Any, ClassVar

from celery import Celery, Task

from workerkit.contract import Contract
from workerkit.coroutines import adapt, find_by_context
from workerkit.errors import PermanentError, TransientError
from workerkit.idempotency import run_once
from workerkit.queue_wait import check_limit
from workerkit.rate_limit import per_second


class WorkerTask(Task):  # type: ignore[type-arg]  # the signature differs from task to task
    """A task with a contract and a retry policy; `@app.task` makes one.

    A `TransientError` is retried up to `max_retries` times, about 20 minutes in all; a `PermanentError` is not
    retried; any other exception is a bug, which a few more attempts show to be a passing or a lasting one.
    """

    Request = "workerkit.request:Request"
    Strategy = "workerkit.strategy:strategy"
    autoretry_for = (Exception,)
    dont_autoretry_for = (PermanentError,)
    retry_backoff = 1  # seconds before the first retry, doubled each time ...
    retry_backoff_max = 300  # ... up to this
    retry_jitter = True  # a random part of it, so that what failed together does not return together
    max_retries = 15
    max_retries_of_a_bug: ClassVar[int] = 3
    idempotent: ClassVar[bool] = False  # True: a call without an idempotency key has its task's id for one
    idempotency_seconds: ClassVar[float] = 86_400  # how long a key's result is kept for calls that repeat it
    global_rate_limit: ClassVar[str | None] = None  # over all workers, as in "100/m"; Celery's rate_limit is for one
    max_queue_wait: ClassVar[float | None] = None  # seconds; a message that waited longer becomes a dead letter
    contract: ClassVar[Contract | None] = None
    is_coroutine: ClassVar[bool] = False

    @classmethod
    def on_bound(cls, app: Celery) -> None:  # noqa: ARG003  - Celery's signature
        """Make the contract when the task is defined, so that an untyped parameter or a wrong limit stops the boot."""
        if cls.global_rate_limit is not None:
            per_second(cls.name, cls.global_rate_limit)
        if cls.max_queue_wait is not None:
            check_limit(cls.name, cls.max_queue_wait)
        if not cls.name.startswith("celery."):
            run = cls.__dict__["run"]
            plain = isinstance(run, staticmethod)
            cls.contract = Contract.of(cls.name, run.__func__ if plain else run, bound=not plain)
            if adapt(cls):  # the second time, when the application is finalized, nothing is left to do
                cls.is_coroutine = True
                find_by_context(cls)

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Run the task on a checked payload.

        Raises:
            InvalidPayload: the payload does not fit the signature; not retried, because the check comes before
                the part that Celery wraps with retries.
        """
        if self.contract is None:
            return super().__call__(*args, **kwargs)
        contract, run, arguments = self.contract, super().__call__, self.contract.arguments(args, kwargs)
        return run_once(self, lambda: contract.dump(run(**arguments)))

    def retry(self, *args: Any, **options: Any) -> Any:
        """Retry as Celery does, but a bug less often than the outside world."""
        error = options.get("exc")
        if error is not None and not isinstance(error, TransientError):
            limit = self.max_retries_of_a_bug
            options.setdefault("max_retries", limit if self.max_retries is None else min(limit, self.max_retries))
        return super().retry(*args, **options)
