/** A stand-in for Slack's Socket Mode on loopback: it gives out addresses, sends envelopes, moves and drops connections. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import type { JsonObject } from "../../base/json.js";

export interface SocketAck {
  readonly envelope_id: string;
  readonly payload?: JsonObject;
}

export interface StandInSlackSocket {
  /** For `SLACK_API_URL`. */
  readonly url: string;
  /** Open ones. */
  connections(): number;
  /** Addresses given out so far. */
  asked(): number;
  /** To the newest connection, as Slack does it; resolves with what is sent back. */
  send(type: string, payload: JsonObject): Promise<SocketAck>;
  /** Asks the newest connection to make way; it stays open until `drop`. */
  askAway(reason: string): void;
  /** Cuts the oldest connection without a word. */
  drop(): void;
  /** Instead of an address, for the next calls. */
  refuse(...errors: readonly string[]): void;
  close(): Promise<void>;
}

export async function startStandInSlackSocket(appToken: string): Promise<StandInSlackSocket> {
  const open: WebSocket[] = [];
  const waiting = new Map<string, (ack: SocketAck) => void>();
  const refusals: string[] = [];
  let [asked, sent] = [0, 0];
  const server = createServer((request, response) => {
    const isKnown = request.headers.authorization === `Bearer ${appToken}`;
    const error = isKnown ? refusals.shift() : "invalid_auth";
    asked += 1;
    const { port } = server.address() as AddressInfo;
    const answer = error ? { ok: false, error } : { ok: true, url: `ws://127.0.0.1:${port}/link` };
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => {
    open.push(socket);
    socket.on("close", () => open.splice(open.indexOf(socket), 1));
    socket.on("message", (data) => {
      const ack = JSON.parse(String(data)) as SocketAck;
      waiting.get(ack.envelope_id)?.(ack);
    });
    socket.send(JSON.stringify({ type: "hello", num_connections: open.length }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/api/`,
    connections: () => open.length,
    asked: () => asked,
    send: (type, payload) => {
      sent += 1;
      const id = `envelope-${sent}`;
      const acked = new Promise<SocketAck>((resolve) => waiting.set(id, resolve));
      const envelope = { envelope_id: id, type, accepts_response_payload: true, payload };
      open.at(-1)?.send(JSON.stringify(envelope));
      return acked;
    },
    askAway: (reason) => open.at(-1)?.send(JSON.stringify({ type: "disconnect", reason })),
    drop: () => open[0]?.terminate(),
    refuse: (...errors) => void refusals.push(...errors),
    close: async () => {
      for (const socket of open) socket.terminate();
      sockets.close();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
