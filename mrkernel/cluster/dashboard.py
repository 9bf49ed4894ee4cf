"""dask's dashboard of an embedded cluster: on the loopback interface, under a path that nobody can guess.

dask's own way shows everything to every user of the machine, and to every page in their browsers.
"""

from __future__ import annotations

import importlib
import secrets
from typing import Any

from distributed.http.routing import RoutingApplication
from distributed.http.utils import get_handlers
from tornado import httputil, web
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop

__all__ = ["ROUTES", "start_dashboard"]

ROUTES = ("distributed.http.scheduler.info", "distributed.http.scheduler.json", "distributed.http.statics")


class _Hidden(RoutingApplication):
    """An application with everything below one path and nothing beside it, not even a list of what it has."""

    def __init__(self, routes: list[Any], path: str) -> None:
        super().__init__(routes)  # type: ignore[no-untyped-call]  # distributed leaves it untyped
        self._path = path

    def find_handler(self, request: httputil.HTTPServerRequest, **options: Any) -> Any:
        if not request.path.startswith(f"{self._path}/"):
            return self.get_handler_delegate(request, web.ErrorHandler, {"status_code": 404})
        # With dask's own prefix its pages ask for files by absolute paths, which a proxy in front of them has not.
        request.path = request.path.removeprefix(self._path)
        return super().find_handler(request, **options)


def start_dashboard(scheduler: Any) -> str:
    """Serve the dashboard; returns ``"port/path"`` of its first page. To be called on the scheduler's loop.

    Raises
    ------
    ImportError
        If bokeh is not installed, or is of a version that dask cannot use.
    """
    pages: Any = importlib.import_module("distributed.dashboard.scheduler")
    core: Any = importlib.import_module("distributed.dashboard.core")
    name = secrets.token_urlsafe(16)
    application = _Hidden(get_handlers(server=scheduler, modules=list(ROUTES)), f"/{name}")
    server: Any = HTTPServer(application)
    server.listen(0, "127.0.0.1")
    server.address, server.port = next(iter(server._sockets.values())).getsockname()
    scheduler.http_application, scheduler.http_server = application, server
    bokeh = core.BokehApplication(pages.applications, scheduler, template_variables=pages.template_variables(scheduler))
    application.add_application(bokeh)
    bokeh.initialize(IOLoop.current())
    bokeh.start()
    return f"{server.port}/{name}/status"
