/** How policies are signed and believed, and as whom we speak to GitHub and to the issuer of tokens. */
import type { PublicKey } from "../policy/envelope-types.js";
import { KEY_BYTES, publicKeyOf } from "../policy/signature.js";
import type { EnvReader } from "./env-reader.js";

export interface PolicyTrust {
  /** A bundle is believed when one of them has signed it (more than one while a key is being replaced). None: the home's own key. */
  readonly keys: readonly PublicKey[];
  /** PEM (PKCS #8), or `@path` of a file with it; null: cannot sign here. */
  readonly signingKey: string | null;
  /** Key id or ARN in AWS KMS; instead of `signingKey`. */
  readonly kmsKey: string | null;
}

export interface GitHubApp {
  readonly appId: number;
  /** PEM. */
  readonly privateKey: string;
  readonly installationId: number;
}

export interface OidcConfig {
  readonly issuer: string;
  readonly audience: string;
  readonly jwksUrl: string;
  /** The claim that holds the names of groups, which access.yaml maps to roles. */
  readonly groupsClaim: string;
}

const ID_MAX = { min: 1, max: Number.MAX_SAFE_INTEGER };

export function readPolicyTrust(reader: EnvReader): PolicyTrust {
  const signingKey = reader.text("POLICY_SIGNING_KEY");
  const kmsKey = reader.text("POLICY_KMS_KEY");
  if (signingKey !== null && kmsKey !== null) {
    const names = ["POLICY_SIGNING_KEY", "POLICY_KMS_KEY"];
    reader.problem(names, `${names.join(" and ")} are both set: set the one that signs`);
  }
  return { keys: readKeys(reader), signingKey, kmsKey };
}

function readKeys(reader: EnvReader): PublicKey[] {
  return reader.list("POLICY_PUBLIC_KEY").map((text) => {
    const raw = Buffer.from(text, "base64");
    if (raw.length !== KEY_BYTES) {
      const expected = "a comma list of raw Ed25519 keys, 32 bytes each, in base64";
      reader.refuse("POLICY_PUBLIC_KEY", text, expected);
    }
    return publicKeyOf(raw);
  });
}

/** Null: a token, or nothing. All three or none. */
export function readGitHubApp(reader: EnvReader, token: string | null): GitHubApp | null {
  const appId = reader.integer("GITHUB_APP_ID", ID_MAX);
  const privateKey = reader.text("GITHUB_APP_PRIVATE_KEY")?.replaceAll("\\n", "\n") ?? null;
  const installationId = reader.integer("GITHUB_APP_INSTALLATION_ID", ID_MAX);
  const names = ["GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY", "GITHUB_APP_INSTALLATION_ID"];
  const given = [appId, privateKey, installationId].filter((value) => value !== null);
  if (given.length === 0) return null;
  if (appId === null || privateKey === null || installationId === null) {
    reader.problem(names, `${names.join(", ")}: set all three or none`);
    return null;
  }
  if (token !== null) {
    const both = ["GITHUB_TOKEN", "GITHUB_APP_ID"];
    reader.problem(both, `${both.join(" and ")} are both set: speak to GitHub as one of them`);
  }
  return { appId, privateKey, installationId };
}

export function readOidc(reader: EnvReader): OidcConfig | null {
  const issuer = reader.url("OIDC_ISSUER", ["https:", "http:"])?.href.replace(/\/+$/, "") ?? null;
  const audience = reader.text("OIDC_AUDIENCE");
  const jwks = reader.url("OIDC_JWKS_URL", ["https:", "http:"])?.href ?? null;
  const groupsClaim = reader.text("OIDC_GROUPS_CLAIM") ?? "groups";
  if (issuer === null && audience === null && jwks === null) return null;
  if (issuer === null || audience === null) {
    const names = ["OIDC_ISSUER", "OIDC_AUDIENCE"];
    reader.problem(names, `${names.join(" and ")}: set both or neither`);
    return null;
  }
  return { issuer, audience, jwksUrl: jwks ?? `${issuer}/.well-known/jwks.json`, groupsClaim };
}
