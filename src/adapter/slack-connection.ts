/**
 * One WebSocket of Slack's Socket Mode, from hello to close. Every envelope is acknowledged by its id once it is
 * kept, within Slack's three seconds; a line on which nothing is heard is ended, since TCP alone would not say so.
 */
import { WebSocket } from "ws";
import type { Clock } from "../base/clock.js";
import { errorMessage, fault } from "../base/fault.js";
import { isJsonObject, type JsonObject } from "../base/json.js";
import type { Logger } from "../base/log.js";
import type { Message } from "../message/message.js";
import { toSlack } from "../message/slack-blocks.js";

/** What keeps an event and says what its asker is told; null: nothing. It never throws. */
export type AcceptSlack = (
  kind: "command" | "interaction",
  fields: JsonObject,
) => Promise<Message | null>;

export interface ConnectionDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly accept: AcceptSlack;
}

export interface SlackConnection {
  /** Resolves when another connection should take over: Slack says so beforehand, or this one is gone. */
  readonly over: Promise<"refresh" | "disabled" | "closed">;
  /** Resolves when nothing comes through it any more. */
  readonly closed: Promise<void>;
  /** Ends it at once. */
  end(): void;
}

const HELLO_MS = 10_000;
/** Slack pings every few seconds; we ping too, and take a silent line for a dead one. */
const PING_EVERY_MS = 10_000;
const SILENCE_MAX_MS = 30_000;
/** Slack closes a connection some seconds after it has asked for another; events may come until then. */
const LINGER_MS = 30_000;
const BYTES_MAX = 1_048_576;

/** Resolves at Slack's hello. Throws a transient fault when there is none. */
export async function openSlackConnection(
  url: string,
  deps: ConnectionDeps,
  stop: AbortSignal,
): Promise<SlackConnection> {
  const socket = new WebSocket(url, {
    handshakeTimeout: HELLO_MS,
    maxPayload: BYTES_MAX,
    perMessageDeflate: false,
    followRedirects: false,
  });
  const connection = new Connection(socket, deps);
  const onStop = () => connection.end();
  stop.addEventListener("abort", onStop, { once: true });
  void connection.closed.then(() => stop.removeEventListener("abort", onStop));
  if (stop.aborted) onStop();
  const isSaid = new AbortController();
  const late = deps.clock.sleep(HELLO_MS, isSaid.signal).then(() => "late" as const);
  const first = await Promise.race([connection.hello, connection.over, late]);
  isSaid.abort();
  if (first === "hello") return connection;
  connection.end();
  throw fault.transient("SLACK_SOCKET_FAILED", `no hello: ${connection.reason ?? first}`);
}

class Connection implements SlackConnection {
  readonly hello: Promise<"hello">;
  readonly over: SlackConnection["over"];
  readonly closed: Promise<void>;
  /** Why it broke, when it says. */
  reason: string | null = null;
  readonly #socket: WebSocket;
  readonly #deps: ConnectionDeps;
  readonly #gone = new AbortController();
  #sayHello: (said: "hello") => void = () => {};
  #sayOver: (why: "refresh" | "disabled" | "closed") => void = () => {};
  #heardAtMs: number;

  constructor(socket: WebSocket, deps: ConnectionDeps) {
    this.#socket = socket;
    this.#deps = deps;
    this.#heardAtMs = deps.clock.now().getTime();
    this.hello = new Promise((resolve) => {
      this.#sayHello = resolve;
    });
    this.over = new Promise((resolve) => {
      this.#sayOver = resolve;
    });
    socket.on("message", (data) => this.#hear(String(data)));
    socket.on("ping", () => this.#hear(null));
    socket.on("pong", () => this.#hear(null));
    socket.on("error", (error) => {
      this.reason = error.message;
    });
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.#gone.abort();
        this.#sayOver("closed");
        resolve();
      });
    });
    void this.#watch();
  }

  end(): void {
    this.#socket.terminate();
  }

  /** Ends a line that says nothing any more. */
  async #watch(): Promise<void> {
    const { clock } = this.#deps;
    while (!this.#gone.signal.aborted) {
      await clock.sleep(PING_EVERY_MS, this.#gone.signal);
      if (clock.now().getTime() - this.#heardAtMs > SILENCE_MAX_MS) return this.end();
      if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
    }
  }

  #hear(text: string | null): void {
    this.#heardAtMs = this.#deps.clock.now().getTime();
    const envelope = text === null ? null : parseObject(text);
    if (!envelope) return;
    if (envelope.type === "hello") this.#sayHello("hello");
    else if (envelope.type === "disconnect") void this.#makeWay(envelope.reason);
    else if (typeof envelope.envelope_id === "string")
      void this.#answer(envelope.envelope_id, envelope);
  }

  /** Events go on coming here until the other connection stands: so this one lingers. */
  async #makeWay(reason: unknown): Promise<void> {
    this.#deps.log.info("slack.disconnect-asked", { reason: String(reason) });
    this.#sayOver(reason === "link_disabled" ? "disabled" : "refresh");
    await this.#deps.clock.sleep(LINGER_MS, this.#gone.signal);
    this.end();
  }

  async #answer(id: string, envelope: JsonObject): Promise<void> {
    const kind = KINDS[String(envelope.type)];
    const fields = isJsonObject(envelope.payload) ? envelope.payload : {};
    try {
      // What nobody acts on is acknowledged too: Slack would send it again.
      const message = kind ? await this.#deps.accept(kind, fields) : null;
      const mayAnswer = message !== null && envelope.accepts_response_payload === true;
      const payload = mayAnswer ? { response_type: "ephemeral", ...toSlack(message) } : null;
      this.#send({ envelope_id: id, ...(payload ? { payload } : {}) });
    } catch (thrown) {
      // Without an acknowledgement Slack sends it again, perhaps elsewhere.
      this.#deps.log.error("slack.event-failed", { error: errorMessage(thrown) });
    }
  }

  #send(answer: object): void {
    // On a line that is gone it is not heard: the event comes again, and is known.
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(answer));
  }
}

const KINDS: Readonly<Record<string, "command" | "interaction">> = {
  slash_commands: "command",
  interactive: "interaction",
};

function parseObject(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : null;
  } catch {
    // No JSON is nothing that we could answer.
    return null;
  }
}
