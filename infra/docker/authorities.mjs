// Which of a bundle's certificates may be believed, and whether it is whole: a page of an error, or half a file, would keep
// every process from its database, and would do so only in production.
import { X509Certificate } from "node:crypto";

const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
/** Amazon has one for each region and kind of key, and more than thirty regions. */
const LEAST = 30;

/**
 * The bundle's certificates as PEM, without those that have expired.
 *
 * @param {string} text
 * @param {Date} now
 * @throws Error when too few are left, or when one cannot be read or is no authority
 */
export function authoritiesIn(text, now) {
  const inForce = [...text.matchAll(BLOCK)].flatMap(([block], i) => {
    const { ca, subject, validTo } = read(block, i);
    if (!ca) throw new Error(`certificate ${i + 1} is no authority: ${subject}`);
    return new Date(validTo) > now ? [block] : [];
  });
  if (inForce.length >= LEAST) return inForce;
  throw new Error(`found ${inForce.length} authorities in force, expected ${LEAST} at least`);
}

function read(block, i) {
  try {
    return new X509Certificate(block);
  } catch (error) {
    throw new Error(`certificate ${i + 1} cannot be read: ${error.message}`, { cause: error });
  }
}
