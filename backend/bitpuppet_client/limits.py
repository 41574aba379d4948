"""The protocol's version and limits. Both sides know them; a server may tell lower ones in its `welcome`."""

from __future__ import annotations

PROTOCOL = 2
"""Grows with every change that an older side would not understand."""

MAX_HEADER_BYTES = 64 << 10
MAX_PARTS = 256
"""Payload frames of one message."""
MAX_PIXELS = 32_000_000
"""Of all pictures of one message together; the command line's limit for one file."""
MAX_PART_BYTES = 4 * MAX_PIXELS
MAX_MESSAGE_BYTES = MAX_PART_BYTES
"""All payload frames of one message together."""
MAX_VIDEO_BYTES = MAX_MESSAGE_BYTES
"""Of a video file that is sent whole."""
MAX_FRAMES = 4096
"""Frames of one strip."""
MAX_SIDE = 16_384
"""Width or height of one frame in pixels."""
MAX_COLOURS = 256
"""Of a palette."""
MAX_TOKENS = 4096
"""Motion groups of one frame, or content tokens of one character."""

MAX_REQUEST = 2**53 - 1
"""Largest whole number that every JSON reader keeps exactly."""
MAX_SEED = 2**63 - 1
"""Sent as a JSON number: a language that reads those as doubles should stay below MAX_REQUEST."""
MAX_STEPS = 100
MAX_VARIATIONS = 16
MAX_MINUTES = 7 * 24 * 60
MAX_TRAINING_STEPS = 10_000_000
MAX_PRIORITY = 9
DEFAULT_PRIORITY = 5
MAX_JOBS_PER_MESSAGE = 32
"""So that a page of statuses, each with the longest error text, fits into one header."""
MAX_KINDS = 64
"""Kinds of jobs that a server tells of; a client need not know them all."""
MAX_MODELS = 64
"""Models, and character sets, that a server tells of."""
MAX_CARDS_PER_MESSAGE = 8
MAX_CARD_FACTS = 24
MAX_FACT_BYTES = 96
"""Of a text in a model's card, as UTF-8."""
MAX_REPORT_KEYS = 64
MAX_REPORT_LIST = 64
MAX_TEXT_BYTES = 512
"""Of a message for people, as UTF-8."""
MAX_NAME_CHARACTERS = 64

WATCH_LEASE_SECONDS = 30.0
"""How long the server tells a connection about a job after the last `watch` or `submit` that named it."""
HEARTBEAT_SECONDS = 2.0
"""How often a client repeats its `watch`."""
REPLY_SECONDS = 5.0
"""How long a client waits for a reply before it takes the backend for gone."""
TRANSFER_SECONDS = 60.0
"""The same for a reply with pictures."""
SLOWEST_BYTES_PER_SECOND = 1_000_000
"""Of a network on which sending pictures does not count as silence."""

MAX_ENDPOINT_FILE_BYTES = 16 << 10
