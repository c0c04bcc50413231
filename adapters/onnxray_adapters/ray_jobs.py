"""Units done by actors of a Ray cluster: ``onnxray audit ... --ray auto``; needs ``pip install onnxray[ray]``.

Models and pictures are read where the actors are: their paths lead to the same files on every node, which each unit
checks by their sha256.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

from onnxray.assess.jobs.executors import Failure, attempt
from onnxray.assess.jobs.pool import Pool, Worker
from onnxray.engines.machine import cores
from onnxray.errors import InputError
from onnxray.errors.short_values import short


class Slot:
    """What runs in an actor."""

    def __init__(self, start: Callable[[], None] | None) -> None:
        if start is not None:
            start()

    def do(self, task: Any, work: Callable[[Any], bytes]) -> bytes | Failure:
        """One task."""
        return attempt(task, work)


@final
class RayWorker(Worker):
    """An actor."""

    def __init__(self, ray: Any, actor: Any) -> None:
        super().__init__()
        self._ray, self._actor = ray, actor
        self.answered: Any = None

    def begin(self, task: Any, work: Callable[[Any], bytes]) -> None:
        """Call it."""
        self.answered = self._actor.do.remote(task, work)

    def answer(self) -> bytes | Failure | None:
        """What the call gave; None where the actor, its node or the call is lost."""
        try:
            found: bytes | Failure = self._ray.get(self.answered)
        except self._ray.exceptions.RayTaskError as error:  # the task does not come through
            return Failure(kind="refused", message=f"Ray: {short(str(error.cause))}")
        except self._ray.exceptions.RayError:
            return None
        return found

    def end(self, *, at_once: bool = False) -> str:  # noqa: ARG002
        """Kill it."""
        self._ray.kill(self._actor)
        return "Ray lost the actor"


@final
class Ray(Pool):
    """So many actors of a cluster. address: ``auto`` for the one of this machine, else where its head is.

    Errors: InputError where ray is not installed, or there is no cluster.
    """

    def __init__(
        self, address: str, count: int, *, timeout: float | None = None, start: Callable[[], None] | None = None
    ) -> None:
        super().__init__(count, timeout)
        try:
            import ray
        except ImportError:
            raise InputError("--ray needs the package ray: pip install onnxray[ray]") from None
        self._ray, self._address, self._start = ray, address, start
        if not ray.is_initialized():
            try:
                ray.init(address=address, log_to_driver=False, logging_level="ERROR")
            except (ConnectionError, ValueError, RuntimeError, OSError) as error:
                said = str(error).partition("\n")[0]
                raise InputError(
                    f"no Ray cluster at {short(address)} ({said}); start one by `ray start --head`, or give its address"
                ) from None

    def described(self) -> str:
        """What it is, in words."""
        return f"Ray, {self.count} actor{'s' if self.count > 1 else ''}"

    def started(self) -> Worker:
        """A new actor. Ray would give torch one thread, and float sums depend on how many there are."""
        environment = {"env_vars": {"OMP_NUM_THREADS": str(cores()), "OMP_WAIT_POLICY": "passive"}}
        actor = self._ray.remote(Slot).options(num_cpus=1, max_restarts=0, runtime_env=environment)
        return RayWorker(self._ray, actor.remote(self._start))

    def ready(self, busy: Sequence[Worker], seconds: float | None) -> list[Worker]:
        """Those whose calls have ended."""
        calls = {worker.answered: worker for worker in busy if isinstance(worker, RayWorker)}
        done, _ = self._ray.wait(list(calls), num_returns=1, timeout=seconds)
        return [calls[call] for call in done]
