"""Many independent message channels between peers, over one UDP port.

A `Node` is our end of all connections; `Node.connect` begins one, `Connection.open_channel` opens a
channel on it, `Channel.send` sends a message. `channeler.aio` has the same for asyncio.

`channeler.daemon` needs no library, but a running `channelerd`; therefore the library is loaded
when something of it is first named.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ._names import *
    from ._names import __all__ as __all__
else:
    import importlib
    import importlib.util

    def __getattr__(name):
        if importlib.util.find_spec(f"{__name__}.{name}") is not None:
            return importlib.import_module(f"{__name__}.{name}")
        names = importlib.import_module(f"{__name__}._names")
        try:
            return getattr(names, name)
        except AttributeError:
            raise AttributeError(f"module '{__name__}' has no attribute '{name}'") from None

    def __dir__():
        return sorted({*globals(), *__getattr__("__all__")})
