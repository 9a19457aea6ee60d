/** Incidents of our own as runbooks may see and change them (RB-103, AM-inc-01). */
import type { Severity } from "../policy/policy.js";

export interface IncidentView {
  /** `INC-2026-11-22-001`. */
  readonly number: string;
  readonly title: string;
  readonly severity: Severity;
  readonly status: "open" | "acknowledged" | "closed";
  readonly openedBy: string;
  readonly startedAt: Date;
  /** By when somebody answers. */
  readonly respondBy: Date;
  readonly resolvedAt: Date | null;
  /** Until when its review is held; null: none is asked for, or it is not closed. */
  readonly reviewBy: Date | null;
}

export interface IncidentReader {
  /** Null: there is none of this number. */
  incident(number: string): Promise<IncidentView | null>;
  /** Newest first. */
  openIncidents(): Promise<readonly IncidentView[]>;
}

export interface IncidentWriter {
  /** Answers with its number. The same key again is the same incident, while it is open. */
  openIncident(request: {
    readonly key: string;
    readonly title: string;
    readonly severity: Severity;
    readonly startedAt: Date;
  }): Promise<string>;
  /** Throws a refused fault when it is unknown, or closed already. */
  closeIncident(request: {
    readonly number: string;
    readonly findings: {
      readonly symptoms: string;
      readonly rootCause: string;
      readonly resolution: string;
      readonly prevention: string;
    };
    readonly resolvedAt: Date;
  }): Promise<void>;
  /** False when it is not closed, or its cause has another open one. */
  reopenIncident(request: { readonly number: string }): Promise<boolean>;
  /** Files the log (AM-inc-01); answers with its place. */
  keepIncidentLog(request: { readonly number: string }): Promise<string>;
}
