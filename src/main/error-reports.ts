/** Errors of the log, to Sentry as well: only where `SENTRY_DSN` says where that is (HB-env-29). */
import { createSentry } from "../adapter/sentry.js";
import type { ErrorSink } from "../alert/port.js";
import { systemClock } from "../base/clock.js";
import type { JsonObject } from "../base/json.js";
import type { Config } from "../runtime/config.js";

export interface ErrorReports {
  /** Takes a line of the log, redacted. */
  readonly onError: (line: string) => void;
  /** Sends what is left; at most for two seconds. */
  flush(): Promise<void>;
}

const FLUSH_MS = 2_000;

/** @param onLost takes what could not be sent, at most once a minute; a warning, or it would be an error again */
export function createErrorReports(
  { sentryDsn: dsn, commit: release, environment }: Config,
  onLost: (lost: { readonly count: number; readonly error: string }) => void,
): ErrorReports | null {
  if (dsn === null) return null;
  const sink = createSentry({ dsn, release, environment, now: () => systemClock.now(), onLost });
  return {
    onError: (line) => report(sink, line),
    flush: () => sink.flush(AbortSignal.timeout(FLUSH_MS)),
  };
}

function report(sink: ErrorSink, line: string): void {
  const { event, error, code, time: _, level: __, ...fields } = JSON.parse(line) as JsonObject;
  sink.report({
    event: String(event),
    error: typeof error === "string" ? error : String(event),
    code: typeof code === "string" ? code : null,
    fields,
  });
}
