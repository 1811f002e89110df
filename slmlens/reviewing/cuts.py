"""Other cuts of the log under review: tried from a few settings, remembered, and kept for the run or left again."""

from __future__ import annotations

from slmlens.results import Tasks
from slmlens.reviewing.session import Change, Folder, ReviewSession
from slmlens.tasks.cut import EARLIER, FACT, FOLLOWS, Cut, cut_as_followed, cut_of
from slmlens.tasks.discover import discover_tasks
from slmlens.tasks.lineage import with_earlier_ids
from slmlens.tasks.taskset_json import load_task_set


class Cuts:
    """The cuts that were tried in one review. A cut is found once; coming back to it costs nothing.

    :param session: The review whose tasks are cut anew.
    :param tasks: The tasks it began with.
    :param run: The run that keeps a cut; None: a cut is kept for this review alone.
    """

    def __init__(self, session: ReviewSession, tasks: Tasks, run: Folder | None = None) -> None:
        self._session = session
        self._run = run
        self.kept = cut_of({} if run is None else run.manifest)
        self.shown = self.kept
        self._found: dict[Cut, Tasks] = {self.kept: tasks.found or tasks}

    def is_known(self, cut: Cut) -> bool:
        """Tell whether the cut was found before."""
        return cut in self._found

    def take(self, cut: Cut) -> Change:
        """Show the tasks of another cut, the decisions replayed over them. Nothing is written.

        :returns: The figures before and after, and the decisions that don't hold on this cut.
        """
        if cut not in self._found:
            self._found[cut] = self._find(cut)
        change = self._session.recut(self._found[cut], trial=cut != self.kept)
        self.shown = cut
        return change

    def keep(self) -> str:
        """Make the cut that is shown the cut of the run, which is analysed so from now on.

        :returns: What was done, in a sentence.
        """
        self.kept = self.shown
        self._session.recut(self._found[self.shown], trial=False)
        if self._run is None:
            return "This cut is kept for this review alone: no run was given."
        self._run.note(**{FACT: self.kept.record()})
        self._run.reopen("tasks")
        return f"This cut is kept for the run ({self.kept.words()}); its report follows when the analysis is run again."

    def _find(self, cut: Cut) -> Tasks:
        """Find the tasks of a cut as the run would: under the ids of the run that it follows, and along its trees."""
        calls, run = self._session.tasks.calls, self._run
        if run is None or FOLLOWS not in run.manifest or not run.path(EARLIER).is_file():
            return discover_tasks(calls, settings=cut.settings())
        earlier = load_task_set(run.path(EARLIER).read_text(encoding="utf-8"), where=EARLIER)
        along = earlier if cut_as_followed({**run.manifest, FACT: cut.record()}) else None
        return with_earlier_ids(discover_tasks(calls, settings=cut.settings(), earlier=along), earlier)
