/** Webhooks of a stand-in GitHub: signed over the raw body, sent once, never repeated, as the real one does. */
import { randomUUID } from "node:crypto";
import { hmacSha256 } from "../../base/secret.js";
import { sendHttp } from "../http.js";

export interface GitHubSubscription {
  readonly url: string;
  readonly secret: string;
}

export interface GitHubDelivery {
  /** The same on a redelivery. */
  readonly id: string;
  readonly event: string;
  readonly body: string;
  /** HTTP status of the last answer; null when there was none. */
  readonly status: number | null;
}

/** GitHub waits ten seconds for an answer. */
const TIMEOUT_MS = 10_000;

export class StandInGitHubWebhooks {
  readonly #deliveries: GitHubDelivery[] = [];
  readonly #stopped = new AbortController();
  #subscription: GitHubSubscription | null;
  #tail: Promise<void> = Promise.resolve();

  constructor(subscription: GitHubSubscription | null) {
    this.#subscription = subscription;
  }

  get deliveries(): readonly GitHubDelivery[] {
    return this.#deliveries;
  }

  subscribe(subscription: GitHubSubscription): void {
    this.#subscription = subscription;
  }

  send(event: string, payload: unknown): void {
    if (this.#subscription === null) return;
    const body = JSON.stringify(payload);
    const at = this.#deliveries.push({ id: randomUUID(), event, body, status: null }) - 1;
    this.#queue(at);
  }

  redeliver(id: string): void {
    const at = this.#deliveries.findIndex((delivery) => delivery.id === id);
    if (at === -1) throw new Error(`no delivery ${id}`);
    this.#queue(at);
  }

  /** Resolves when everything that was sent has been answered, or given up. */
  settled(): Promise<void> {
    return this.#tail;
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#tail;
  }

  #queue(at: number): void {
    this.#tail = this.#tail.then(async () => {
      const delivery = this.#deliveries[at]!;
      this.#deliveries[at] = { ...delivery, status: await this.#attempt(delivery) };
    });
  }

  async #attempt({ id, event, body }: GitHubDelivery): Promise<number | null> {
    const { url, secret } = this.#subscription!;
    try {
      const { status } = await sendHttp({
        ...{ system: "WEBHOOK", method: "POST", url, body, timeoutMs: TIMEOUT_MS },
        headers: {
          "content-type": "application/json",
          "user-agent": "GitHub-Hookshot/stand-in",
          "x-github-event": event,
          "x-github-delivery": id,
          "x-hub-signature-256": `sha256=${hmacSha256(secret, body).toString("hex")}`,
        },
        signal: this.#stopped.signal,
      });
      return status;
    } catch {
      // No answer: the list of deliveries shows it, as GitHub's page does.
      return null;
    }
  }
}
