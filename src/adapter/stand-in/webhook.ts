/** A stand-in for any system that takes webhooks: keeps what it was sent, and fails when told to. */
import type { IncomingHttpHeaders } from "node:http";
import { jsonBody, type Misbehaviour, startLoopback } from "./loopback.js";

export interface ReceivedWebhook {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface StandInWebhook {
  readonly url: string;
  readonly received: readonly ReceivedWebhook[];
  misbehave(...next: readonly Misbehaviour[]): void;
  close(): Promise<void>;
}

export async function startStandInWebhook(): Promise<StandInWebhook> {
  const received: ReceivedWebhook[] = [];
  const loopback = await startLoopback((request) => {
    const body = jsonBody(request);
    if (request.method !== "POST" || body === null) {
      return { status: 400, body: { error: "expected a POST of a JSON object" } };
    }
    received.push({ path: request.path, headers: request.headers, body });
    return { status: 202, body: { status: "accepted" } };
  });
  return { ...loopback, received };
}
