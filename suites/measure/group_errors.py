"""Errors of a group of processes that computes a call together."""

from __future__ import annotations

from suites.records.record import Cause, Status


class GroupError(Exception):
    """A rank raised an exception, or the group ended; the message names the rank.

    status, cause  of the record
    ended          whether the processes are gone: the call was no refusal of a size
    """

    def __init__(
        self,
        message: str,
        status: Status = "failed",
        cause: Cause = "exception",
        *,
        ended: bool = False,
    ) -> None:
        super().__init__(message)
        self.status, self.cause, self.ended = status, cause, ended
