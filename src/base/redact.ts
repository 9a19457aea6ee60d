/** Takes known secrets out of text before it is logged, stored or sent. */
const MASK = "[redacted]";
/** Shorter values would blank out half of every text. */
const LENGTH_MIN = 6;

export type Redact = (text: string) => string;

/** Replaces each secret, and its base64, base64url and URL-encoded forms. */
export function createRedact(secrets: Iterable<string | undefined>): Redact {
  const needles = new Set<string>();
  for (const secret of secrets) {
    if (secret === undefined || secret.length < LENGTH_MIN) continue;
    for (const form of secretForms(secret)) needles.add(form);
  }
  const ordered = [...needles].sort((a, b) => b.length - a.length);
  if (ordered.length === 0) return (text) => text;
  const pattern = new RegExp(ordered.map(escapeRegExp).join("|"), "g");
  return (text) => text.replace(pattern, MASK);
}

function secretForms(secret: string): string[] {
  const bytes = Buffer.from(secret, "utf8");
  // Padding depends on what follows in a longer text, so the unpadded form is the one to look for.
  const base64 = bytes.toString("base64").replace(/=+$/, "");
  return [secret, base64, bytes.toString("base64url"), encodeURIComponent(secret)];
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
