/**
 * Mail addresses where more people read than need to know them: in chat, and in what viewers are shown.
 */

/**
 * One mail address in running text, bounded by what cannot belong to it (RFC 5321: 64 characters before the `@`,
 * 255 after it). Bounded repeats, and a look behind that lets a match begin only where a word begins, keep the time
 * linear whatever the text is.
 */
const MAIL =
  /(?<![\p{L}\p{N}._%+'-])([\p{L}\p{N}_%+'-][\p{L}\p{N}._%+'-]{0,63})@((?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,62})\.){1,8}\p{L}[\p{L}\p{N}-]{1,62})/gu;

/** Of machines, and nobody's: they say nothing about a person. */
const NOBODYS = /^(?:no-?reply|do-?not-?reply)$/i;

/** `ada@example.org` becomes `a…@example.org`. `keep`: addresses that stay, in lower case. */
export function maskMails(text: string, keep: ReadonlySet<string> = NONE): string {
  if (!text.includes("@")) return text;
  return text.replace(MAIL, (mail: string, local: string, domain: string) =>
    NOBODYS.test(local) || keep.has(mail.toLowerCase())
      ? mail
      : `${firstCharacter(local)}…@${domain}`,
  );
}

const NONE: ReadonlySet<string> = new Set();

/** Never half of a pair of code units. */
function firstCharacter(text: string): string {
  return [...text.slice(0, 2)][0] ?? "";
}
