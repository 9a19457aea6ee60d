/** Notices as mail over SMTP: the only file that knows nodemailer. Plain text, so that it reads on any telephone. */
import { createHash } from "node:crypto";
import type { Delivery, Notifier } from "../alert/port.js";
import { errorMessage, Fault, fault } from "../base/fault.js";
import { oneLine, toPlain } from "../message/plain.js";
import { CREDENTIAL_RETRY_MS } from "./http.js";

export interface EmailOptions {
  /** `smtp://user:password@host:587` (STARTTLS where the server has it) or `smtps://…`. */
  readonly url: string;
  /** The sender: `AlgoBrain <alerts@example.com>`. */
  readonly from: string;
  /** Milliseconds for the whole delivery. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 10_000;

export function createEmailNotifier(options: EmailOptions): Notifier {
  return { kind: "email", deliver: (delivery, signal) => deliver(options, delivery, signal) };
}

async function deliver(options: EmailOptions, delivery: Delivery, signal: AbortSignal) {
  const mail = toMail(options.from, delivery);
  // Loaded when mail is first sent: most processes never do.
  const { createTransport } = await import("nodemailer");
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const waits = {
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
  };
  const transport = createTransport({ url: options.url, ...waits });
  const given = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const { messageId } = await untilAborted(transport.sendMail(mail), given);
    return { reference: messageId };
  } catch (error) {
    throw toFault(error, given);
  } finally {
    transport.close();
  }
}

/** The library takes no signal: its connection is closed when we stop waiting for it. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(new Error("given up"));
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
    work.catch(() => {
      // Said already: what ends now is only the connection that we close.
    });
  }
}

function toMail(from: string, { receiver, dedupKey, action, noticeId, source, message }: Delivery) {
  if (receiver.kind !== "email")
    throw fault.data("EMAIL_WRONG_RECEIVER", `receiver "${receiver.name}" is no e-mail address`);
  const [system = "algobrain"] = source.split("/");
  const idOf = (what: string) =>
    `<${createHash("sha256").update(what).digest("hex").slice(0, 32)}@${system}>`;
  const thread = idOf(dedupKey);
  return {
    from,
    to: [...receiver.to],
    subject: oneLine(message.title),
    text: toPlain(message),
    // The same notice again is the same mail: servers and clients fold it (RFC 5322, 3.6.4).
    messageId: noticeId === null ? undefined : idOf(`${dedupKey}/${noticeId}`),
    references: [thread],
    inReplyTo: action === "resolve" ? thread : undefined,
    headers: { "Auto-Submitted": "auto-generated", "X-Algobrain-Key": dedupKey },
  };
}

/** What nodemailer's errors carry; SMTP's first digit says whether trying again makes sense (RFC 5321, 4.2.1). */
interface MailError {
  readonly code?: unknown;
  readonly responseCode?: unknown;
}

function toFault(error: unknown, given: AbortSignal): Fault {
  if (error instanceof Fault) return error;
  const { code, responseCode } = error as MailError;
  const details: Readonly<Record<string, number>> =
    typeof responseCode === "number" ? { status: responseCode } : {};
  if (given.aborted)
    return fault.transient("EMAIL_TIMED_OUT", "the mail server did not answer in time", {
      cause: error,
    });
  if (code === "EAUTH")
    return fault.waiting("EMAIL_UNAUTHORIZED", "the mail server refuses our credentials", {
      retryAfterMs: CREDENTIAL_RETRY_MS,
      ...{ hint: "set SMTP_URL to valid credentials", cause: error, details },
    });
  if (typeof responseCode === "number" && responseCode >= 500)
    return fault.data("EMAIL_REFUSED", `the mail server refuses it: ${errorMessage(error)}`, {
      ...{
        hint: "check the addresses in policies/routes.yaml and SMTP_FROM",
        cause: error,
        details,
      },
    });
  return fault.transient("EMAIL_FAILED", errorMessage(error), {
    ...{
      hint: "check SMTP_URL, the network, and whether the mail server is up",
      cause: error,
      details,
    },
  });
}
