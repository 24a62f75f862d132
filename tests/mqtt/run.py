#!/usr/bin/env python3
"""The daemon and a real mosquitto: what is told, what survives, what is refused. tests/mqtt/run.sh starts it."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import jinja2
import jsonschema
from broker import DOORS, Broker, Watcher, free_port, wait_for
from door import Door

HERE = Path(__file__).resolve().parent
results = []


def check(what, passed, told=""):
    results.append(passed)
    print(f"{'ok  ' if passed else 'FAIL'}  {what}{f': {told}' if told != '' else ''}")


def credentials(folder, password=DOORS["north"]):
    path = folder / "credentials"
    path.write_text(f'user = "north"\npassword = "{password}"\n')
    path.chmod(0o600)
    return path


def keys(broker, folder, *more, **given):
    values = {"credentials": given.get("credentials") or credentials(folder), "ca": broker.folder / f"{given.get('ca', 'ca')}.pem",
              "door": "north"}
    lines = [f'{key} = "{value}"' for key, value in values.items()]
    return "\n".join([*lines, *more]) + "\n"


def last_state(watcher, since=0):
    states = watcher.of("/north/state", since)
    return json.loads(states[-1]["payload"]) if states else {}


def same(events, heard):
    """Whether the broker was told just what the local socket was."""
    plain = [{key: value for key, value in event.items() if key not in ("number", "door", "time")} for event in events]
    return plain == heard


def deduplicated(events):
    seen, kept = set(), []
    for event in events:
        if event["number"] not in seen:
            kept.append(event)
            seen.add(event["number"])
    return kept


def told(broker, door, watcher):
    """What the broker hears of an alert, and of the orders that it gives."""
    allowed = 'allow = ["silence", "pause", "resume"]'
    door.start(f"mqtts://localhost:{broker.port}", keys(broker, door.folder, allowed))
    wait_for("the log tells of the broker", lambda: "is told of the door north" in door.text(), 60)
    began, file = time.monotonic(), door.folder / "state/mqtt.events"
    written = file.stat().st_mtime_ns
    wait_for("an alert", lambda: any(event["type"] == "alert" for event in watcher.events()), 60)
    check("an alert is an event, over TLS with a password", True, f"after {time.monotonic() - began:.1f} s")
    wait_for("the state alert", lambda: last_state(watcher).get("state") == "alert")
    check("the state is retained", json.loads(broker.retained("maskwatch/north/state"))["type"] == "state")
    check("availability is retained", broker.retained("maskwatch/north/availability") == "online")
    discovery = json.loads(broker.retained("homeassistant/device/maskwatch_north/config"))
    schema = json.loads((HERE / "home-assistant.schema.json").read_text())
    problems = [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(discovery)]
    check("Home Assistant is told by its schema", not problems, problems or f"{len(discovery['components'])} entities")
    ids = [component["unique_id"] for component in discovery["components"].values()]
    check("each entity has an id of its own", len(set(ids)) == len(ids))
    figures = lambda: [json.loads(message["payload"]) for message in watcher.of("/north/stats")]
    stats = wait_for("figures of looks", lambda: [stats for stats in figures() if stats["looks"]])[0]
    check("figures come", stats["counts"]["alerts"] == 1, f"{stats['looks_per_second']} looks a second")
    messages = {topic: json.loads(watcher.of(f"/north/{topic}")[-1]["payload"]) for topic in ("state", "stats")}
    shown = {key: jinja2.Template(component["value_template"]).render(value_json=messages[component["state_topic"][16:]])
             for key, component in discovery["components"].items() if "value_template" in component}
    check("Home Assistant's templates find the values", (shown["alert"], shown["alerts"]) == ("ON", "1") and "" not in shown.values(),
          ", ".join(f"{key} {value}" for key, value in shown.items()))
    template = jinja2.Template(discovery["components"]["people"]["value_template"])
    check("counts that are not told are no number", template.render(value_json={}) == "None")

    config, since = door.folder / "maskwatch.toml", len(watcher.messages)
    config.write_text(config.read_text().replace("stats_seconds = 5", "stats_seconds = 6"))
    door.process.send_signal(signal.SIGHUP)
    state = wait_for("the state after a reload", lambda: last_state(watcher, since), 20)
    check("after a reload the state is still that of the door", state["state"] == "alert", state["status"][:10])
    since = len(watcher.messages)
    broker.publish("homeassistant/status", "online")
    wait_for("discovery again", lambda: watcher.of("/maskwatch_north/config", since), 10)
    check("Home Assistant's birth is answered", True)
    since = len(watcher.messages)
    broker.publish("maskwatch/north/cmd", '{"command":"silence","seconds":30}')
    answer = json.loads(wait_for("an answer", lambda: watcher.of("/answer", since))[0]["payload"])
    state = wait_for("silence", lambda: "silent" in last_state(watcher, since))
    check("an order that is allowed is followed", answer["ok"] and state, answer)
    for what, payload, more, part in [
        ("one that is not is refused", '{"command":"test","state":"pass","seconds":1}', [], "does not follow test"),
        ("nonsense is refused", "reboot", [], "is not a command"),
    ]:
        since = len(watcher.messages)
        broker.publish("maskwatch/north/cmd", payload, *more)
        answer = json.loads(wait_for("an answer", lambda: watcher.of("/answer", since))[0]["payload"])
        check(what, not answer["ok"] and part in answer["error"], answer["error"])
    check("while the broker is there, nothing is written", file.stat().st_mtime_ns == written, f"{len(watcher.events())} events")
    door.stop()
    counted = figures()[-1]["counts"]
    check("the goodbye is retained", broker.retained("maskwatch/north/availability") == "offline")

    broker.publish("maskwatch/north/cmd", '{"command":"pause"}', "-r")
    since = len(watcher.messages)
    door.start(f"mqtts://localhost:{broker.mutual_port}", keys(
        broker, door.folder, allowed, f'certificate = "{broker.folder}/door.pem"', f'key = "{broker.folder}/door.key"'))
    again = json.loads(wait_for("figures", lambda: watcher.of("/north/stats", since), 60)[0]["payload"])
    goes_on = again["counts"]["alerts"] >= 1 and all(again["counts"][key] >= count for key, count in counted.items())
    check("counts of the day go on after a restart", goes_on, f"{again['day']}: {again['counts']}")
    answer = json.loads(wait_for("an answer", lambda: watcher.of("/answer", since), 60)[0]["payload"])
    check("a retained order is refused, and a certificate of the door is taken", "retain" in answer.get("error", ""), answer["error"])
    broker.publish("maskwatch/north/cmd", None, "-r")
    door.stop(signal.SIGKILL)
    wait_for("the last will", lambda: broker.retained("maskwatch/north/availability") == "offline", 60)
    check("a killed door is offline by its last will", True)


def survives(broker, door, watcher):
    """Events while the broker is killed, the daemon is killed, and both come back."""
    since = len(watcher.messages)
    door.start(f"mqtts://localhost:{broker.port}", keys(broker, door.folder))
    wait_for("an alert", lambda: any(event["type"] == "alert" for event in watcher.events(since)), 60)
    door.watch()
    # What happened before the local watcher came is not compared.
    door.hide(True)
    first = wait_for("events of the local watcher", lambda: door.heard)[0]
    door.hide(False)

    written = (door.folder / "state/mqtt.events").stat().st_mtime_ns
    broker.stop(signal.SIGKILL)
    for _ in range(3):
        door.hide(True)
        time.sleep(1.2)
        door.hide(False)
        time.sleep(1.5)
    check("while the broker is away, events are on the disk", (door.folder / "state/mqtt.events").stat().st_mtime_ns > written)
    time.sleep(1)
    count = len(door.heard)
    door.stop(signal.SIGKILL)
    heard = list(door.heard[:count])
    with open(door.folder / "state/mqtt.events", "ab") as damaged:
        damaged.write(b"x" * 70_000 + b"\n\0\n")

    door.start(f"mqtts://localhost:{broker.port}", keys(broker, door.folder))
    wait_for("the socket", lambda: door.order("state").returncode == 0)
    door.watch()
    door.hide(True)
    wait_for("a fault", lambda: any(message["type"] == "fault" for message in door.heard))
    door.hide(False)
    wait_for("its end", lambda: any(message["type"] == "recovered" for message in door.heard))
    second = door.heard[0]
    # It would come back by itself, in its own time.
    watcher.stop()
    broker.start()
    watcher.start()
    wait_for("the broker is told again", lambda: "events first" in door.text(), 90)
    wait_for("an alert", lambda: any(message["type"] == "alert" for message in door.heard))
    time.sleep(1)
    again = list(door.heard)
    door.stop()

    def has_arrived(message):
        return any((event["type"], event["at"]) == (message["type"], message["at"]) for event in watcher.events(since))

    wait_for("the last event", lambda: has_arrived(again[-1]))
    events = deduplicated(watcher.events(since))
    numbers = [event["number"] for event in events]
    check("numbers only grow, over kills of both", numbers == sorted(numbers), f"{len(numbers)} events")

    def part(first, last):
        plain = [(event["type"], event["at"]) for event in events]
        begin = next((index for index, event in enumerate(plain) if event == (first["type"], first["at"])), None)
        return [] if begin is None else events[begin:begin + last]

    check("all that the local socket heard before the kill arrived, in order", same(part(first, len(heard)), heard),
          f"{len(heard)} events, the daemon and the broker killed between")
    check("and all after it", same(part(second, len(again)), again), f"{len(again)} events")
    check("damaged lines hold up nothing, and are told", "2 events were damaged on the disk" in door.text())
    check("the file of events is empty again", "events first" in door.text())


def refused(broker, door):
    """What is said where the broker cannot be told."""
    for what, password, given, part in [
        ("a wrong password", "wrong", {}, "refuses the user or password"),
        ("another authority", DOORS["north"], {"ca": "other"}, "cannot be trusted"),
        ("a missing file", "", {"credentials": "/nowhere/mqtt.toml"}, "/nowhere/mqtt.toml cannot be read"),
    ]:
        before = len(door.text())
        more = keys(broker, door.folder, **{"credentials": credentials(door.folder, password), **given})
        door.start(f"mqtts://localhost:{broker.port}", more)
        wait_for(what, lambda: part in door.text()[before:], 60)
        line = next(line for line in door.text()[before:].splitlines() if part in line)
        check(f"{what} is told", DOORS["north"] not in door.text(), line.split("] ", 1)[-1])
        door.stop()


def alert_time(door):
    """Seconds from a face that appears to its alert, as the log has it."""
    door.leave(True)
    wait_for("nobody", lambda: door.text().rsplit("door: ", 1)[-1].startswith("idle"))
    # Who comes back at once is the same person, who has raised an alert already.
    time.sleep(2)
    before, began = door.text().count("alert for person"), time.monotonic()
    door.leave(False)
    wait_for("an alert", lambda: door.text().count("alert for person") > before)
    return time.monotonic() - began


def attacked(broker, door, watcher):
    """A bare person is alerted in time, whatever comes from the network."""
    door.start(f"mqtts://localhost:{broker.port}", keys(broker, door.folder, 'allow = ["silence"]'))
    wait_for("an alert", lambda: "alert for person" in door.text(), 60)
    calm = alert_time(door)
    ending = threading.Event()

    def flood():
        lines = "\n".join(["reboot"] * 10_000) + "\n"
        while not ending.is_set():
            command = ["mosquitto_pub", *broker.options(), "-q", "0", "-t", "maskwatch/north/cmd", "-l"]
            subprocess.run(command, input=lines.encode(), check=False)
            broker.publish("maskwatch/north/cmd", "x" * 1_000_000)
            # Mosquitto itself refuses a topic of so many levels.
            subprocess.run(["mosquitto_pub", *broker.options(), "-t", "maskwatch/north/" + "a/" * 15_000, "-m", "x"],
                           check=False, capture_output=True)

    thread = threading.Thread(target=flood)
    thread.start()
    time.sleep(1)
    flooded = alert_time(door)
    ending.set()
    thread.join()
    check("under a flood of orders and messages of 1 MB a bare person is alerted in time", flooded < calm + 1.5,
          f"{flooded:.1f} s, {calm:.1f} s without")
    door.stop()

    for what, answer in [("nonsense", os.urandom(4096)), ("a length without an end", b"\x20\xff\xff\xff\xff\xff" * 100),
                         ("an acceptance and then 1 MB", b"\x20\x02\x00\x00\x30\x80\x80\x40" + b"x" * (1 << 20)), ("silence", b"")]:
        server = socket.create_server(("127.0.0.1", free_port()))
        held = []

        def serve():
            try:
                while True:
                    connection = server.accept()[0]
                    held.append(connection)
                    connection.sendall(answer)
            except OSError:
                pass

        threading.Thread(target=serve, daemon=True).start()
        door.start(f"mqtt://127.0.0.1:{server.getsockname()[1]}", 'door = "north"\n')
        before = door.text().count("alert for person")
        wait_for("an alert", lambda: door.text().count("alert for person") > before, 60)
        nonsense = alert_time(door)
        check(f"with a broker that answers {what} too", nonsense < calm + 1.5, f"{nonsense:.1f} s")
        door.stop()
        server.close()
        for connection in held:
            connection.close()


def main():
    program = Path(sys.argv[1]).resolve()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chmod(folder, 0o755)
        (folder / "broker").mkdir()
        broker = Broker(folder / "broker")
        door = Door(program, folder / "door", broker)
        watcher = None
        try:
            broker.start()
            watcher = Watcher(broker)
            time.sleep(1)
            told(broker, door, watcher)
            survives(broker, door, watcher)
            refused(broker, door)
            attacked(broker, door, watcher)
        except AssertionError as problem:
            check(str(problem), False)
            print(f"the daemon said:\n{door.text()[-3000:]}")
        finally:
            door.stop(signal.SIGKILL)
            if watcher:
                watcher.stop()
            broker.stop(signal.SIGKILL)
    failed = results.count(False)
    print(f"{len(results) - failed} passed, {failed} failed, {time.monotonic() - began:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
