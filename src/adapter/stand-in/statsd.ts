/** A stand-in for Datadog's agent: a UDP socket on loopback that keeps what it was sent. */
import { createSocket } from "node:dgram";
import { once } from "node:events";

export interface StandInStatsd {
  readonly port: number;
  readonly datagrams: readonly string[];
  /** Of all datagrams, in the order in which they came. */
  lines(): string[];
  close(): Promise<void>;
}

export async function startStandInStatsd(): Promise<StandInStatsd> {
  const datagrams: string[] = [];
  const socket = createSocket("udp4");
  socket.on("message", (message) => datagrams.push(message.toString("utf8")));
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return {
    ...{ port: socket.address().port, datagrams },
    lines: () => datagrams.flatMap((datagram) => datagram.split("\n")),
    close: () =>
      new Promise((resolve) => {
        socket.close(resolve);
      }),
  };
}
