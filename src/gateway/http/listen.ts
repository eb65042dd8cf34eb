/** Listens on the clients' port. */
import {
  App,
  type TemplatedApp,
  type us_listen_socket,
  us_listen_socket_close,
  us_socket_local_port,
} from "uWebSockets.js";
import { UsageError } from "../../settings/option.ts";

/** Whether other listeners may have the same port. The binding exports these numbers, its types do not. */
const SHARED_PORT = 0;
const EXCLUSIVE_PORT = 1;

/**
 * Checks that no other process listens on a port; 0 takes a free one.
 * @returns the port
 * @throws UsageError when the address cannot be listened on
 */
export async function freePort(host: string, port: number): Promise<number> {
  const app = App();
  const listening = await listen(app, host, port, false);
  const found = us_socket_local_port(listening);
  us_listen_socket_close(listening);
  app.close();
  return found;
}

/**
 * @param shared whether other listeners may have the same port; port 0 cannot be shared
 * @throws UsageError when the address cannot be listened on
 */
export function listen(app: TemplatedApp, host: string, port: number, shared: boolean): Promise<us_listen_socket> {
  return new Promise((resolve, reject) => {
    const listening = (socket: us_listen_socket | false) => {
      if (socket) resolve(socket);
      else
        reject(
          new UsageError(
            `cannot listen on ${host}:${port} (--host, --port): the port is in use, or the address is not this machine's`,
          ),
        );
    };
    // The binding takes host, port and options; its types know only two of them at a time.
    const bind = app.listen as unknown as (
      host: string,
      port: number,
      options: number,
      callback: typeof listening,
    ) => TemplatedApp;
    bind.call(app, host, port, shared ? SHARED_PORT : EXCLUSIVE_PORT, listening);
  });
}
