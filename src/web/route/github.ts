/**
 * The GitHub door (EP-29): the signature over the raw bytes first, then everything else. What is
 * authentic is answered 202, also when there is nothing to do, or when only this machine could keep it;
 * 401 is for forgeries.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { isJsonObject, type JsonObject } from "../../base/json.js";
import { equalBytes, hexDigest, hmacSha256 } from "../../base/secret.js";
import type { KindRegistry } from "../../job/kinds.js";
import { isOwnComment } from "../../runbook/own-word.js";
import { changeEnded } from "../../store/config-changes.js";
import type { Sql } from "../../store/database.js";
import {
  type DeliveryOutcome,
  type GithubDelivery,
  recordGithubDelivery,
} from "../../store/github-deliveries.js";
import { keepOrJournal } from "../../store/keep-or-journal.js";
import { parseJsonBody } from "../body.js";
import type { WebDeps } from "../deps.js";
import { HttpProblem } from "../problem.js";

/**
 * GitHub may send 25 MB; five hold any real push, and times the deliveries in flight they still fit into
 * a small task. What is larger shows as failed at GitHub, and the sync job picks the change up.
 */
const BODY_MAX_BYTES = 5 * 1024 * 1024;
const DELIVERY_ID = /^[0-9A-Za-z-]{8,64}$/;
const EVENT_TYPE = /^[a-z_]{1,64}$/;
const SIGNATURE_PREFIX = "sha256=";

export function githubRoutes(app: FastifyInstance, deps: WebDeps): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    "*",
    { parseAs: "buffer" },
    async (_: FastifyRequest, bytes: Buffer) => bytes,
  );

  app.post(
    "/webhooks/github",
    { bodyLimit: BODY_MAX_BYTES, schema: { summary: "A delivery of a GitHub webhook" } },
    async (request, reply) => {
      const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      requireSignature(request, bytes, deps);
      const delivery = readDelivery(request, bytes);
      const outcome = await keep(deps, delivery);
      deps.log.info("delivery.received", {
        request_id: request.id,
        source: "github",
        delivery_id: delivery.deliveryId,
        event_type: delivery.eventType,
        outcome,
      });
      return reply.code(202).send({ delivery_id: delivery.deliveryId, outcome });
    },
  );
}

/** GitHub waits 10 s, and never tries again by itself. */
const RECORD_MS = 5_000;

type Outcome = DeliveryOutcome["outcome"] | "journalled";

async function keep(deps: WebDeps, delivery: GithubDelivery): Promise<Outcome> {
  const event = { source: "github", ...delivery } as const;
  const kept = await keepOrJournal(deps, event, RECORD_MS, (tx) =>
    keepGithubDelivery(tx, delivery, deps.registry),
  );
  if (kept.place === "database") return kept.value;
  if (kept.place === "journal") return "journalled";
  throw new HttpProblem(
    "database-unavailable",
    "The delivery could not be kept: redeliver it from the settings of the webhook.",
  );
}

/** The delivery as a row, and what it sets off. `kinds`: who ingests, if anybody. */
export async function keepGithubDelivery(
  tx: Sql,
  delivery: GithubDelivery,
  kinds: Pick<KindRegistry, "get">,
): Promise<DeliveryOutcome["outcome"]> {
  const ended = endedPullRequest(delivery);
  if (ended !== null) await changeEnded(tx, ended.url, ended.status);
  return (await recordGithubDelivery(tx, delivery, { ignoredAs: whyIgnored(delivery, kinds) }))
    .outcome;
}

/** Our own comment on a change is no sign of life of its repository. */
function whyIgnored(
  { eventType, body: { comment } }: GithubDelivery,
  kinds: Pick<KindRegistry, "get">,
): string | null {
  if (eventType === "ping" || kinds.get("ingest") === undefined) return "nothing to ingest";
  return isJsonObject(comment) && isOwnComment(comment.body) ? "a comment of our own" : null;
}

/** One that people have merged or closed: it may be a change that was asked for here. */
function endedPullRequest({ eventType, body }: GithubDelivery) {
  const { action, pull_request: pull } = body;
  if (eventType !== "pull_request" || action !== "closed" || !isJsonObject(pull)) return null;
  if (typeof pull.html_url !== "string") return null;
  return { url: pull.html_url, status: pull.merged === true ? "merged" : "closed" } as const;
}

function requireSignature(request: FastifyRequest, bytes: Buffer, deps: WebDeps): void {
  const secrets = deps.config.githubWebhookSecrets;
  if (secrets.length === 0) {
    throw new HttpProblem(
      "not-configured",
      "No GITHUB_WEBHOOK_SECRET is set, so no delivery can be trusted.",
    );
  }
  const header = request.headers["x-hub-signature-256"];
  if (secrets.some((secret) => isSignedBy(secret, bytes, header))) return;
  deps.log.warn("door.forged", { door: "github", address: request.ip });
  throw new HttpProblem(
    "signature-invalid",
    "X-Hub-Signature-256 is missing or does not fit the body: compare the secrets on both sides.",
  );
}

/** GitHub's `sha256=<hex>`: HMAC-SHA256 of the raw body, compared in constant time. */
export function isSignedBy(secret: string, body: Buffer, header: unknown): boolean {
  if (typeof header !== "string" || !header.startsWith(SIGNATURE_PREFIX)) return false;
  const digest = hexDigest(header.slice(SIGNATURE_PREFIX.length));
  return digest !== null && equalBytes(digest, hmacSha256(secret, body));
}

function readDelivery(request: FastifyRequest, bytes: Buffer): GithubDelivery {
  return {
    deliveryId: readHeader(request, "x-github-delivery", DELIVERY_ID),
    eventType: readHeader(request, "x-github-event", EVENT_TYPE),
    body: readEvent(request, bytes),
  };
}

function readHeader(request: FastifyRequest, name: string, pattern: RegExp): string {
  const value = request.headers[name];
  if (typeof value === "string" && pattern.test(value)) return value;
  throw new HttpProblem(
    "malformed-request",
    `The header ${name} is missing or has an unknown form.`,
  );
}

function readEvent(request: FastifyRequest, bytes: Buffer): JsonObject {
  const label = request.headers["content-type"] ?? "";
  if (!label.startsWith("application/json")) {
    throw new HttpProblem(
      "unsupported-media-type",
      "Set the content type of the webhook to application/json at GitHub.",
    );
  }
  const event = parseJsonBody(bytes);
  if (isJsonObject(event)) return event;
  throw new HttpProblem("malformed-request", "The delivery is not a JSON object.");
}
