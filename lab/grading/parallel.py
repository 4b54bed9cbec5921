"""All hand-ins, several at once; whatever is finished is kept."""
import queue
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed

from tqdm import tqdm

from lab.grading.record import record_of
from lab.grading.session import LaunchFailed
from src_mindspore.errors import LabError
from src_mindspore.files import write_json


def grade_all(submissions, photos, protection, limits, folder, jobs, again=False, progress=True):
    """Ask all hand-ins, or take up what is known of them.

    Args:
        submissions: list of Submission.
        photos: HiddenPhotos.
        protection, limits: Protection, Limits.
        folder: Path; one JSON file for each hand-in, written as soon as it is finished.
        jobs: int, how many at once.
        again: bool, ask even where an earlier record has the same key.
        progress: bool.

    Returns:
        list of records in the order of `submissions`.

    Raises:
        LabError: the machine, not a hand-in, failed. What is finished is kept.
    """
    stop, slots = threading.Event(), queue.SimpleQueue()
    for slot in range(jobs):
        slots.put(slot)

    def grade(submission):
        path, slot = folder / f"{submission.file_name}.json", slots.get()
        try:
            record = record_of(submission, photos, protection, limits, slot, stop,
                               None if again else path)
        finally:
            slots.put(slot)
        write_json(path, record)
        return record

    with ThreadPoolExecutor(jobs) as pool, \
            tqdm(total=len(submissions), desc="grade", unit="hand-in", disable=not progress) as bar:
        futures = [pool.submit(grade, submission) for submission in submissions]
        try:
            for future in as_completed(futures):
                future.result()
                bar.update()
        except BaseException as error:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            if isinstance(error, LaunchFailed):
                raise LabError(f"A hand-in could not be started: {error}. This is this machine's "
                               "fault, not the hand-in's; nothing is graded wrong. Mend it and run "
                               "the same command again.") from error
            raise
    return [future.result() for future in futures]
