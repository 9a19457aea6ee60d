/**
 * The public keys of the identity provider: fetched when they are needed, kept for ten minutes, and believed for
 * an hour more while the provider is away, so that its outage does not lock people out of ours.
 */
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type FetchImplementation,
  type JWTVerifyGetKey,
} from "jose";
import type { Clock } from "../base/clock.js";
import { HOUR_MS, MINUTE_MS } from "../base/duration.js";
import { errorMessage } from "../base/fault.js";
import { isJsonObject } from "../base/json.js";

const FETCH_TIMEOUT_MS = 5_000;
/** Key sets hold a handful of keys. */
const ANSWER_MAX_BYTES = 256 * 1024;
const FRESH_MS = 10 * MINUTE_MS;
/** Tokens with a key that nobody knows make us ask the provider again, but no more often than this. */
const UNKNOWN_KEY_COOLDOWN_MS = 30_000;
/** A provider that does not answer is asked again after this. */
const FAILURE_COOLDOWN_MS = 5_000;
const BELIEVED_WHILE_AWAY_MS = HOUR_MS;

/** The provider could not be asked: that says nothing about the token. */
export class IssuerAway extends Error {
  override readonly name = "IssuerAway";
}

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** For `jwtVerify`. Throws IssuerAway, or what jose throws for a key that does not exist. */
export function issuerKeys(url: string, clock: Clock, fetchFrom: Fetch = fetch): JWTVerifyGetKey {
  const last = { gotAtMs: Number.NEGATIVE_INFINITY, failedAtMs: Number.NEGATIVE_INFINITY };
  const nowMs = () => clock.now().getTime();
  const fetchKeys: FetchImplementation = async (address, init) => {
    if (nowMs() - last.failedAtMs < FAILURE_COOLDOWN_MS)
      throw new IssuerAway("it did not answer a moment ago");
    try {
      const text = await readKeySet(await fetchFrom(address, init));
      last.gotAtMs = nowMs();
      return new Response(text);
    } catch (error) {
      last.failedAtMs = nowMs();
      throw error instanceof IssuerAway
        ? error
        : new IssuerAway(`cannot reach it: ${errorMessage(error)}`, { cause: error });
    }
  };
  const remote = createRemoteJWKSet(new URL(url), {
    timeoutDuration: FETCH_TIMEOUT_MS,
    cooldownDuration: UNKNOWN_KEY_COOLDOWN_MS,
    cacheMaxAge: FRESH_MS,
    [customFetch]: fetchKeys,
  });
  return async (header, token) => {
    try {
      return await remote(header, token);
    } catch (error) {
      const known = remote.jwks();
      const isOld = nowMs() - last.gotAtMs > FRESH_MS + BELIEVED_WHILE_AWAY_MS;
      if (!(error instanceof IssuerAway) || known === undefined || isOld) throw error;
      return await createLocalJWKSet(known)(header, token).catch((mismatch: unknown) => {
        // It may be a key that is newer than what we could fetch.
        throw mismatch instanceof errors.JWKSNoMatchingKey ? error : mismatch;
      });
    }
  };
}

/** The answer's text when it is a key set. Throws IssuerAway when it is anything else. */
async function readKeySet(response: Response): Promise<string> {
  if (response.status !== 200) {
    await response.body?.cancel();
    throw new IssuerAway(`it answered ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop early cancels the stream, so an endless answer is not read to its end.
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_MAX_BYTES)
      throw new IssuerAway(`it answered over ${ANSWER_MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString("utf8");
  if (!isKeySet(text)) throw new IssuerAway("it answered something that is no key set (RFC 7517)");
  return text;
}

function isKeySet(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) && Array.isArray(value.keys) && value.keys.every(isJsonObject);
  } catch {
    return false;
  }
}
