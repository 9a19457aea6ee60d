import { describe, expect, it } from "vitest";
import { KindRegistry, PUBLIC_KINDS } from "../../src/job/kinds.js";
import { SYSTEM_KINDS } from "../../src/runtime/handler/system-kinds.js";
import { WORKLOAD_KINDS } from "../../src/workload/payloads.js";

const registry = new KindRegistry([...WORKLOAD_KINDS, ...SYSTEM_KINDS]);

describe("payloads", () => {
  it("are known for each of the twelve public kinds, and no other", () => {
    expect(registry.names().sort()).toEqual([...PUBLIC_KINDS].sort());
  });

  it.each([
    ["index", { org_id: "test-org", org_name: "Test Org" }],
    ["index", { path: "/srv/repositories" }],
    ["identity", { repo_id: "repo-123" }],
    ["score", { repo_id: "repo-123" }],
    ["score", { repo_id: "repo-123", as_of: "2026-01-31" }],
    ["ingest", { delivery_id: "72d3162e-cc78-11e3-81ab-4c9367dc0958" }],
    ["sync", {}],
    ["sync", { repo_id: "repo-123" }],
    ["gc", {}],
    ["gc", { dry_run: true }],
    ["alert", {}],
    ["alert", { title: "Hello", text: "…", severity: "sev4", receivers: ["oncall"] }],
    ["export", { entity: "events" }],
    ["audit", {}],
    ["repair", { repair_type: "cleanup_orphaned_claims" }],
    ["repair", { repair_type: "rebuild_indexes" }],
    [
      "repair",
      { repair_type: "merge_identities", identity_ids: ["a", "b"], target_identity_id: "c" },
    ],
    ["backfill", { entity: "scores", start_date: "2026-01-01", end_date: "2026-01-31" }],
    ["maintenance", {}],
  ])("of the handbook fit: %s %j", (kind, payload) => {
    expect(registry.checkPayload(kind, payload)).toEqual([]);
  });

  it.each([
    ["index", {}, ""],
    ["index", { path: "/srv", org_id: "1", org_name: "acme" }, ""],
    ["index", { path: "" }, "/path"],
    ["identity", {}, ""],
    ["identity", { repo_id: 7 }, "/repo_id"],
    ["score", { repo_id: "r", as_of: "31.01.2026" }, "/as_of"],
    ["ingest", { delivery_id: null }, "/delivery_id"],
    ["sync", { repo: "r" }, ""],
    ["gc", { dry_run: "yes" }, "/dry_run"],
    ["alert", { severity: "P1" }, "/severity"],
    ["alert", { receivers: ["a", "a"] }, "/receivers"],
    ["export", { entity: "passwords" }, "/entity"],
    ["audit", { from: 1 }, ""],
    ["repair", {}, ""],
    ["repair", { repair_type: "magic" }, ""],
    [
      "repair",
      { repair_type: "merge_identities", identity_ids: [], target_identity_id: "c" },
      "/identity_ids",
    ],
    ["repair", { repair_type: "rebuild_indexes", identity_ids: ["a"] }, ""],
    ["backfill", { entity: "jobs", start_date: "2026-01-01", end_date: "2026-01-31" }, "/entity"],
    [
      "backfill",
      { entity: "scores", start_date: "2026-13-01", end_date: "2026-01-31" },
      "/start_date",
    ],
    ["maintenance", { task: "drop" }, "/task"],
  ])("are refused with the place of the mistake: %s %j", (kind, payload, pointer) => {
    const findings = registry.checkPayload(kind, payload);
    expect(findings.map((finding) => finding.pointer)).toContain(pointer);
  });
});
