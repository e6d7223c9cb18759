"""The domain: books and their text, conversations, persistence, events and settings.

Importing it switches off, for this process and those that it starts, what libraries would tell
their makers: ONNX Runtime keeps a number for each computer and reports its use, and the hub's
library reports what it is used for. Both look at the environment when they are imported.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
