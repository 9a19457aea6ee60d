/** The published vectors of Slack and GitHub, two of PagerDuty's form, and each with one thing wrong: every byte in turn. */
import { describe, expect, test } from "vitest";
import { verifyPagerDutySignature } from "../../src/bot/pagerduty-signature.js";
import { verifySlackSignature } from "../../src/bot/slack-signature.js";
import { isSignedBy } from "../../src/web/route/github.js";

/** The same bytes with one bit of one of them turned, for each of them. */
function* withOneByteChanged(body: Buffer): Generator<Buffer> {
  for (const at of body.keys()) {
    const changed = Buffer.from(body);
    changed[at] = changed[at]! ^ 1;
    yield changed;
  }
}

/** The same signature with one digit changed, for each of them; its prefix stays. */
function* withOneDigitChanged(signature: string): Generator<string> {
  for (let at = signature.indexOf("=") + 1; at < signature.length; at++) {
    const other = signature[at] === "0" ? "1" : "0";
    yield `${signature.slice(0, at)}${other}${signature.slice(at + 1)}`;
  }
}

describe("Slack", () => {
  const vector = {
    secret: "8f742231b10e8888abcd99yyyzzz85a5",
    timestamp: "1531420618",
    signature: "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    body: Buffer.from(
      "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
    ),
    now: new Date(1531420618_000),
  };
  const at = (seconds: number) => new Date((1531420618 + seconds) * 1_000);

  test.each<[string, Partial<Parameters<typeof verifySlackSignature>[0]>, string]>([
    ["the published vector fits", {}, "authentic"],
    ["300 s later it still counts", { now: at(300) }, "authentic"],
    ["301 s later it is stale", { now: at(301) }, "stale"],
    ["300 s in the future still counts", { now: at(-300) }, "authentic"],
    ["301 s in the future is refused", { now: at(-301) }, "stale"],
    ["an hour in the future is refused", { now: at(-3_600) }, "stale"],
    ["one byte of the body changed", { body: Buffer.from(`${vector.body}x`) }, "mismatch"],
    ["another timestamp", { timestamp: "1531420619" }, "mismatch"],
    ["one digit changed", { signature: vector.signature.replace(/3$/, "4") }, "mismatch"],
    ["another secret", { secret: "another-secret" }, "mismatch"],
    [
      "upper-case hex",
      { signature: vector.signature.toUpperCase().replace("V0", "v0") },
      "malformed",
    ],
    ["another version", { signature: vector.signature.replace("v0", "v1") }, "malformed"],
    ["cut off", { signature: "v0=a2114d" }, "malformed"],
    ["a timestamp that is no number", { timestamp: "1531420618abc" }, "malformed"],
    ["no signature", { signature: undefined }, "missing"],
    ["no timestamp", { timestamp: undefined }, "missing"],
  ])("%s", (_claim, change, verdict) => {
    expect(verifySlackSignature({ ...vector, ...change })).toBe(verdict);
  });

  test("any one byte of the body or digit of the signature changed does not fit", () => {
    const verdicts = [
      ...[...withOneByteChanged(vector.body)].map((body) => ({ body })),
      ...[...withOneDigitChanged(vector.signature)].map((signature) => ({ signature })),
    ].map((change) => verifySlackSignature({ ...vector, ...change }));
    expect(verdicts).toHaveLength(vector.body.length + 64);
    expect(new Set(verdicts)).toEqual(new Set(["mismatch"]));
  });
});

describe("GitHub", () => {
  const secret = "It's a Secret to Everybody";
  const body = Buffer.from("Hello, World!");
  const signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

  // No time is signed: a stale delivery and one of the future are told by their delivery id alone.
  test.each<[string, unknown, boolean]>([
    ["the published vector fits", signature, true],
    ["no header", undefined, false],
    ["an empty header", "", false],
    ["the header twice", [signature, signature], false],
    ["joined with another", `${signature}, ${signature}`, false],
    ["the old version", signature.replace("sha256", "sha1"), false],
    ["another version", signature.replace("sha256", "sha512"), false],
    ["an upper-case version", signature.replace("sha256", "SHA256"), false],
    ["without a version", signature.replace("sha256=", ""), false],
    ["upper-case hex", `sha256=${signature.slice(7).toUpperCase()}`, false],
    ["cut off", signature.slice(0, -1), false],
    ["one digit too many", `${signature}0`, false],
    ["with a blank", ` ${signature}`, false],
  ])("%s", (_claim, header, isAuthentic) => {
    expect(isSignedBy(secret, body, header)).toBe(isAuthentic);
  });

  test("any one byte of the body or digit of the signature changed does not fit", () => {
    for (const changed of withOneByteChanged(body))
      expect(isSignedBy(secret, changed, signature)).toBe(false);
    for (const changed of withOneDigitChanged(signature))
      expect(isSignedBy(secret, body, changed)).toBe(false);
  });
});

describe("PagerDuty", () => {
  const body = Buffer.from(
    '{"event":{"id":"01EXAMPLE","event_type":"pagey.ping","resource_type":"pagey","note":"zażółć ✓"}}',
  );
  const OLD = "v1=f9c077af755793e230d5c9515a13a45bfac9022ce564ccaa54e0836c4a3ed4e7";
  const NEW = "v1=d9b43715275f1b86cf11c0764c55be378b11ae1b12cd332f2b6996d17f115255";
  const verify = (header: string | undefined, secrets = ["new-secret"], bytes: Buffer = body) =>
    verifyPagerDutySignature({ secrets, header, body: bytes });

  test.each<[string, string | undefined, string]>([
    ["the only signature fits", NEW, "authentic"],
    ["one of two fits", `${OLD},${NEW}`, "authentic"],
    ["blanks do not matter", ` ${OLD} , ${NEW} `, "authentic"],
    ["other versions are passed over", `v2=abc,${NEW}`, "authentic"],
    ["none fits", OLD, "mismatch"],
    ["only other versions", NEW.replace("v1", "v2"), "malformed"],
    ["upper-case hex", NEW.toUpperCase().replace("V1", "v1"), "malformed"],
    ["no header", undefined, "missing"],
    ["an empty header", " ", "missing"],
    ["another version, upper case", NEW.replace("v1", "V1"), "malformed"],
    ["without a version", NEW.replace("v1=", ""), "malformed"],
    ["cut off", NEW.slice(0, -1), "malformed"],
    ["one digit too many", `${NEW}0`, "malformed"],
    ["a fitting one behind too many others", `${`${OLD},`.repeat(8)}${NEW}`, "mismatch"],
  ])("%s", (_claim, header, verdict) => {
    expect(verify(header)).toBe(verdict);
  });

  test("while we rotate, the old secret counts, too", () => {
    expect(verify(OLD, ["new-secret", "old-secret"])).toBe("authentic");
  });

  // No time is signed: a stale delivery and one of the future are told by their delivery id alone.
  test("any one byte of the body or digit of the signature changed does not fit", () => {
    expect(verify(NEW, ["new-secret"], Buffer.concat([body, Buffer.from(" ")]))).toBe("mismatch");
    for (const changed of withOneByteChanged(body))
      expect(verify(NEW, ["new-secret"], changed)).toBe("mismatch");
    for (const changed of withOneDigitChanged(NEW)) expect(verify(changed)).toBe("mismatch");
  });
});
