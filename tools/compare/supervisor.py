"""Runs the worker, and goes on without the row that kills it.

A kernel that faults or never ends takes its process along. Its row is noted, and a new process measures
the rows after it.
"""

import json
import pathlib
import selectors
import subprocess
import sys
import time

WORKER = pathlib.Path(__file__).with_name("worker.py")


class Supervisor:
    """options: what worker.py wants, with row_seconds, the longest that a row may take."""

    def __init__(self, options, report):
        self.options, self.report = options, report
        self.facts, self.problems = {}, {}

    def run(self, jobs):
        """Measures all jobs; report(row) is called for each as it is done."""
        first = 0
        while first < len(jobs):
            first += self._serve(jobs[first:])

    def _serve(self, jobs):
        """One process: how many of the jobs are done with, well or badly."""
        worker = subprocess.Popen(
            [sys.executable, str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        done, running = 0, None
        try:
            json.dump({"jobs": jobs, "options": self.options}, worker.stdin)
            worker.stdin.close()
            for event in self._events(worker):
                if "facts" in event:
                    self.facts = event["facts"]
                elif "problems" in event:
                    self.problems = event["problems"]
                elif "begin" in event:
                    running = event["begin"]
                elif "row" in event:
                    done, running = event["number"] + 1, None
                    self.report(event["row"])
            status = worker.wait()
        except TimeoutError:
            status = "took longer than allowed"
        finally:
            end(worker)
        if status == 0:
            if done < len(jobs):  # the deadline
                for job in jobs[done:]:
                    self.report({**job, "error": None, "skipped": "no time left"})
            return len(jobs)
        if running is None and done == 0:
            raise RuntimeError(f"the worker did not begin ({status}); see its messages above")
        if running is None:  # it died between two rows: the last one's doing
            return done
        reason = status if isinstance(status, str) else f"ended the process with status {status}"
        self.report({**jobs[running], "error": reason})
        return running + 1

    def _events(self, worker):
        """Lines of the worker as they come; TimeoutError when one takes too long."""
        with selectors.DefaultSelector() as selector:
            selector.register(worker.stdout, selectors.EVENT_READ)
            pending = b""
            while True:
                if not selector.select(self.options["row_seconds"]):
                    raise TimeoutError
                data = worker.stdout.buffer.raw.read(1 << 16)
                if not data:
                    return
                *lines, pending = (pending + data).split(b"\n")
                yield from (json.loads(line) for line in lines)


def end(worker):
    """A process whose kernel hangs may not go at once; it is not waited for long."""
    worker.kill()
    try:
        worker.wait(30)
    except subprocess.TimeoutExpired:
        pass


def deadline(seconds):
    return time.time() + seconds
