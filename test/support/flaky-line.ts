/** A line to a system on loopback that can be cut and mended: then it is really gone, and really back. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface FlakyLine {
  /** As the system's own URL, by way of this line. */
  readonly url: string;
  /** Connections end, new ones are refused. */
  cut(): Promise<void>;
  /** Connections are taken, and nothing comes through until `mend`. */
  clog(): void;
  mend(): Promise<void>;
  close(): Promise<void>;
}

export async function layLine(targetUrl: string): Promise<FlakyLine> {
  const target = new URL(targetUrl);
  const sockets = new Set<Socket>();
  let clogged: (() => void)[] | null = null;
  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      // The other end goes the same way; why is told by what the caller sees.
      socket.on("error", () => {
        near.destroy();
        far.destroy();
      });
    }
    const join = () => near.pipe(far).pipe(near);
    if (clogged) clogged.push(join);
    else join();
  });
  const listen = async (port: number) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  const cut = async () => {
    drop();
    if (!server.listening) return;
    server.close();
    await once(server, "close");
  };
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const near = new URL(targetUrl);
  near.port = String(port);
  return {
    url: near.href.replace(/\/$/, target.pathname === "/" ? "" : "/"),
    cut,
    clog: () => {
      clogged ??= [];
      // Kept-alive connections would slip through.
      drop();
    },
    mend: async () => {
      if (!server.listening) await listen(port);
      for (const join of clogged ?? []) join();
      clogged = null;
    },
    close: cut,
  };
}
