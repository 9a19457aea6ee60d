/** What every stand-in is made of: a real HTTP server on loopback that can be told to misbehave. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { errorMessage } from "../../base/fault.js";

export interface LoopbackRequest {
  readonly method: string;
  /** Path without query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  /** `bytes` as UTF-8. */
  readonly body: string;
}

export interface LoopbackAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** What the next request meets instead of an honest answer. */
export type Misbehaviour =
  /** None, this once: it is a later request that is meant. */
  | { readonly kind: "honest" }
  | { readonly kind: "answer"; readonly answer: LoopbackAnswer }
  /** Carries the request out, then cuts the connection: the caller cannot know. */
  | { readonly kind: "drop-answer" }
  /** Cuts the connection after the first bytes of the body: the request never arrives whole. */
  | { readonly kind: "cut-request" }
  /** Reads the request and never answers. */
  | { readonly kind: "silence" };

export interface Loopback {
  /** `http://127.0.0.1:port`, without a slash at its end. */
  readonly url: string;
  /** One each for the next requests, in order. */
  misbehave(...next: readonly Misbehaviour[]): void;
  close(): Promise<void>;
}

/** Larger bodies than any of the systems takes, except where one says so itself. */
const BODY_MAX_BYTES = 1_048_576;

export async function startLoopback(
  handle: (request: LoopbackRequest) => LoopbackAnswer | Promise<LoopbackAnswer>,
  bodyMaxBytes = BODY_MAX_BYTES,
): Promise<Loopback> {
  const queue: Misbehaviour[] = [];
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    let length = 0;
    if (queue[0]?.kind === "cut-request") {
      queue.shift();
      incoming.once("data", () => incoming.socket.destroy());
      return;
    }
    incoming.on("data", (chunk: Buffer) => {
      length += chunk.length;
      if (length <= bodyMaxBytes) chunks.push(chunk);
    });
    incoming.on("end", () => {
      const url = new URL(incoming.url ?? "/", "http://loopback");
      const bytes = Buffer.concat(chunks);
      const request: LoopbackRequest = {
        method: incoming.method ?? "GET",
        path: url.pathname,
        query: url.searchParams,
        headers: incoming.headers,
        bytes,
        get body() {
          return bytes.toString("utf8");
        },
      };
      const misbehaviour = queue.shift();
      void answerTo(request, response, handle, misbehaviour);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    misbehave: (...next) => void queue.push(...next),
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answerTo(
  request: LoopbackRequest,
  response: ServerResponse,
  handle: (request: LoopbackRequest) => LoopbackAnswer | Promise<LoopbackAnswer>,
  misbehaviour: Misbehaviour | undefined,
): Promise<void> {
  if (misbehaviour?.kind === "silence") return;
  if (misbehaviour?.kind === "answer") return send(response, misbehaviour.answer);
  try {
    const answer = await handle(request);
    if (misbehaviour?.kind === "drop-answer") response.destroy();
    else send(response, answer);
  } catch (error) {
    send(response, { status: 500, body: { error: errorMessage(error) } });
  }
}

function send(response: ServerResponse, answer: LoopbackAnswer): void {
  const isText = typeof answer.body === "string";
  response.writeHead(answer.status, {
    "content-type": isText ? "text/plain" : "application/json",
    ...answer.headers,
  });
  response.end(isText ? answer.body : JSON.stringify(answer.body));
}

/** The body as a JSON object; null when it is none. */
export function jsonBody(request: LoopbackRequest): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(request.body);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    // Not JSON: the caller answers 400.
    return null;
  }
}
