/**
 * Webhooks v3 of a stand-in PagerDuty: signed, at least once, in order for each incident, and switched off
 * after three refusals in a row, as the real one does for a day.
 */
import { randomUUID } from "node:crypto";
import { systemClock } from "../../base/clock.js";
import { hmacSha256 } from "../../base/secret.js";
import { sendHttp } from "../http.js";

export interface Subscription {
  readonly url: string;
  readonly secret: string;
}

export interface WebhookDelivery {
  /** The same over all attempts. */
  readonly webhookId: string;
  readonly eventType: string;
  readonly incidentId: string;
  readonly body: string;
  readonly status: "waiting" | "delivered" | "dropped";
  readonly attempts: number;
  /** HTTP status of the last answer; null when there was none. */
  readonly lastStatus: number | null;
}

/** PagerDuty waits five seconds for an answer. */
const TIMEOUT_MS = 5_000;
const DROPS_UNTIL_DISABLED = 3;

export class StandInWebhooks {
  readonly #retryEveryMs: number;
  readonly #stopped = new AbortController();
  readonly #deliveries: WebhookDelivery[] = [];
  /** The end of the queue of each incident: a stuck event holds back the ones behind it. */
  readonly #tails = new Map<string, Promise<void>>();
  #subscription: Subscription | null;
  #dropsInARow = 0;

  constructor(subscription: Subscription | null, retryEveryMs: number) {
    this.#subscription = subscription;
    this.#retryEveryMs = retryEveryMs;
  }

  get deliveries(): readonly WebhookDelivery[] {
    return this.#deliveries;
  }

  get enabled(): boolean {
    return this.#subscription !== null && this.#dropsInARow < DROPS_UNTIL_DISABLED;
  }

  /** Also switches a disabled subscription on again. */
  subscribe(subscription: Subscription): void {
    this.#subscription = subscription;
    this.#dropsInARow = 0;
  }

  /** While disabled events are lost, not kept. */
  send(incidentId: string, eventType: string, body: string): void {
    if (!this.enabled) return;
    const webhookId = randomUUID();
    const index = this.#deliveries.push({
      webhookId,
      eventType,
      incidentId,
      body,
      status: "waiting",
      attempts: 0,
      lastStatus: null,
    });
    this.#queue(incidentId, index - 1);
  }

  /** The same event with the same id once more: at least once means this happens. */
  redeliver(webhookId: string): void {
    const index = this.#deliveries.findIndex((one) => one.webhookId === webhookId);
    const delivery = this.#deliveries[index];
    if (!delivery) throw new Error(`no delivery ${webhookId}`);
    this.#queue(delivery.incidentId, index);
  }

  async close(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#tails.values());
  }

  #queue(incidentId: string, index: number): void {
    const before = this.#tails.get(incidentId) ?? Promise.resolve();
    this.#tails.set(
      incidentId,
      before.then(() => this.#deliver(index)),
    );
  }

  async #deliver(index: number): Promise<void> {
    while (!this.#stopped.signal.aborted && this.enabled) {
      const status = await this.#attempt(this.#deliveries[index]!);
      if (this.#settle(index, status)) return;
      await systemClock.sleep(this.#retryEveryMs, this.#stopped.signal);
    }
  }

  /** The answer's status; null when there was none. */
  async #attempt(delivery: WebhookDelivery): Promise<number | null> {
    const { url, secret } = this.#subscription!;
    try {
      const { status } = await sendHttp({
        system: "WEBHOOK",
        method: "POST",
        url,
        headers: {
          "content-type": "application/json",
          "user-agent": "PagerDuty-Webhook/V3.0",
          "x-webhook-id": delivery.webhookId,
          "x-pagerduty-signature": `v1=${hmacSha256(secret, delivery.body).toString("hex")}`,
        },
        body: delivery.body,
        timeoutMs: TIMEOUT_MS,
        signal: this.#stopped.signal,
      });
      return status;
    } catch {
      // No answer is what gets repeated; the log of deliveries shows it.
      return null;
    }
  }

  /** True when it is over: taken, or refused for good. */
  #settle(index: number, lastStatus: number | null): boolean {
    const delivery = this.#deliveries[index]!;
    const attempts = delivery.attempts + 1;
    const isTaken = lastStatus !== null && lastStatus >= 200 && lastStatus < 300;
    const isRefused =
      lastStatus !== null && lastStatus >= 300 && lastStatus < 500 && lastStatus !== 429;
    const status = isTaken ? "delivered" : isRefused ? "dropped" : delivery.status;
    this.#deliveries[index] = { ...delivery, attempts, lastStatus, status };
    if (isTaken) this.#dropsInARow = 0;
    if (isRefused) this.#dropsInARow += 1;
    return isTaken || isRefused;
  }
}
