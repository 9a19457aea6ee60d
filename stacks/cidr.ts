/** Parts of an address range, computed here: numbers of the policy become addresses that a review can read. */
import { assert } from "../src/base/assert.js";

const ADDRESS_BITS = 32;

/** Part `index` of `cidr` when it is cut `newBits` finer: 10.40.0.0/16, 4, 1 → 10.40.16.0/20 (RFC 4632). */
export function cidrPart(cidr: string, newBits: number, index: number): string {
  const [address = "", prefix = ""] = cidr.split("/");
  const bits = Number(prefix) + newBits;
  const octets = address.split(".").map(Number);
  const valid = octets.length === 4 && octets.every((octet) => octet >= 0 && octet <= 255);
  assert(valid && /^\d+$/.test(prefix) && bits <= ADDRESS_BITS, `"${cidr}" cannot be cut`);
  assert(index >= 0 && index < 2 ** newBits, `"${cidr}" has no part ${index} of ${2 ** newBits}`);
  const start = octets.reduce((sum, octet) => sum * 256 + octet, 0);
  assert(start % 2 ** (ADDRESS_BITS - Number(prefix)) === 0, `"${cidr}" begins in its own midst`);
  return `${dotted(start + index * 2 ** (ADDRESS_BITS - bits))}/${bits}`;
}

function dotted(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}
