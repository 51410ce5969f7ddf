// Changes of a batch over a WebSocket that reconnects by itself.

const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 5000;
const POLICY_VIOLATION = 1008;

/** Calls `onChange` with each message and `onOpen` at each new connection, until `signal` fires. */
export function followBatch(path, { onChange, onOpen, signal }) {
  const address = new URL(path, window.location.href);
  address.protocol = address.protocol.replace("http", "ws");
  let pauseMs = FIRST_PAUSE_MS;
  let socket;
  const connect = () => {
    socket = new WebSocket(address);
    socket.addEventListener("open", () => {
      pauseMs = FIRST_PAUSE_MS;
      onOpen();
    });
    socket.addEventListener("message", (event) => onChange(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => {
      if (!signal.aborted && event.code !== POLICY_VIOLATION) {
        window.setTimeout(connect, pauseMs);
        pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
      }
    });
  };
  signal.addEventListener("abort", () => socket.close());
  connect();
}
