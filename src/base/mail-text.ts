/** Mail addresses in running text. Pure, and linear in the length of whatever it is given. */

/** What a local part may hold without quotes (RFC 5322, 3.2.3; RFC 6531), dots included. */
const LOCAL = /[\p{L}\p{N}\ud800-\udfff.!#$%&'*+/=?^_`{|}~-]/u;
/** Names of a host, 63 characters each at most (RFC 1035, 2.3.4). */
const DOMAIN = /[\p{L}\p{N}-]{1,63}(?:\.[\p{L}\p{N}-]{1,63})*/uy;

/**
 * Replaces each address by what `replace` says of it. The local part reaches as far back as characters may belong to
 * one: of `author=ada@example.org` it is `author=ada`, for who can tell.
 */
export function replaceMails(
  text: string,
  replace: (local: string, domain: string) => string,
): string {
  let result = "";
  let done = 0;
  for (let at = text.indexOf("@"); at >= 0; at = text.indexOf("@", at + 1)) {
    let start = at;
    while (start > done && LOCAL.test(text[start - 1]!)) start--;
    DOMAIN.lastIndex = at + 1;
    const domain = DOMAIN.exec(text)?.[0];
    if (start === at || domain === undefined) continue;
    result += text.slice(done, start) + replace(text.slice(start, at), domain);
    done = at + 1 + domain.length;
  }
  return done === 0 ? text : result + text.slice(done);
}
