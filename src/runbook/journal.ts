/** What is kept on this machine while the database is away, and taken over once when it is back. */
import type { JsonObject } from "../base/json.js";

export type JournalEntry =
  | {
      readonly kind: "inbound";
      /** `<source>/<delivery id>`. */
      readonly key: string;
      readonly source: "slack" | "pagerduty" | "github";
      readonly deliveryId: string;
      readonly eventType: string;
      readonly body: JsonObject;
    }
  | {
      readonly kind: "page";
      readonly key: string;
      readonly dedupKey: string;
      readonly title: string;
      readonly severity: "sev1";
      readonly reference: string;
    }
  | {
      readonly kind: "order";
      readonly key: string;
      readonly order: "stop" | "resume";
      readonly by: string;
      readonly reason: string;
    }
  | {
      readonly kind: "terminal-run";
      readonly key: string;
      readonly runbook: string;
      readonly params: JsonObject;
      readonly by: string;
      readonly outcome: string;
    };

export interface Journal {
  /**
   * On disk for good (fsync) when it resolves. `known`: this key is in a segment that was not taken over yet.
   * Throws a transient fault when the volume is full or read only.
   */
  append(entry: JournalEntry): Promise<"kept" | "known">;
  /** Entries that wait to be taken over. */
  pending(): number;
}
