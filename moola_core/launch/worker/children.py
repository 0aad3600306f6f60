"""The runs that a run is made of: carried out, and found again when it is resumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from moola_core.errors import MoolaError, RunError
from moola_core.launch.worker.relay import ProgressCallback
from moola_core.runs.store import Run, Store
from moola_core.specs import Pretrain, SpecModel, spec_hash

Execute = Callable[[Run, ProgressCallback | None], None]


class Children:
    """The runs of a study or a plan by what they are for; the record keeps their ids, so that an interrupted study finds them again."""

    def __init__(self, run: Run, listen: ProgressCallback | None, execute: Execute, title: str) -> None:
        self.run, self.listen, self.execute, self.title = run, listen, execute, title
        self.store = Store(run.store_root)
        self.failed: dict[str, MoolaError] = {}  # by the run's id, of those that were carried out beside others

    def get(self, what: str, spec: SpecModel, name: str) -> Run:
        """The run called `what`, carried out."""
        return self.done(self.child(what, spec, name))

    def encoder_of(self, spec: Pretrain) -> Run:
        """The run that pre-trains as `spec` says; arms with the same one share it."""
        return self.child(self.encoder(spec), spec, f"{self.title}: encoder")

    @staticmethod
    def encoder(spec: Pretrain) -> str:
        """What the run that pre-trains as `spec` says is called."""
        return f"encoder {spec_hash(spec)[:12]}"

    def is_over(self, what: str) -> bool:
        """Whether there is nothing to do here for the run called `what`: it is done, or the cluster's."""
        known = self.run.record.facts.children.get(what)
        record = self.store.open(known).record if known else None
        return record is not None and (record.state == "done" or bool(record.queue.get("job")))

    def child(self, what: str, spec: SpecModel, name: str) -> Run:
        """The run called `what`, made if there is none."""
        known = self.run.record.facts.children
        if what in known:
            return self.store.open(known[what])
        child = self.store.create(spec, name=name, parent=self.run.id)
        self.run.update(facts=replace(self.run.record.facts, children={**known, what: child.id}))
        return child

    def done(self, child: Run) -> Run:
        """The run, carried out."""
        if child.id in self.failed:
            raise self.failed[child.id]
        record = child.record
        if record.state != "done" and record.queue.get("job"):  # it had its turn on the cluster
            raise RunError(record.error or f"is {record.state}.", where=f"run {child.id}", hint="See its log.")
        if record.state != "done":
            self.execute(child, self.listen)
        return child
