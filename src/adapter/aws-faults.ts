/** What AWS's refusals mean. One service says 400 where another says 403, so their names are asked before the status. */
import { Fault, fault } from "../base/fault.js";
import {
  CREDENTIAL_RETRY_MS,
  faultOfFailure,
  faultOfStatus,
  RATE_LIMIT_DEFAULT_MS,
} from "./http.js";

export interface AwsCall {
  /** Prefix of fault codes. */
  readonly system: "S3" | "KMS";
  /** What was asked, e.g. `the bundle`. */
  readonly subject: string;
  /** Milliseconds for the whole call. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Calls with a deadline; `work` hands the signal to the SDK. Throws a Fault of the kind that the answer means. */
export async function callAws<T>(
  call: AwsCall,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = AbortSignal.timeout(call.timeoutMs);
  try {
    return await work(AbortSignal.any([call.signal, deadline]));
  } catch (error) {
    throw faultOfAws(call, deadline, error);
  }
}

const THROTTLED = /throttl|slowdown|toomanyrequests|limitexceeded/i;
const UNAUTHORIZED =
  /AccessDenied|UnrecognizedClient|InvalidSignature|SignatureDoesNotMatch|InvalidAccessKeyId|ExpiredToken|InvalidClientTokenId/;
/** Before any call: the SDK has not found what it needs. */
const NOT_SET_UP = /CredentialsProviderError|Region is missing/;

function faultOfAws(call: AwsCall, deadline: AbortSignal, error: unknown): Fault {
  if (error instanceof Fault) return error;
  const { system, subject, signal, timeoutMs } = call;
  const name = error instanceof Error ? error.name : "";
  const status = statusOf(error);
  const details = { status, name };
  if (THROTTLED.test(name)) {
    return fault.waiting(`${system}_RATE_LIMITED`, "it asked us to slow down", {
      ...{ retryAfterMs: RATE_LIMIT_DEFAULT_MS, asksAll: true, details, cause: error },
    });
  }
  if (NOT_SET_UP.test(`${name} ${String(error)}`) || UNAUTHORIZED.test(name)) {
    return fault.waiting(`${system}_UNAUTHORIZED`, `it refused ${subject}: ${name}`, {
      ...{ retryAfterMs: CREDENTIAL_RETRY_MS, details, cause: error },
      hint: "set AWS_REGION, and give this process a role or keys that may do it (docs/operating.md)",
    });
  }
  const headers = headersOf(error);
  const refusal = status === null ? null : faultOfStatus(system, { status, headers }, subject);
  return refusal ?? faultOfFailure({ system, timeoutMs, signal, deadline, error });
}

/** Null when there was no answer. */
export function statusOf(error: unknown): number | null {
  const { $metadata } = error as { $metadata?: { httpStatusCode?: unknown } };
  const status = $metadata?.httpStatusCode;
  return typeof status === "number" ? status : null;
}

function headersOf(error: unknown): Headers {
  const { $response } = error as { $response?: { headers?: Record<string, string> } };
  return new Headers($response?.headers ?? {});
}
