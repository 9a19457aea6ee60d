import { createHmac, randomUUID } from "node:crypto";
import type { InjectOptions } from "fastify";
import { describe, expect, it } from "vitest";
import { isSignedBy } from "../../src/web/route/github.js";
import { lendToFile } from "../support/lend.js";
import { type Api, fingerprint, GITHUB_SECRET, withApi } from "./harness.js";

const sign = (body: string | Buffer, secret = GITHUB_SECRET) =>
  `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;

const PUSH = JSON.stringify({ ref: "refs/heads/main", repository: { full_name: "o/r" } });

function delivery(
  body: string,
  headers: Record<string, string | undefined> = {},
): InjectOptions & { headers: Record<string, string> } {
  const all = {
    "content-type": "application/json",
    "x-github-event": "push",
    "x-github-delivery": randomUUID(),
    "x-hub-signature-256": sign(body),
    ...headers,
  };
  const given = Object.entries(all).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return {
    method: "POST",
    url: "/webhooks/github",
    payload: body,
    headers: Object.fromEntries(given),
  };
}

const count = async (db: Parameters<typeof fingerprint>[0], sql: string) =>
  (await db.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${sql}`)).rows[0]?.n;

describe("the GitHub signature", () => {
  it("fits GitHub's published example", () => {
    const header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    expect(isSignedBy("It's a Secret to Everybody", Buffer.from("Hello, World!"), header)).toBe(
      true,
    );
    expect(isSignedBy("It's a Secret to Everybody", Buffer.from("Hello, World."), header)).toBe(
      false,
    );
    expect(isSignedBy("Another secret", Buffer.from("Hello, World!"), header)).toBe(false);
  });
});

describe("the GitHub door", () => {
  it("keeps a signed delivery, enqueues its ingest job and answers 202 (EP-29)", () =>
    withApi(async ({ as, db }) => {
      const request = delivery(PUSH);
      const id = request.headers["x-github-delivery"];
      const reply = await as(null, request);
      expect(reply.statusCode).toBe(202);
      expect(reply.json()).toEqual({ delivery_id: id, outcome: "accepted" });
      const { rows } = await db.query(
        `SELECT i.event_type, i.status, i.body->>'ref' AS ref, j.job_type, j.payload, j.requested_by
         FROM control.inbound i JOIN jobs j ON j.seq = i.job_seq WHERE i.delivery_id = $1`,
        [id],
      );
      expect(rows).toEqual([
        {
          event_type: "push",
          status: "received",
          ref: "refs/heads/main",
          job_type: "ingest",
          payload: { delivery_id: id },
          requested_by: "github",
        },
      ]);
    }));

  it.each([
    ["<!-- algobrain:policy v1 sha256=0 -->\n# Policy", "ignored", "a comment of our own"],
    ["looks good", "accepted", null],
  ])("of the comment %j says: %s", (text, outcome, why) =>
    withApi(async ({ as, db }) => {
      const body = JSON.stringify({ action: "created", comment: { body: text } });
      const reply = await as(null, delivery(body, { "x-github-event": "issue_comment" }));
      expect(reply.json()).toMatchObject({ outcome });
      const { rows } = await db.query("SELECT outcome FROM control.inbound");
      expect(rows).toEqual([{ outcome: why }]);
      expect(await count(db, "jobs")).toBe(why === null ? 1 : 0);
    }),
  );

  it("answers a repeated delivery 202 and changes nothing", () =>
    withApi(async ({ as, db }) => {
      const request = delivery(PUSH);
      await as(null, request);
      const before = await fingerprint(db);
      const repeat = await as(null, request);
      expect(repeat.statusCode).toBe(202);
      expect(repeat.json()).toMatchObject({ outcome: "duplicate" });
      expect(await fingerprint(db)).toEqual(before);
    }));

  it("makes one job of the same delivery sent twenty times at once", () =>
    withApi(async ({ as, db }) => {
      const request = delivery(PUSH);
      const replies = await Promise.all(Array.from({ length: 20 }, () => as(null, request)));
      expect(replies.map(({ statusCode }) => statusCode)).toEqual(Array(20).fill(202));
      expect(await count(db, "jobs")).toBe(1);
      expect(await count(db, "control.inbound")).toBe(1);
    }));

  it("keeps a ping and enqueues nothing", () =>
    withApi(async ({ as, db }) => {
      const reply = await as(
        null,
        delivery('{"zen":"Keep it logically awesome."}', { "x-github-event": "ping" }),
      );
      expect(reply.statusCode).toBe(202);
      expect(await count(db, "jobs")).toBe(0);
      expect(await count(db, "control.inbound WHERE status = 'ignored'")).toBe(1);
    }));

  const bytes = "\ufeff";
  const untouched = lendToFile<Api>(withApi);
  it.each([
    [
      "without a signature",
      delivery(PUSH, { "x-hub-signature-256": undefined }),
      401,
      "signature-invalid",
    ],
    [
      "signed with another secret",
      delivery(PUSH, { "x-hub-signature-256": sign(PUSH, "other") }),
      401,
      "signature-invalid",
    ],
    ["with one byte changed", { ...delivery(PUSH), payload: `${PUSH} ` }, 401, "signature-invalid"],
    [
      "with the old SHA-1 signature only",
      delivery(PUSH, { "x-hub-signature-256": undefined, "x-hub-signature": "sha1=00" }),
      401,
      "signature-invalid",
    ],
    [
      "with an upper-case digest",
      delivery(PUSH, { "x-hub-signature-256": sign(PUSH).toUpperCase() }),
      401,
      "signature-invalid",
    ],
    [
      "with a digest of another length",
      delivery(PUSH, { "x-hub-signature-256": "sha256=00" }),
      401,
      "signature-invalid",
    ],
    [
      "empty and unsigned",
      delivery("", { "x-hub-signature-256": undefined }),
      401,
      "signature-invalid",
    ],
    [
      "forged and not even JSON",
      delivery("{", { "x-hub-signature-256": "sha256=x" }),
      401,
      "signature-invalid",
    ],
    [
      "signed but without a delivery id",
      delivery(PUSH, { "x-github-delivery": undefined }),
      400,
      "malformed-request",
    ],
    [
      "signed but with a strange event",
      delivery(PUSH, { "x-github-event": "../x" }),
      400,
      "malformed-request",
    ],
    ["signed but not JSON", delivery("{"), 400, "malformed-json"],
    ["signed but a byte order mark before nothing", delivery(bytes), 400, "malformed-json"],
    ["signed but a list", delivery("[]"), 400, "malformed-request"],
    [
      "signed but a form",
      delivery("payload=1", { "content-type": "application/x-www-form-urlencoded" }),
      415,
      "unsupported-media-type",
    ],
    [
      "signed but with NUL, which jsonb cannot hold",
      delivery('{"a":"\\u0000"}'),
      422,
      "invalid-body",
    ],
    [
      "larger than five mebibytes",
      delivery("x".repeat(5 * 1024 * 1024 + 1)),
      413,
      "body-too-large",
    ],
  ] as const)("refuses a delivery %s, and nothing is changed", async (_, request, status, code) => {
    const { as, db } = untouched();
    const before = await fingerprint(db);
    const reply = await as(null, request as InjectOptions);
    expect(reply.statusCode, reply.body).toBe(status);
    expect(reply.headers["content-type"]).toContain("application/problem+json");
    expect(reply.json()).toMatchObject({ code });
    expect(await fingerprint(db)).toEqual(before);
  });

  it("answers 503 while no secret is set: nothing could be trusted", () =>
    withApi(
      async ({ as }) => {
        const reply = await as(null, delivery(PUSH));
        expect(reply.statusCode).toBe(503);
        expect(reply.json()).toMatchObject({ code: "not-configured" });
      },
      { config: { githubWebhookSecrets: [] } },
    ));

  it("believes each of several, while a new one is set on both sides (RB-100)", () =>
    withApi(
      async ({ as }) => {
        const signed = (secret: string) =>
          delivery(PUSH, { "x-hub-signature-256": sign(PUSH, secret) });
        const statusOf = async (secret: string) => (await as(null, signed(secret))).statusCode;
        expect(await Promise.all(["new", "old", "older"].map(statusOf))).toEqual([202, 202, 401]);
      },
      { config: { githubWebhookSecrets: ["new", "old"] } },
    ));

  it("stops looking at an address after sixty wrong signatures within a minute", () =>
    withApi(async ({ as }) => {
      const forged = delivery(PUSH, { "x-hub-signature-256": sign(PUSH, "other") });
      const statuses: number[] = [];
      for (let n = 0; n < 61; n++) statuses.push((await as(null, forged)).statusCode);
      expect(statuses.slice(0, 60)).toEqual(Array(60).fill(401));
      expect(statuses[60]).toBe(429);
      expect((await as(null, delivery(PUSH))).statusCode).toBe(429);
      const elsewhere = { ...delivery(PUSH), remoteAddress: "192.0.2.7" };
      expect((await as(null, elsewhere)).statusCode).toBe(202);
      const throughBalancer = delivery(PUSH, { "x-forwarded-for": "198.51.100.1, 140.82.115.1" });
      expect((await as(null, throughBalancer)).statusCode).toBe(202);
    }));
});
