/** The parts of the peers' packages that are used here: they are installed apart, and the check does without them. */

declare module "@socket.io/redis-adapter" {
  import type { Redis } from "ioredis";
  export function createAdapter(publisher: Redis, subscriber: Redis): object;
}

declare module "@socket.io/redis-emitter" {
  import type { Redis } from "ioredis";
  export interface Rooms {
    to(room: string): { emit(event: string, value: unknown): boolean };
  }
  export class Emitter implements Rooms {
    constructor(redis: Redis);
    to: Rooms["to"];
    readonly volatile: Rooms;
  }
}

declare module "socket.io" {
  import type { TemplatedApp } from "uWebSockets.js";
  import type { Server as HttpServer } from "node:http";
  export interface Socket {
    on(event: "subscribe", listener: (symbols: string[]) => void): void;
    join(rooms: string[]): void;
  }
  export interface Engine {
    on(event: "connection", listener: (connection: { request: unknown }) => void): void;
  }
  export class Server {
    readonly engine: Engine;
    constructor(options: { adapter: object; transports: readonly string[]; parser?: object });
    on(event: "connection", listener: (socket: Socket) => void): void;
    attach(server: HttpServer): void;
    attachApp(app: TemplatedApp): void;
  }
}

declare module "socket.io-msgpack-parser" {
  const parser: object;
  export default parser;
}
