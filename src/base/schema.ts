/** The one place that knows ajv: a JSON Schema (made with typebox) becomes a function that finds all faults. */
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import type { TSchema } from "typebox";

export interface SchemaFinding {
  /** JSON pointer (RFC 6901) to the value; "" is the whole. */
  readonly pointer: string;
  /** One clause: `must be string`, `unknown key "x"`, `must have key "y"`. */
  readonly message: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
}

export interface CompiledSchema<T> {
  /** All findings, none when the value fits. */
  check(value: unknown): SchemaFinding[];
  /** A type guard for values that are expected to fit. */
  fits(value: unknown): value is T;
  /** Compiles it now, for those who would rather wait at their start. Throws for a schema that is none. */
  prepare(): void;
}

const ajv = new Ajv({
  allErrors: true,
  strict: false,
  discriminator: true,
  validateFormats: false,
  // Its optimiser takes a third of the time to compile, and a command line waits for nothing else as long.
  code: { optimize: false },
});

/**
 * Compiles once, when it is first asked: most processes never ask most of them. Keep the result. Who wants a type
 * guard says `Static<typeof X>` as T: with T from the schema itself, each call makes the compiler compare one open
 * `Static<S>` with another, a second of its time.
 */
export function compileSchema<T = unknown>(schema: TSchema): CompiledSchema<T> {
  let compiled: ValidateFunction | null = null;
  const prepare = () => (compiled ??= ajv.compile(schema));
  const check = (value: unknown): SchemaFinding[] => {
    const validate = prepare();
    return validate(value) ? [] : (validate.errors ?? []).map(toFinding);
  };
  return { check, prepare, fits: (value): value is T => check(value).length === 0 };
}

function toFinding(error: ErrorObject): SchemaFinding {
  return {
    pointer: error.instancePath,
    message: describe(error),
    keyword: error.keyword,
    params: error.params,
  };
}

function describe(error: ErrorObject): string {
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case "additionalProperties":
      return `unknown key "${params.additionalProperty}"`;
    case "required":
      return `must have key "${params.missingProperty}"`;
    case "enum":
      return `must be one of ${(params.allowedValues as unknown[]).map((v) => JSON.stringify(v)).join(", ")}`;
    case "const":
      return `must be ${JSON.stringify(params.allowedValue)}`;
    default:
      return error.message ?? "is not valid";
  }
}
