"""The dashboard: models turned in the browser.

>>> from flywheel.dashboard import serve
>>> serve(["core_flywheel"])    # opens http://127.0.0.1:8050 until interrupted

Nothing is computed here. Numbers come from ``model.run``, figures from ``flywheel.figures``; this
package arranges them, keeps the state in the address, and guards the door.
"""

from .app import make_app, serve

__all__ = ["make_app", "serve"]
