"""The output of a device's selftest: lines while it goes on, a summary, and a file to send."""

from __future__ import annotations

from dataclasses import dataclass, field

from reports.outputs.export import device_test_data
from reports.outputs.folder import RESULTS
from reports.outputs.terminal import device_steps
from reports.outputs.terminal.console import console, print_json, print_text
from suites.calibrate.device.conduct import STOPPED, Machine, Result


@dataclass(slots=True)
class DeviceTest:
    """Prints each result as its step ends, and keeps all of them in one file.

    as_json  print the file's data at the end, and nothing else
    """

    machine: Machine
    started: str
    command: str
    as_json: bool = False
    results: list[Result] = field(default_factory=list)

    def show(self, result: Result) -> None:
        """A step ended; the file then has its result, too."""
        self.results.append(result)
        self._write()
        if not self.as_json:
            print_text(device_steps.line(result), console())

    def end(self) -> int:
        """Print the summary; the exit status: 1 when a step failed, or the test was stopped."""
        file = self._write()
        if self.as_json:
            print_json(self._data)
        else:
            for each in device_steps.summary(self.results, str(file)):
                print_text(each, console())
        return int(any(x.status == "FAILED" or x.fault == STOPPED for x in self.results))

    @property
    def _data(self) -> dict[str, object]:
        return device_test_data.of_device_test(
            self.machine, self.results, self.started, self.command
        )

    def _write(self) -> str:
        return str(device_test_data.write(self._data, RESULTS))
