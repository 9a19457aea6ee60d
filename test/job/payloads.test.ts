import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/base/json.js";
import { INTERNAL_KINDS, KindRegistry, PUBLIC_KINDS } from "../../src/job/kinds.js";
import { JOB_KINDS } from "../../src/job/payloads.js";

const registry = new KindRegistry(JOB_KINDS);

const good: readonly [string, JsonObject][] = [
  ["index", { org_id: "o-1", org_name: "acme" }],
  ["index", { path: "/srv/repos" }],
  ["identity", { repo_id: "r-1" }],
  ["score", { repo_id: "r-1" }],
  ["sync", { repo_id: "r-1" }],
  ["ingest", { inbound_id: 3 }],
  ["gc", {}],
  ["alert", { title: "hello" }],
  ["export", { entity: "scores" }],
  ["audit", {}],
  [
    "repair",
    { repair_type: "merge_identities", identity_ids: ["a", "b"], target_identity_id: "c" },
  ],
  ["repair", { repair_type: "cleanup_orphaned_claims" }],
  ["repair", { repair_type: "rebuild_indexes" }],
  ["backfill", { entity: "scores", start_date: "2026-01-01", end_date: "2026-01-31" }],
  ["maintenance", {}],
  ["runbook", { run_id: "run-1" }],
  ["notice", { notice_id: 1 }],
  ["inbound", { inbound_id: 1 }],
];

const bad: readonly [string, JsonObject, string, string][] = [
  ["index", {}, "", 'must have key "path"'],
  ["identity", {}, "", 'must have key "repo_id"'],
  ["identity", { repo_id: 7 }, "/repo_id", "must be string"],
  ["score", { repo_id: "r", extra: 1 }, "", 'unknown key "extra"'],
  ["repair", { repair_type: "merge_identities" }, "", 'must have key "identity_ids"'],
  [
    "backfill",
    { entity: "scores", start_date: "1 May", end_date: "2026-01-31" },
    "/start_date",
    "",
  ],
  ["gc", { dry_run: "yes" }, "/dry_run", "must be boolean"],
];

describe("payloads", () => {
  it("cover the twelve public kinds of the handbook and the internal ones", () => {
    expect(registry.names("public")).toEqual([...PUBLIC_KINDS]);
    expect(registry.names("internal")).toEqual([...INTERNAL_KINDS]);
  });

  it.each(good)("of %s accept %j", (kind, payload) => {
    expect(registry.checkPayload(kind, payload)).toEqual([]);
  });

  it.each(bad)("of %s refuse %j at pointer %j", (kind, payload, pointer, message) => {
    const finding = registry.checkPayload(kind, payload).find((found) => found.pointer === pointer);
    expect(finding?.message).toContain(message);
  });

  it("name the unknown repair type at its pointer", () => {
    const findings = registry.checkPayload("repair", { repair_type: "magic" });
    expect(findings).toHaveLength(1);
    expect(findings[0]?.message).toContain("repair_type");
  });
});
