#!/usr/bin/env python3
"""The metrics of a running door, as promtool, node_exporter and Prometheus see them: run.py PROGRAM."""

import json
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "web")]
import floods
import parts

RULES, RULE_TESTS, DASHBOARD = "docs/monitoring/alerts.yml", "tests/metrics/alerts-test.yml", "docs/monitoring/dashboard.json"
# From the moment at which a bare face is shown; the daemon needs two looks that are 0.4 s apart, and this one is not optimised.
ALERTED_WITHIN = 5
# What stands for the variables of the dashboard.
VARIABLES = {"$door": ".*", "$__rate_interval": "30s", "$__range": "5m"}
# Metrics that only some boards have.
OF_BOARDS = ("maskwatch_temperature_celsius", "maskwatch_board_limited")


class Table:
    """What was shown, and whether it held."""

    def __init__(self):
        self.rows = []

    def note(self, what, holds, told=""):
        self.rows.append((what, bool(holds), str(told)))
        print(f"{'ok  ' if holds else 'FAIL'} {what}{f': {told}' if told else ''}", flush=True)

    def finish(self):
        width = max(len(what) for what, _, _ in self.rows)
        print()
        for what, holds, told in self.rows:
            print(f"{what:<{width}}  {'ok' if holds else 'FAILED':<6}  {told[:90]}")
        failed = sum(not holds for _, holds, _ in self.rows)
        print(f"{len(self.rows) - failed} passed, {failed} failed")
        return failed


def promtool(*arguments, text=None):
    """Whether promtool finds nothing, and what it says."""
    ended = subprocess.run(["promtool", *arguments], input=text, text=True, capture_output=True)
    said = f"{ended.stdout}{ended.stderr}".strip()
    return ended.returncode == 0 and (text is None or not said), said.replace("\n", " ")


def read(table, door):
    """The text itself."""
    table.note("the daemon answers by HTTP", parts.until(door.answers))
    text, headers = parts.get(door.address)
    table.note("its type is that of the format", headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8", headers["Content-Type"])
    clean, said = promtool("check", "metrics", text=text)
    table.note("promtool check metrics, by HTTP", clean, said or f"{len(text)} bytes, nothing found")
    table.note("the file is written", parts.until(door.file.exists))
    text = door.file.read_text()
    clean, said = promtool("check", "metrics", text=text)
    table.note("promtool check metrics, the file", clean, said or f"{text.count(chr(10))} lines, nothing found")
    table.note("promtool check rules", *promtool("check", "rules", RULES))
    table.note("promtool test rules", *promtool("test", "rules", RULE_TESTS))


def scraped(table, prometheus):
    """Both ways into Prometheus say the same of the same door."""
    for job in ("maskwatch", "node"):
        table.note(f"Prometheus scrapes the job {job}", parts.until(lambda: prometheus.value(f'up{{job="{job}"}}') == 1))
        names = {labels["door"] for labels, _ in prometheus.query(f'maskwatch_build_info{{job="{job}"}}') or []}
        table.note(f"the door has its name in the job {job}", names == {parts.NAME}, names)
    errors = prometheus.value('node_textfile_scrape_error{job="node"}')
    table.note("node_exporter reads the file without an error", errors == 0, errors)
    rate = parts.until(lambda: prometheus.value('rate(maskwatch_looks_total{job="maskwatch"}[10s])'))
    table.note("looks have a rate", rate, rate)


def complaints(table, exporter, prometheus):
    """What the two programs say against what they are told; node_exporter always warns of a root who runs it."""
    for name, part in (("node_exporter", exporter), ("Prometheus", prometheus)):
        lines = [line for line in part.told().splitlines() if "level=error" in line or "level=warn" in line]
        said = [line for line in lines if "running as root" not in line]
        table.note(f"{name} complains of nothing", not said, said[0] if said else "")


def alerted(table, door, prometheus):
    """A bare person comes while the address is flooded."""
    flood = floods.Flood(door.port, requests=4, slow=4, connects=2, path="/metrics")
    time.sleep(2)
    door.switch.touch()
    begun = time.monotonic()
    said = parts.until(lambda: "alert for person" in door.told(), 30)
    took = time.monotonic() - begun
    rate = flood.stop()
    table.note("a bare person is alerted in a flood", said and took <= ALERTED_WITHIN, f"{took:.1f} s, {rate:.0f} requests a second sent")
    for job in ("maskwatch", "node"):
        counted = lambda: prometheus.value(f'maskwatch_alerts_total{{job="{job}"}}') == door.told().count("alert for person")
        table.note(f"the alerts of the log are those of the job {job}", parts.until(counted), door.told().count("alert for person"))
    shown = parts.until(lambda: prometheus.value('maskwatch_door_state{job="maskwatch", state="alert"}') == 1)
    table.note("the door's state is alert", shown)
    count = prometheus.value('maskwatch_time_to_alert_seconds_count{job="maskwatch"}')
    time_to_alert = prometheus.value('maskwatch_time_to_alert_seconds_sum{job="maskwatch"}')
    table.note("the time to the alert is known", count and 0 < time_to_alert / count < ALERTED_WITHIN, time_to_alert)


def faulty(table, door, prometheus):
    """The camera goes and comes back."""
    kind = '{job="maskwatch", kind="source_away"}'
    before = prometheus.value(f"maskwatch_faults_total{kind}")
    door.away.touch()
    table.note("a camera that goes is a fault", parts.until(lambda: prometheus.value(f"maskwatch_fault{kind}") == 1))
    after = prometheus.value(f"maskwatch_faults_total{kind}")
    table.note("the fault is counted once", before == 0 and after == 1, f"{before}, then {after}")
    table.note("the rule MaskwatchFault fires", parts.until(lambda: prometheus.is_firing("MaskwatchFault")))
    door.away.unlink()
    # The longer it was away, the longer the pauses between two attempts: a minute at most.
    back = parts.until(lambda: prometheus.value('maskwatch_source_reopenings_total{job="maskwatch"}') == 1, 90)
    table.note("the camera's return is counted", back)
    over = parts.until(lambda: prometheus.value(f"maskwatch_fault{kind}") == 0 and not prometheus.is_firing("MaskwatchFault"))
    table.note("the fault and its alert are over", over)


def drawn(table, prometheus):
    """Every expression of the dashboard is asked as Grafana would."""
    board = json.loads(Path(DASHBOARD).read_text())
    asked = [(panel["title"], target["expr"]) for panel in board["panels"] for target in panel["targets"]]
    wrong, empty = [], []
    for title, expression in asked:
        written = expression
        for variable, value in VARIABLES.items():
            written = written.replace(variable, value)
        told = prometheus.query(written)
        if told is None or "$" in written:
            wrong.append(f"{title}: {written}")
        elif not told and not any(metric in expression for metric in OF_BOARDS):
            empty.append(f"{title}: {written}")
    table.note("the dashboard's expressions are understood", asked and not wrong, "; ".join(wrong) or f"{len(asked)} in {len(board['panels'])} panels")
    table.note("they have data", not empty, "; ".join(empty) or f"but for what this machine does not tell: {', '.join(OF_BOARDS)}")


def ended(table, door, prometheus):
    """The door is stopped."""
    code = door.end()
    table.note("the daemon ends well", code == 0, code)
    table.note("its file is gone", not list(door.file.parent.iterdir()))
    table.note("the rule MaskwatchDown fires", parts.until(lambda: prometheus.is_firing("MaskwatchDown")))
    gone = parts.until(lambda: prometheus.query('ALERTS{alertname="MaskwatchGone", alertstate="firing"}'))
    names = {labels["door"] for labels, _ in gone or []}
    table.note("the rule MaskwatchGone fires for the file", names == {parts.NAME}, names)


def main(program):
    """All of it; everything that was started is ended."""
    table, running = Table(), []
    with tempfile.TemporaryDirectory(prefix="maskwatch-metrics-") as name:
        folder = Path(name)
        try:
            running.append(door := parts.Door(program, folder))
            read(table, door)
            running.append(exporter := parts.NodeExporter(folder, door.file.parent))
            running.append(prometheus := parts.Prometheus(folder, door, exporter, RULES))
            scraped(table, prometheus)
            alerted(table, door, prometheus)
            faulty(table, door, prometheus)
            drawn(table, prometheus)
            complaints(table, exporter, prometheus)
            ended(table, door, prometheus)
        except Exception as error:
            table.note("the test goes to its end", False, repr(error))
            traceback.print_exc()
        finally:
            for part in reversed(running):
                part.end()
            failed = table.finish()
            if failed:
                for part in running:
                    print(f"--- {part.log_path.name}\n{part.told()[-3000:]}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
