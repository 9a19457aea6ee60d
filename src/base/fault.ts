/**
 * A fault says what happens next. It is named where most is known (at the adapter, in the handler)
 * and acted on in one place. The five healing kinds are the handbook's (HB-heal-01…05); `waiting`
 * (come back at a time, no attempt burnt: X-16) and `refused` (asked wrongly: answer the asker)
 * never reach `healdec_log`.
 */
const HEALING_FAULT_KINDS = ["transient", "crash", "data", "partial", "critical"] as const;
export type HealingFaultKind = (typeof HEALING_FAULT_KINDS)[number];
/** What the healing engine does about one of them (HB-heal-01…05). */
export const HEALING_STRATEGIES = [
  "retry",
  "restart",
  "quarantine",
  "rollback",
  "escalate",
] as const;
export type HealingStrategy = (typeof HEALING_STRATEGIES)[number];
export type FaultKind = HealingFaultKind | "waiting" | "refused";

export interface FaultOptions {
  /** What a person should do about it, in one sentence. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
  /** Only for `waiting` and `transient`: not before this many milliseconds. */
  readonly retryAfterMs?: number | undefined;
  /** The other side asks every caller to wait, not this call alone: a shared gate closes until then. */
  readonly asksAll?: boolean | undefined;
  /** Small, redacted facts for the log and the audit: never secrets, never foreign text of any length. */
  readonly details?: Readonly<Record<string, string | number | boolean | null>> | undefined;
}

export class Fault extends Error {
  override readonly name = "Fault";
  readonly kind: FaultKind;
  /** Stable, SCREAMING_SNAKE, listed in docs/errors.md. */
  readonly code: string;
  readonly hint: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly asksAll: boolean;
  readonly details: Readonly<Record<string, string | number | boolean | null>>;

  constructor(kind: FaultKind, code: string, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.code = code;
    this.hint = options.hint;
    this.retryAfterMs = options.retryAfterMs;
    this.asksAll = options.asksAll ?? false;
    this.details = options.details ?? {};
  }
}

type Make = (code: string, message: string, options?: FaultOptions) => Fault;
const make =
  (kind: FaultKind): Make =>
  (code, message, options) =>
    new Fault(kind, code, message, options);

export const fault = {
  transient: make("transient"),
  crash: make("crash"),
  data: make("data"),
  partial: make("partial"),
  critical: make("critical"),
  waiting: make("waiting"),
  refused: make("refused"),
} as const;

/** Any thrown value as a fault. Unknown errors are transient: retries are bounded, and then a person looks. */
export function toFault(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown;
  const message = errorMessage(thrown);
  return new Fault("transient", "UNEXPECTED", message, { cause: thrown });
}

/** Never throws: anything may be thrown, also an object that refuses to be a text. */
export function errorMessage(thrown: unknown): string {
  try {
    return thrown instanceof Error ? String(thrown.message) : String(thrown);
  } catch {
    return "something was thrown that cannot be told";
  }
}
