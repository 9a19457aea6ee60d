/**
 * Mail addresses where more people read than need to know them: in chat, and in what viewers are shown.
 * `ada@example.org` becomes `a…@example.org`: enough to know one's own, and to tell two apart.
 */
import { replaceMails } from "../base/mail-text.js";
import type { Message } from "./message.js";

/** Of machines: they say nothing about a person. */
const NOBODYS = /^(?:no-?reply|do-?not-?reply|git)$/i;
/** May belong to an address, and as often end what stands before one: `author=ada@example.org`. */
const BEFORE = /^.*[=?&/{}|`'!#*]/s;

/** `keep`: addresses that stay, in lower case. */
export function maskMails(text: string, keep: ReadonlySet<string> = NONE): string {
  if (!text.includes("@")) return text;
  return replaceMails(text, (found, domain) => {
    const before = BEFORE.exec(found)?.[0] ?? "";
    const local = found.slice(before.length);
    const isKept = NOBODYS.test(local) || keep.has(`${local}@${domain}`.toLowerCase());
    if (isKept || local === "" || !isPublic(domain)) return `${found}@${domain}`;
    return `${before}${firstCharacter(local)}…@${domain}`;
  });
}

const NONE: ReadonlySet<string> = new Set();

/** `postgres@16.2` and `worker@host-3` are no mail addresses. */
function isPublic(domain: string): boolean {
  return /\.\p{L}[\p{L}\p{N}-]+$/u.test(domain);
}

/** Never half of a pair of code units. */
function firstCharacter(text: string): string {
  return [...text.slice(0, 2)][0] ?? "";
}

/** Every text in a document, keys included. The same value when there is no address in it. */
export function maskMailsIn<T>(value: T, keep: ReadonlySet<string> = NONE): T {
  return maskValue(value, keep) as T;
}

function maskValue(value: unknown, keep: ReadonlySet<string>): unknown {
  if (typeof value === "string") return maskMails(value, keep);
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => maskValue(item, keep));
    return items.every((item, at) => item === value[at]) ? value : items;
  }
  // Dates and the like write themselves.
  if (typeof value !== "object" || value === null || !isPlain(value)) return value;
  const entries = Object.entries(value);
  const masked = entries.map(
    ([key, item]) => [maskMails(key, keep), maskValue(item, keep)] as const,
  );
  const isSame = masked.every(([key, item], at) => {
    const [oldKey, oldItem] = entries[at]!;
    return key === oldKey && item === oldItem;
  });
  return isSame ? value : Object.fromEntries(masked);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** All that people read of it. Targets of links and the keys in buttons must stay what they are. */
export function maskMessage(message: Message): Message {
  const { links, actions, ...read } = message;
  return {
    ...maskMailsIn(read),
    ...(links && { links: links.map(({ label, url }) => ({ label: maskMails(label), url })) }),
    ...(actions && {
      actions: actions.map((action) => ({ ...action, label: maskMails(action.label) })),
    }),
  };
}
