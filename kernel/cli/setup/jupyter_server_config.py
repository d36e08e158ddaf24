# How this folder's own Jupyter server talks to the page. TCP holds a small message back until the one before it is
# acknowledged, which a browser does up to 40 ms late: a slider's effect would be seen that much later.
# https://www.rfc-editor.org/rfc/rfc896

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection


class PromptConnection(ZMQChannelsWebsocketConnection):
    """Sends every message of a kernel when it comes."""

    def connect(self):
        self.websocket_handler.set_nodelay(True)
        return super().connect()


c.ServerApp.kernel_websocket_connection_class = PromptConnection  # noqa: F821
