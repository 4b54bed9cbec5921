"""What a figure was measured on, said the same way by every bench."""
import time

from src_mindspore import runtime


def machine_and_day():
    """Return one line: processor, cores that may be used, and today's date."""
    return (f"{runtime.describe()['processor']}, {runtime.usable_cores()} cores, "
            + time.strftime("%Y-%m-%d"))
