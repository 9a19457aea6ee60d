/**
 * Log lines are events: one JSON object a line with a stable name `noun.participle` and flat fields
 * with units in their names. There are no prose-only logs; names are listed in docs/events.md.
 */
import type { Clock } from "./clock.js";
import type { Redact } from "./redact.js";

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** The same logger with fields on every line. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly clock: Clock;
  readonly redact: Redact;
  /** Takes one line without its newline. */
  readonly write: (line: string) => void;
  readonly fields?: LogFields;
  /** Also takes each line of an error, as it is written: redacted. */
  readonly onError?: ((line: string) => void) | undefined;
}

export function createLogger(options: LoggerOptions): Logger {
  const threshold = LOG_LEVELS.indexOf(options.level);
  const emit =
    (level: LogLevel) =>
    (event: string, fields: LogFields = {}) => {
      if (LOG_LEVELS.indexOf(level) < threshold) return;
      const line = {
        time: options.clock.now().toISOString(),
        level,
        event,
        ...options.fields,
        ...fields,
      };
      const written = options.redact(JSON.stringify(line, plainErrors));
      options.write(written);
      if (level === "error") options.onError?.(written);
    };
  return {
    debug: emit("debug"),
    info: emit("info"),
    warn: emit("warn"),
    error: emit("error"),
    child: (fields) => createLogger({ ...options, fields: { ...options.fields, ...fields } }),
  };
}

function plainErrors(_key: string, value: unknown): unknown {
  if (value instanceof Error) return value.message;
  return typeof value === "bigint" ? value.toString() : value;
}

/** For tests and tools that want no output. */
export const silentLogger: Logger = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLogger,
};
