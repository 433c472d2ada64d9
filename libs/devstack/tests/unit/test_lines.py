"""What is still being written is not taken for a line."""

from pathlib import Path

from devstack.lines import whole_lines
from devstack.process import ManagedProcess


def test_a_line_without_its_end_is_left_for_later(tmp_path: Path):
    file = tmp_path / "log"
    assert whole_lines(file) == []
    file.write_text('{"event":"a"}\nTraceback\n{"event":"b')
    process = ManagedProcess("any", ["true"], log=file)
    assert whole_lines(file) == ['{"event":"a"}', "Traceback"]
    assert process.records() == [{"event": "a"}]
    with file.open("a") as more:
        more.write('c"}\n')
    assert process.records() == [{"event": "a"}, {"event": "bc"}]
