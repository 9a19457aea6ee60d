/** Job kinds for tests of the API: the handbook's names with payloads that have something to refuse. */
import { Type } from "../../src/base/type.js";
import { KindRegistry, type KindSpec, PUBLIC_KINDS } from "../../src/job/kinds.js";
import { INTERNAL_KIND_SPECS } from "../../src/job/payloads.js";

const closed = { additionalProperties: false } as const;
const day = Type.String({ pattern: "^\\d{4}-\\d{2}-\\d{2}$" });

const PAYLOADS: Partial<Record<string, KindSpec["payload"]>> = {
  score: Type.Object({ repo_id: Type.String({ minLength: 1 }) }, closed),
  backfill: Type.Object({ entity: Type.String(), start_date: day, end_date: day }, closed),
};

const specs = PUBLIC_KINDS.map(
  (kind): KindSpec => ({ kind, lane: "general", payload: PAYLOADS[kind] ?? Type.Object({}) }),
);

export const testKinds = new KindRegistry([...specs, ...INTERNAL_KIND_SPECS]);
