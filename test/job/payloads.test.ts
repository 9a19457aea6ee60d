import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import { INTERNAL_KINDS, KindRegistry } from "../../src/job/kinds.js";
import { INTERNAL_KIND_SPECS } from "../../src/job/payloads.js";

const registry = new KindRegistry(INTERNAL_KIND_SPECS);

describe("payloads of the internal kinds", () => {
  it("cover every internal kind, and nothing else", () => {
    expect(registry.names().sort()).toEqual([...INTERNAL_KINDS].sort());
    expect(registry.names("general")).toEqual([]);
  });

  it.each<[string, JsonObject]>([
    ["runbook", { run_id: "run-1" }],
    ["notice", { notice_id: 1 }],
    ["inbound", { inbound_id: 1 }],
  ])("of %s accept %j", (kind, payload) => {
    expect(registry.checkPayload(kind, payload)).toEqual([]);
  });

  it.each<[string, JsonObject, string, string]>([
    ["runbook", {}, "", 'must have key "run_id"'],
    ["runbook", { run_id: "run-0" }, "/run_id", "must match pattern"],
    ["notice", { notice_id: "1" }, "/notice_id", "must be integer"],
    ["inbound", { inbound_id: 1, more: true }, "", 'unknown key "more"'],
  ])("of %s refuse %j at pointer %j", (kind, payload, pointer, message) => {
    const findings = registry.checkPayload(kind, payload);
    expect(findings.map((found) => [found.pointer, found.message])).toEqual([
      [pointer, expect.stringContaining(message)],
    ]);
  });
});
