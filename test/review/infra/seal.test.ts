/** A seal holds one plan to one ground: each thing that differs is named, and nothing else passes for a seal. */
import { describe, expect, test } from "vitest";
import { checkSeal, readSeal, type Seal, type Sealable } from "../../../src/review/infra/seal.js";

const hex = (digit: string) => digit.repeat(64);
const SEAL: Seal = {
  ...{ version: 1, environment: "production", stack: "data", commit: "a".repeat(40) },
  ...{ policyDigest: hex("1"), lockSha256: hex("2"), planSha256: hex("3") },
  ...{ planJsonSha256: hex("4"), synthSha256: hex("5"), terraform: "1.11.4" },
  ...{
    imageTag: "c".repeat(40),
    stateLineage: "db55e729-1767",
    stateSerial: 17,
    verdict: "ok",
    purpose: "apply",
    madeAt: "2026-11-22T12:00:00.000Z",
  },
};
const { version: _, verdict: __, purpose: ____, madeAt: ___, ...GROUND } = SEAL;

describe("a seal", () => {
  test("of the same plan on the same ground has no difference, also read back from its file", () => {
    expect(checkSeal(SEAL, GROUND)).toEqual([]);
    expect(readSeal(JSON.parse(JSON.stringify(SEAL)))).toEqual(SEAL);
    const first = { ...SEAL, stateLineage: null, stateSerial: 0, imageTag: null };
    expect(readSeal(JSON.parse(JSON.stringify(first)))).toEqual(first);
  });

  const others: Sealable = {
    ...{ environment: "staging", stack: "network", commit: "b".repeat(40) },
    ...{ policyDigest: hex("a"), lockSha256: hex("b"), planSha256: hex("c") },
    ...{ planJsonSha256: hex("d"), synthSha256: hex("e"), terraform: "1.12.0" },
    ...{ stateLineage: null, stateSerial: 18, imageTag: "d".repeat(40) },
  };
  test.each(Object.keys(others) as (keyof Sealable)[])("of another %s is none", (field) => {
    const now = { ...GROUND, [field]: others[field] };
    expect(checkSeal(SEAL, now)).toEqual([
      { field, found: String(others[field] ?? "none"), expected: String(SEAL[field]) },
    ]);
  });

  test.each<[string, unknown]>([
    ["nothing", null],
    ["a list", [SEAL]],
    ["another version", { ...SEAL, version: 2 }],
    ["a short commit", { ...SEAL, commit: "abc" }],
    ["a digest in capitals", { ...SEAL, planSha256: "A".repeat(64) }],
    ["a missing digest", { ...SEAL, policyDigest: undefined }],
    ["a serial that is no number", { ...SEAL, stateSerial: "17" }],
    ["a serial that is no whole number", { ...SEAL, stateSerial: 17.5 }],
    ["an image that is no commit", { ...SEAL, imageTag: "latest" }],
    ["no image at all", { ...SEAL, imageTag: undefined }],
    ["a verdict nobody knows", { ...SEAL, verdict: "fine" }],
    ["a purpose nobody knows", { ...SEAL, purpose: "destroy" }],
    ["no purpose at all", { ...SEAL, purpose: undefined }],
    ["no lineage at all", { ...SEAL, stateLineage: undefined }],
    ["a stack outside of the folder", { ...SEAL, stack: "../data" }],
  ])("is not %s", (_what, json) => {
    expect(readSeal(json)).toBeNull();
  });
});
