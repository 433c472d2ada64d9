"""The Lua scripts: each is one atomic step, and all that the transport changes in Redis happens in one of them."""

import hashlib
from dataclasses import dataclass
from importlib import resources

from taskclient.letters import BURY_LUA
from taskclient.parked import PARKED_LUA


@dataclass(frozen=True)
class Script:
    """A script's text and the digest by which Redis knows it."""

    text: str
    sha: str

    @classmethod
    def load(cls, name: str) -> "Script":
        """Read `lua/<name>.lua`, with what all scripts have in common before it."""
        folder = resources.files("workerkit.transport") / "lua"
        text = "\n".join([BURY_LUA, PARKED_LUA, *((folder / f"{part}.lua").read_text() for part in ("common", name))])
        return cls(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


STEP = Script.load("step")
TICK = Script.load("tick")
OFFER = Script.load("offer")
EXPIRE = Script.load("expire")
