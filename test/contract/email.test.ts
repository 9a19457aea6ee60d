import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createEmailNotifier } from "../../src/adapter/email.js";
import { type StandInSmtp, startStandInSmtp } from "../../src/adapter/stand-in/smtp.js";
import type { Delivery } from "../../src/alert/port.js";
import type { Receiver } from "../../src/policy/policy.js";
import { faultOf, makeDelivery, never } from "./delivery.js";

let server: StandInSmtp;
beforeEach(async () => {
  server = await startStandInSmtp();
});
afterEach(() => server.close());

const RECEIVER: Receiver = {
  ...{ name: "mail", kind: "email", to: ["ann@example.com", "ops@example.com"] },
  ...{ perMinuteMax: 20, triesMax: null, sendResolved: true },
};
const FROM = "AlgoBrain <alerts@example.com>";
const notifierOf = (url: string, timeoutMs = 2_000) =>
  createEmailNotifier({ url, from: FROM, timeoutMs });
const deliver = (overrides: Partial<Delivery> = {}, url = server.url, signal = never()) =>
  notifierOf(url).deliver(makeDelivery({ receiver: RECEIVER, ...overrides }), signal);
const headersOf = (at: number) => server.received[at]!.data.split("\n\n")[0]!;
const headerOf = (name: string, at = 0) =>
  new RegExp(`^${name}: (.*)$`, "mi").exec(headersOf(at))?.[1];

test("a notice arrives at everyone, with its title as the subject and nothing that is markup", async () => {
  const { reference } = await deliver({
    message: {
      tone: "bad",
      title: "SEV1 Kü",
      text: ".a line that begins with a dot\nand a second",
    },
  });
  const [mail] = server.received;
  expect(mail).toMatchObject({
    from: "alerts@example.com",
    to: RECEIVER.kind === "email" && RECEIVER.to,
  });
  expect(mail!.data).toContain(".a line that begins with a dot\nand a second");
  expect(headerOf("Subject")).toMatch(/=\?UTF-8\?|SEV1 Kü/);
  expect(headerOf("Message-ID")).toBe(reference);
  expect(headerOf("Auto-Submitted")).toBe("auto-generated");
});

test("the same notice again is the same mail, another of the same trouble is in its thread", async () => {
  await deliver({ noticeId: 7 });
  await deliver({ noticeId: 7 });
  await deliver({ noticeId: 8, action: "resolve" });
  const ids = [0, 1, 2].map((at) => headerOf("Message-ID", at));
  expect(ids[0]).toBe(ids[1]);
  expect(ids[2]).not.toBe(ids[0]);
  expect(headerOf("References", 0)).toBe(headerOf("References", 2));
  expect([headerOf("In-Reply-To", 0), headerOf("In-Reply-To", 2)]).toEqual([
    undefined,
    headerOf("References", 2),
  ]);
});

test("a title cannot smuggle in a header or a recipient", async () => {
  const title = "x\r\nBcc: eve@example.com\r\n\r\nbody";
  await deliver({ message: { tone: "bad", title } });
  expect(server.received[0]!.to).not.toContain("eve@example.com");
  expect(headerOf("Bcc")).toBeUndefined();
});

describe("what goes wrong has a kind", () => {
  test.each([
    ["MAIL", "451 4.3.0 later", { kind: "transient", code: "EMAIL_FAILED" }],
    ["RCPT", "550 5.1.1 no such user", { kind: "data", code: "EMAIL_REFUSED" }],
    ["DATA", "554 5.7.1 spam", { kind: "data", code: "EMAIL_REFUSED" }],
    [".", "452 4.3.1 disk full", { kind: "transient", code: "EMAIL_FAILED" }],
    ["AUTH", "535 5.7.8 bad password", { kind: "waiting", code: "EMAIL_UNAUTHORIZED" }],
  ] as const)("%s answered with %s", async (command, line, expected) => {
    // A refused recipient of two is told only when both are: the other would get it.
    server.answer(command, line);
    if (command === "RCPT") {
      const one: Receiver = { ...RECEIVER, kind: "email", to: ["gone@example.com"] };
      expect(await faultOf(deliver({ receiver: one }))).toMatchObject(expected);
    } else expect(await faultOf(deliver())).toMatchObject(expected);
    expect(server.received).toEqual([]);
  });

  test("no server, a silent server, a caller that stops: it may be tried again", async () => {
    const { url } = server;
    server.answer("MAIL", null);
    expect(
      await faultOf(notifierOf(url, 200).deliver(makeDelivery({ receiver: RECEIVER }), never())),
    ).toMatchObject({
      ...{ kind: "transient", code: "EMAIL_TIMED_OUT" },
    });
    expect(await faultOf(deliver({}, url, AbortSignal.abort()))).toMatchObject({
      kind: "transient",
    });
    expect(await faultOf(deliver({}, "smtp://127.0.0.1:1"))).toMatchObject({
      ...{ kind: "transient", code: "EMAIL_FAILED" },
    });
  });

  test("its words name neither user nor password", async () => {
    const wrong = server.url.replace("secret", "guessed");
    const found = await faultOf(deliver({}, wrong));
    expect(JSON.stringify([found.message, found.hint, found.details])).not.toMatch(/guessed/);
  });

  test("a receiver of another kind is a mistake of ours", async () => {
    expect(await faultOf(deliver({ receiver: makeDelivery().receiver }))).toMatchObject({
      code: "EMAIL_WRONG_RECEIVER",
    });
  });
});
