/** An OIDC issuer of our own: key pairs, tokens as it would sign them, and an answer to whoever asks for its keys. */
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from "jose";
import type { Fetch } from "../../src/web/issuer-keys.js";
import type { OidcSettings } from "../../src/web/oidc.js";

export const SETTINGS: OidcSettings = {
  issuer: "https://issuer.example",
  audience: "algobrain",
  jwksUrl: "https://issuer.example/.well-known/jwks.json",
  groupsClaim: "groups",
};

export interface IdentityProvider {
  /** Signs with the newest key; claims replace those of a good token. */
  sign(claims?: JWTPayload, header?: Record<string, unknown>): Promise<string>;
  /** Adds a key, under which it signs from then on. */
  rotate(): Promise<void>;
  readonly fetchKeys: Fetch;
  /** How often it was asked for its keys. */
  asked: number;
  /** What it answers instead of its keys; a function may throw. */
  answer: (() => Response) | null;
}

export async function openIdentityProvider(
  now: () => Date,
  alg = "ES256",
): Promise<IdentityProvider> {
  const keys: { kid: string; pair: Awaited<ReturnType<typeof generateKeyPair>> }[] = [];
  const provider: IdentityProvider = {
    asked: 0,
    answer: null,
    rotate: async () => {
      keys.push({ kid: `key-${keys.length}`, pair: await generateKeyPair(alg) });
    },
    sign: async (claims = {}, header = {}) => {
      const { kid, pair } = keys.at(-1)!;
      const iat = Math.floor(now().getTime() / 1000);
      const good = {
        iss: SETTINGS.issuer,
        aud: SETTINGS.audience,
        sub: "u-1",
        iat,
        exp: iat + 600,
      };
      return new SignJWT({ ...good, groups: ["on-call"], jti: "t-1", ...claims })
        .setProtectedHeader({ alg, kid, ...header })
        .sign(pair.privateKey);
    },
    fetchKeys: async () => {
      provider.asked += 1;
      if (provider.answer) return provider.answer();
      const set = keys.map(async ({ kid, pair }) => ({
        ...(await exportJWK(pair.publicKey)),
        ...{ kid, alg, use: "sig" },
      }));
      return Response.json({ keys: await Promise.all(set) });
    },
  };
  await provider.rotate();
  return provider;
}
