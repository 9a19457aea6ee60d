/** Where a request comes from. X-Forwarded-* is a claim of the caller, so it never makes anyone trusted. */
import { BlockList, isIPv6 } from "node:net";
import type { FastifyRequest } from "fastify";

const inside = new BlockList();
inside.addSubnet("127.0.0.0", 8);
inside.addSubnet("10.0.0.0", 8);
inside.addSubnet("172.16.0.0", 12);
inside.addSubnet("192.168.0.0", 16);
inside.addAddress("::1", "ipv6");
inside.addSubnet("fc00::", 7, "ipv6");

/** Headers that proxies add: with one of them the peer's address says nothing about the caller. */
const PROXY_HEADERS = [
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-real-ip",
  "forwarded",
  "via",
] as const;

/** A caller on this machine or in the private network, without a proxy between (EP-24). */
export function isInside(request: FastifyRequest): boolean {
  if (PROXY_HEADERS.some((name) => request.headers[name] !== undefined)) return false;
  const address = plainAddress(request.ip);
  return inside.check(address, isIPv6(address) ? "ipv6" : "ipv4");
}

/** `::ffff:10.0.0.1` is 10.0.0.1. */
function plainAddress(address: string): string {
  return address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
}

/**
 * Tells callers apart for the bound on forged signatures. Behind a balancer all share one peer, and a
 * forger must not be able to shut the door for Slack: so the balancer's last hop is part of the key.
 * Who invents hops escapes this bound, but not the one on work in flight.
 */
export function doorKey(request: FastifyRequest): string {
  const forwarded = request.headers["x-forwarded-for"];
  const lastHop = typeof forwarded === "string" ? forwarded.split(",").at(-1)?.trim() : undefined;
  return `${plainAddress(request.ip)} ${(lastHop ?? "").slice(0, 64)}`;
}
