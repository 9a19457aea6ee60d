/** Workers never have the app's key: they are lent tokens that end, and are told others before that (HB-wrk-13). */
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { createGitHubLender } from "../../src/adapter/github-lend.js";
import { startStandInOrg } from "../../src/adapter/stand-in/github-org.js";
import { type Clock, systemClock } from "../../src/base/clock.js";
import { MINUTE_MS } from "../../src/base/duration.js";
import { createLogger, silentLogger } from "../../src/base/log.js";
import { SecretText } from "../../src/base/secret-text.js";
import { createBorrower } from "../../src/runtime/borrower.js";
import { startChild } from "../../src/runtime/child.js";
import {
  createLender,
  type Lender,
  type LenderOptions,
  type Loan,
} from "../../src/runtime/lender.js";
import {
  type LentCredentials,
  type LentGitHub,
  readMessage,
  toMessage,
} from "../../src/runtime/lent-credentials.js";
import type { ParentLink } from "../../src/runtime/parent-link.js";
import { faultOf, never } from "../contract/delivery.js";
import { until } from "../support/until.js";

const BEGAN = new Date("2026-11-22T03:00:00Z");

/** Stands still until it is moved; whoever sleeps wakes when its time has come. */
class HandClock implements Clock {
  #now = BEGAN.getTime();
  #sleepers = new Map<() => void, number>();
  now = () => new Date(this.#now);
  sleep = (ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve) => {
      const wake = () => {
        this.#sleepers.delete(wake);
        resolve();
      };
      if (signal?.aborted) return resolve();
      this.#sleepers.set(wake, this.#now + ms);
      signal?.addEventListener("abort", wake, { once: true });
    });
  get sleeping() {
    return this.#sleepers.size;
  }
  move(ms: number): void {
    this.#now += ms;
    for (const [wake, atMs] of this.#sleepers) if (atMs <= this.#now) wake();
  }
}

let lender: Lender | null = null;
afterEach(async () => {
  await lender?.close();
  lender = null;
});

const github = (token: string, expiresAt: Date | null): LentGitHub => ({
  ...{ token: new SecretText(token), scope: "api.github.com#12345678/core", expiresAt },
});

/** Tokens of an hour each, numbered. */
function makeLender(clock: Clock, more: Partial<LenderOptions> = {}) {
  let made = 0;
  lender = createLender({
    github: async () => {
      made += 1;
      return github(`ghs_${made}`, new Date(clock.now().getTime() + 60 * MINUTE_MS));
    },
    s3: async () => null,
    ...{ clock, log: silentLogger },
    ...more,
  });
  return { lender, made: () => made };
}

/** A child in this process: all that passes between the two is JSON. */
function makeChild(from: Lender, clock: Clock) {
  const listeners: ((lent: LentCredentials) => void)[] = [];
  const told: (string | undefined)[] = [];
  let loan: Loan | null = null;
  let asks = 0;
  const link: ParentLink = {
    ...{ parentPid: 1, tellRegistered: () => {}, onGone: () => {}, release: () => {} },
    askCredentials: () => {
      asks += 1;
      loan?.ask();
    },
    onLent: (listener) => void listeners.push(listener),
  };
  const borrower = createBorrower(link, clock);
  loan = from.serve((message) => {
    const lent = readMessage(JSON.parse(JSON.stringify(message)));
    told.push(lent?.github?.token.reveal());
    for (const listener of listeners) if (lent !== null) listener(lent);
  });
  return { borrower, told, asks: () => asks, loan };
}

describe("a child", () => {
  test("gets what was made once for all, and the next ten minutes before that ends", async () => {
    const clock = new HandClock();
    const { lender, made } = makeLender(clock);
    const children = [makeChild(lender, clock), makeChild(lender, clock)];
    for (const { borrower } of children)
      expect((await borrower.github(never())).token.reveal()).toBe("ghs_1");
    await until(() => clock.sleeping === 1, "the lender waits for the end");
    clock.move(49 * MINUTE_MS);
    expect(made()).toBe(1);
    clock.move(MINUTE_MS);
    await until(() => children.every(({ told }) => told.at(-1) === "ghs_2"), "both were told");
    expect(made()).toBe(2);
    expect(children.map(({ asks }) => asks()).every((asks) => asks <= 1)).toBe(true);
  });

  test("that has one which ends within a minute asks, and gets another", async () => {
    const clock = new HandClock();
    const { lender } = makeLender(clock);
    const child = makeChild(lender, clock);
    await child.borrower.github(never());
    child.loan.end();
    // It was told nothing of the second.
    clock.move(59 * MINUTE_MS + 1);
    const other = makeChild(lender, clock);
    expect((await other.borrower.github(never())).token.reveal()).toBe("ghs_2");
    const late = faultOf(child.borrower.github(never()));
    await until(() => child.asks() >= 1, "it asks");
    clock.move(5_000);
    expect(await late).toMatchObject({ kind: "waiting", code: "CREDENTIALS_NOT_LENT" });
  });

  test("without an access to GitHub is told so, and its jobs are refused", async () => {
    const clock = new HandClock();
    const { lender } = makeLender(clock, { github: async () => null });
    const { borrower } = makeChild(lender, clock);
    expect(await faultOf(borrower.github(never()))).toMatchObject({
      ...{ kind: "refused", code: "GITHUB_NOT_CONFIGURED" },
    });
    expect(await borrower.s3(never())).toBeNull();
  });

  test("that is stopped while it waits is not kept", async () => {
    const clock = new HandClock();
    // It heeds no signal: closing waits for it no longer than for others.
    const { lender } = makeLender(clock, { github: () => new Promise(() => {}) });
    const stop = new AbortController();
    const asked = faultOf(makeChild(lender, clock).borrower.github(stop.signal));
    stop.abort();
    expect(await asked).toMatchObject({ code: "CREDENTIALS_NOT_LENT" });
  });
});

test("what cannot be made is tried again, and what has not ended serves meanwhile", async () => {
  const clock = new HandClock();
  let isDown = false;
  let tries = 0;
  const lines: string[] = [];
  const log = createLogger({
    ...{ level: "info", clock: systemClock, redact: (text: string) => text },
    write: (line) => void lines.push(line),
  });
  const { lender } = makeLender(clock, {
    log,
    github: async () => {
      tries += 1;
      if (isDown) throw new Error("GitHub is down");
      return github(`ghs_${tries}`, new Date(clock.now().getTime() + 60 * MINUTE_MS));
    },
  });
  const { borrower, told } = makeChild(lender, clock);
  await until(() => clock.sleeping === 1, "the first was made");
  isDown = true;
  clock.move(50 * MINUTE_MS);
  await until(() => tries === 2 && clock.sleeping === 1, "the second was tried");
  expect((await borrower.github(never())).token.reveal()).toBe("ghs_1");
  expect(lines.join("")).toContain("credentials.not-lent");
  isDown = false;
  clock.move(30_000);
  await until(() => told.at(-1) === "ghs_3", "the third was made");
});

test("a message is read as it was written, and what is not whole is left out", () => {
  const expiresAt = BEGAN;
  const lent: LentCredentials = {
    github: github("ghs_1", expiresAt),
    s3: {
      ...{ accessKeyId: "ASIA1", secretAccessKey: new SecretText("s"), expiresAt: null },
      sessionToken: new SecretText("t"),
    },
  };
  const read = readMessage(JSON.parse(JSON.stringify(toMessage(lent))));
  expect(read).toEqual(lent);
  expect(read?.github?.token.reveal()).toBe("ghs_1");
  expect(JSON.stringify(read)).not.toContain("ghs_1");
  const broken = { kind: "credentials.lent", github: { token: 1 }, s3: null };
  expect(readMessage(broken)).toEqual({ s3: null });
  expect([readMessage({ kind: "other" }), readMessage(null), readMessage("x")]).toEqual([
    null,
    null,
    null,
  ]);
});

test("a real child gets it over the channel, and has no token in its environment", async () => {
  const home = mkdtempSync(join(tmpdir(), "algobrain-lent-"));
  const out = join(home, "out");
  const entry = fileURLToPath(new URL("../support/borrowing-process.ts", import.meta.url));
  const { lender } = makeLender(systemClock);
  // The descriptor of its log takes what it says.
  const script = [process.execPath, "--import", "tsx", entry].map((part) => `'${part}'`).join(" ");
  const child = startChild(
    {
      ...{ name: "borrower", log: openSync(join(home, "log"), "a"), lender },
      argv: ["/bin/sh", "-c", `exec ${script} >'${out}'`],
      env: { PATH: process.env.PATH },
    },
    systemClock,
  );
  expect(await child.exited).toEqual({ code: 0, signal: null });
  expect(child.workerId()).toBe("general-worker-1");
  expect(readFileSync(out, "utf8")).toBe(
    "api.github.com#12345678/core ghs_1 [secret]\nnone in the environment\n",
  );
  rmSync(home, { recursive: true });
});

describe("tokens of an app", () => {
  const { privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2_048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs1", format: "pem" },
  });
  const app = { appId: 12, installationId: 7, slug: "algobrain", privateKey };

  test.each([
    ["all that jobs need", ["metadata", "contents", "pull_requests", "organization_hooks"], 1],
    ["less where the app was not granted all", ["metadata", "contents", "pull_requests"], 2],
    ["the least", ["metadata", "contents"], 3],
  ])("are asked for with %s, by the key that stays here", async (_, granted, requests) => {
    const standIn = await startStandInOrg({ org: "acme", token: "ghp_x", app, granted });
    const auth = { kind: "app", ...app } as const;
    const lend = createGitHubLender({ auth, apiUrl: standIn.url });
    const [one, other] = [await lend(never()), await lend(never())];
    await standIn.close();
    expect([one.token.reveal(), other.token.reveal()]).toEqual(["ghs_1", "ghs_2"]);
    expect(one.expiresAt!.getTime()).toBeGreaterThan(systemClock.now().getTime());
    // Another token of the same installation shares its limit.
    expect(other.scope).toBe(one.scope);
    expect(standIn.requests()).toHaveLength(2 * requests);
  });

  test("of an app that was granted nothing of it are a fault of its own words", async () => {
    const standIn = await startStandInOrg({ org: "acme", token: "ghp_x", app, granted: [] });
    const lend = createGitHubLender({ auth: { kind: "app", ...app }, apiUrl: standIn.url });
    const fault = await faultOf(lend(never()));
    await standIn.close();
    expect(fault.message).toContain("not granted");
  });

  test("a person's token is lent as it is, and its name in the budget does not tell it", async () => {
    const lend = createGitHubLender({
      ...{ auth: { kind: "token", token: "ghp_secret" }, apiUrl: "https://api.github.com" },
    });
    const { token, scope, expiresAt } = await lend(never());
    expect([token.reveal(), expiresAt]).toEqual(["ghp_secret", null]);
    expect(scope).toMatch(/^api\.github\.com#[0-9a-f]{8}\/core$/);
  });
});
