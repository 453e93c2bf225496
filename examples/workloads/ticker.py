"""Writes a line every few seconds until it is asked to stop."""

import argparse
import signal
import sys
import threading

parser = argparse.ArgumentParser()
parser.add_argument("--every", type=float, default=5.0)
every = parser.parse_args().every

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
count = 0
while not stop.wait(every):
    count += 1
    print(f"tick {count}", flush=True)
print("stopped", flush=True)
sys.exit(0)
