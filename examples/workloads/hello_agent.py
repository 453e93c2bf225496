"""Looks at this machine and says hello."""

import os
import platform
import time

load = os.getloadavg()[0]
print(f"hello from {platform.node()} at {time.strftime('%H:%M:%S')}, load {load:.2f}")
