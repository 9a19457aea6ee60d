/**
 * The registry of job kinds. The twelve public kinds are the handbook's (HB-db-06); `runbook`,
 * `notice` and `inbound` are internal: own slots, never paused, never stopped by safe mode, outside
 * caps, queue metrics and healing rates (design 8.3). Tests and benchmarks register their own.
 */

import type { TSchema } from "typebox";
import { type CompiledSchema, compileSchema, type SchemaFinding } from "../base/schema.js";

export const PUBLIC_KINDS = [
  "index",
  "identity",
  "score",
  "ingest",
  "sync",
  "gc",
  "alert",
  "export",
  "audit",
  "repair",
  "backfill",
  "maintenance",
] as const;

export const INTERNAL_KINDS = ["runbook", "notice", "inbound"] as const;

/** Claimed in safe mode, besides the internal lane. */
export const SAFE_MODE_KINDS: readonly string[] = ["repair", "audit", "alert"];

/** The public kinds run in one; what must not wait on them, and what acts with rights of its own, each in another. */
export const LANES = ["general", "internal", "executor"] as const;
export type Lane = (typeof LANES)[number];

export interface KindSpec {
  readonly kind: string;
  readonly lane: Lane;
  /** What a payload must look like; checked at every door and again before the handler runs. */
  readonly payload: TSchema;
}

export class KindRegistry {
  readonly #specs = new Map<string, { spec: KindSpec; schema: CompiledSchema<unknown> }>();

  constructor(specs: readonly KindSpec[]) {
    for (const spec of specs) {
      if (this.#specs.has(spec.kind))
        throw new Error(`job kind "${spec.kind}" is registered twice`);
      this.#specs.set(spec.kind, { spec, schema: compileSchema(spec.payload) });
    }
  }

  get(kind: string): KindSpec | undefined {
    return this.#specs.get(kind)?.spec;
  }

  names(lane?: Lane): string[] {
    return [...this.#specs.values()]
      .map(({ spec }) => spec)
      .filter((spec) => lane === undefined || spec.lane === lane)
      .map((spec) => spec.kind);
  }

  /** The first job of a kind, and all that run beside it, would wait for its schema to be compiled (5 to 20 ms). */
  prepare(kinds: readonly string[]): void {
    for (const kind of kinds) this.#specs.get(kind)?.schema.prepare();
  }

  /** All findings about a payload; the kind must be known. */
  checkPayload(kind: string, payload: unknown): SchemaFinding[] {
    const entry = this.#specs.get(kind);
    if (!entry) throw new Error(`unknown job kind "${kind}"`);
    return entry.schema.check(payload);
  }
}
